//! What happened?

use actix_web::web::{Data, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::actors::handle::Adsum;
use crate::api::bodies::SpanListBody;
use crate::api::bodies::event::EventBody;
use crate::api::cursor::Cursor;
use crate::api::params::{self, Query};
use crate::api::problem::{Code, Problem};
use crate::domain::event::EventId;
use crate::history::EventQuery;

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsParams {
    /// Only of this channel.
    channel: Option<String>,
    /// Only of this user.
    user: Option<String>,
    /// Only of this kind: `join`, `leave`, `state`, `present`, or several with commas.
    kind: Option<String>,
    /// Only those whose window is not over before this: RFC 3339 or relative (`-2h`).
    from: Option<String>,
    /// Only those whose window begins before this.
    to: Option<String>,
    /// How many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// Goes on after the last answer: its `next`, or the id of any event.
    after: Option<String>,
}

/// Events, the oldest first.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "listEvents", tag = "record", params(EventsParams),
    responses((status = 200, description = "The events, in order of id.", body = SpanListBody<EventBody>))
)]
pub(crate) async fn list(
    adsum: Data<Adsum>,
    Query(asked): Query<EventsParams>,
) -> Result<Json<SpanListBody<EventBody>>, Problem> {
    let (from, to) = params::span(asked.from.as_ref(), asked.to.as_ref(), adsum.now())?;
    let query = EventQuery {
        channel: params::optional_name(asked.channel.as_ref())?,
        user: params::optional_name(asked.user.as_ref())?,
        kinds: params::kinds(asked.kind.as_ref())?,
        from,
        to,
        after: params::after(asked.after.as_ref())?.unwrap_or_default(),
        limit: params::limit(asked.limit.as_ref())?,
    };
    if query.after > 0 {
        check_known(query.after, adsum.newest_event().await?)?;
    }
    let page = adsum.events(query).await?;
    Ok(Json(SpanListBody {
        items: page.items.iter().filter_map(EventBody::of).collect(),
        next: page.next.map(|next| next.encode()),
        coverage: page.coverage.map(Into::into),
    }))
}

/// That an event was recorded here: whoever goes on after one that was not would miss all up to it.
///
/// # Errors
/// [`Code::BadCursor`].
pub(super) fn check_known(after: EventId, newest: EventId) -> Result<(), Problem> {
    if after <= newest {
        return Ok(());
    }
    let detail = format!("{after} is newer than the newest event ({newest}): it is of another history");
    Err(Problem::new(Code::BadCursor, detail))
}
