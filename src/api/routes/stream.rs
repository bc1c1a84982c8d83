//! What is happening?

use std::sync::Arc;

use actix_web::http::{Method, header};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{Semaphore, watch};
use utoipa::IntoParams;

use super::events::check_known;
use crate::actors::handle::Adsum;
use crate::api::bodies::event::EventBody;
use crate::api::cursor::Cursor;
use crate::api::feed::{Feed, Seat, Source as _};
use crate::api::params::{self, Query};
use crate::api::problem::{Code, Problem};
use crate::domain::event::EventId;
use crate::history::EventQuery;

/// How many streams may be open at once.
pub(crate) const MAX_STREAMS: usize = 10_000;

/// The open streams.
pub(crate) struct Streams {
    seats: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl Streams {
    /// None open. They all end when `stopping` turns true.
    pub(crate) fn new(stopping: watch::Receiver<bool>) -> Self {
        Self { seats: Arc::new(Semaphore::new(MAX_STREAMS)), stopping }
    }

    fn take(&self) -> Result<Seat, Problem> {
        let permit = Arc::clone(&self.seats).try_acquire_owned().map_err(|_| {
            Problem::new(Code::TooManyStreams, format!("{MAX_STREAMS} streams are open, no more are allowed"))
        })?;
        Ok(Seat { stopping: self.stopping.clone(), _permit: Some(permit) })
    }
}

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamParams {
    /// Only of this channel.
    channel: Option<String>,
    /// Only of this user.
    user: Option<String>,
    /// Only of this kind: `join`, `leave`, `state`, `present`, or several with commas.
    kind: Option<String>,
    /// Goes on after the event with this id; a `Last-Event-ID` header comes first.
    after: Option<String>,
}

/// Events as they are committed, as server-sent events: `id:` the event's id, `event:` its kind, `data:` the event.
/// The stream opens with an `id:` line alone; a comment every 15 s keeps it open. Pass the last id as `Last-Event-ID`
/// to go on without loss or repeat; an id that is no longer kept is 410 `cursor_expired`.
#[utoipa::path(
    get, path = "/v1/stream", operation_id = "streamEvents", tag = "record",
    params(StreamParams, ("Last-Event-ID" = Option<String>, Header, description = "Goes on after the event with this id.")),
    responses((status = 200, description = "The events.", body = EventBody, content_type = "text/event-stream"))
)]
pub(crate) async fn stream(
    adsum: Data<Adsum>,
    streams: Data<Streams>,
    Query(asked): Query<StreamParams>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = EventQuery {
        channel: params::optional_name(asked.channel.as_ref())?,
        user: params::optional_name(asked.user.as_ref())?,
        kinds: params::kinds(asked.kind.as_ref())?,
        ..EventQuery::default()
    };
    let resumed = resume_after(&request, asked.after.as_ref())?;
    let mut response = HttpResponse::Ok();
    // Compression would hold events back until a block is full, and so would a proxy's buffer.
    response
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("X-Accel-Buffering", "no"));
    if *request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let feed = open(&adsum, streams.take()?, query, resumed).await?;
    Ok(response.streaming(stream::unfold(feed, |mut feed| async move {
        let text = feed.next().await?;
        Some((Ok::<_, actix_web::Error>(text), feed))
    })))
}

fn resume_after(request: &HttpRequest, parameter: Option<&String>) -> Result<Option<EventId>, Problem> {
    match request.headers().get("Last-Event-ID") {
        Some(id) => EventId::decode(id.to_str().unwrap_or_default()).map(Some),
        None => params::after(parameter),
    }
}

async fn open(
    adsum: &Adsum,
    seat: Seat,
    query: EventQuery,
    resumed: Option<EventId>,
) -> Result<Feed<Adsum>, Problem> {
    // Before anything is read: what is committed from here on comes this way.
    let live = adsum.subscribe();
    let newest = adsum.newest_event().await?;
    let after = resumed.unwrap_or(newest);
    check_known(after, newest)?;
    let query = EventQuery { after, limit: 1, ..query };
    if resumed.is_some() {
        // Tells a cursor that is too old while there is still a status to say so.
        adsum.page(query.clone()).await?;
    }
    Ok(Feed::new(adsum.clone(), live, query, resumed.is_some(), seat))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_streams_are_open_than_are_allowed() {
        let streams = Streams::new(watch::channel(false).1);
        let mut seats: Vec<Seat> = (0..MAX_STREAMS).map(|_| streams.take().unwrap()).collect();
        assert_eq!(streams.take().err().unwrap().code, Code::TooManyStreams);
        seats.pop();
        assert!(streams.take().is_ok());
    }
}
