//! What is silenced? Silence this; end that silence.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Data, Json};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::NoParams;
use crate::actors::handle::{Adsum, AskError};
use crate::api::bodies::ListBody;
use crate::api::bodies::silence::SilenceBody;
use crate::api::body::{NoBody, Object};
use crate::api::cursor::{Cursor, SilenceCursor};
use crate::api::params::{self, PathText, Query};
use crate::api::problem::{Code, Problem};
use crate::domain::alert::{Matcher, Severity, Silence, SilenceError};
use crate::domain::time::Time;

/// The largest body of a silence, in bytes: texts of the greatest length fit, escaped as JSON does at worst.
pub(crate) const MAX_BODY_BYTES: usize = 32 * 1024;

/// Which silences.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SilencesParams {
    /// Those that are over too, as long as they are kept: `?all` or `?all=true`.
    #[param(value_type = Option<bool>)]
    all: Option<String>,
    /// How many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// Goes on after the last answer: its `next`.
    after: Option<String>,
}

/// The silences that mute or will mute, the oldest first.
#[utoipa::path(
    get, path = "/v1/silences", operation_id = "listSilences", tag = "alerts", params(SilencesParams),
    responses((status = 200, description = "The silences, in the order in which they were made.", body = ListBody<SilenceBody>))
)]
pub(crate) async fn list(
    adsum: Data<Adsum>,
    Query(asked): Query<SilencesParams>,
) -> Result<Json<ListBody<SilenceBody>>, Problem> {
    let all = match asked.all.as_deref() {
        Some("") => true,
        _ => params::flag("all", asked.all.as_ref())?.unwrap_or(false),
    };
    let limit = params::limit(asked.limit.as_ref())?;
    let after = params::after(asked.after.as_ref())?.map_or(0, |SilenceCursor { last }| last);
    let silences = adsum.silences(all).await?;
    let now = adsum.now();
    let mut rest = silences.iter().filter(|kept| kept.id > after);
    let items: Vec<SilenceBody> = rest.by_ref().take(limit).map(|kept| SilenceBody::of(kept, now)).collect();
    let last = items.last().filter(|_| rest.next().is_some());
    let next = last.map(|last| SilenceCursor { last: last.id }.encode());
    Ok(Json(ListBody { items, next }))
}

/// A silence that is asked for: of the alerts that match all of `rule`, `channel` and `severity` that are given, at least
/// one; and either `until` or `for`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SilenceRequest {
    /// Of this rule, which the configuration must have.
    #[schema(value_type = Option<String>)]
    rule: Option<Value>,
    /// Of this channel, or of those like this pattern (`room.*`).
    #[schema(value_type = Option<String>)]
    channel: Option<Value>,
    /// Of this severity: `info`, `warning` or `critical`.
    #[schema(value_type = Option<String>)]
    severity: Option<Value>,
    /// Since when, now unless given; a time in the future makes a maintenance window. It mutes from now on at the earliest.
    #[schema(value_type = Option<String>)]
    from: Option<Value>,
    /// Until when: RFC 3339.
    #[schema(value_type = Option<String>)]
    until: Option<Value>,
    /// How long instead, from its beginning: `2h`.
    #[serde(rename = "for")]
    #[schema(value_type = Option<String>)]
    lasts: Option<Value>,
    /// Who wants it.
    #[schema(value_type = String)]
    author: Option<Value>,
    /// Why.
    #[schema(value_type = String)]
    reason: Option<Value>,
}

/// Silences alerts for a time: nobody is told of them, whoever would have been is recorded. It outlasts a restart. The
/// request is JSON (`Content-Type: application/json`).
#[utoipa::path(
    post, path = "/v1/silences", operation_id = "addSilence", tag = "alerts", request_body = SilenceRequest,
    responses((status = 201, description = "It is silenced.", body = SilenceBody))
)]
pub(crate) async fn add(
    adsum: Data<Adsum>,
    _: Query<NoParams>,
    Object(asked): Object<SilenceRequest>,
) -> Result<HttpResponse, Problem> {
    let kept = adsum.add_silence(asked.read(adsum.now())?).await?;
    Ok(HttpResponse::Created().json(SilenceBody::of(&kept, adsum.now())))
}

/// Ends a silence now; one that has not begun is gone. Without a body no content type is needed.
#[utoipa::path(
    delete, path = "/v1/silences/{id}", operation_id = "endSilence", tag = "alerts",
    params(("id" = i64, Path, description = "The silence's number.")),
    responses((status = 204, description = "It mutes no longer."))
)]
pub(crate) async fn end(
    adsum: Data<Adsum>,
    PathText(id): PathText,
    _: Query<NoParams>,
    _: NoBody,
) -> Result<HttpResponse, Problem> {
    // What is no number is the number of no silence.
    let id = id.parse().map_err(|_| AskError::UnknownSilence(id))?;
    adsum.end_silence(id).await?;
    Ok(HttpResponse::NoContent().finish())
}

impl SilenceRequest {
    /// The silence that is meant.
    ///
    /// # Errors
    /// A problem that names the member and what is allowed.
    fn read(self, now: Time) -> Result<Silence, Problem> {
        let severity = text("severity", self.severity)?;
        let matcher = Matcher {
            rule: params::optional_name(text("rule", self.rule)?.as_ref())?,
            channel: params::optional_name(text("channel", self.channel)?.as_ref())?,
            severity: params::word("severity", severity.as_ref(), &Severity::ALL, Severity::as_str)?,
        };
        let from = params::time("from", text("from", self.from)?.as_ref(), now)?.unwrap_or(now);
        let until = params::time("until", text("until", self.until)?.as_ref(), now)?;
        let lasts = params::length("for", text("for", self.lasts)?.as_ref())?;
        let (from, until) = (from.max(now), end_of(from, until, lasts)?);
        let required = |name, given| text(name, given)?.ok_or_else(|| wrong(&format!("{name}: is required")));
        let (author, reason) = (required("author", self.author)?, required("reason", self.reason)?);
        Silence::new(matcher, from, until, &author, &reason).map_err(|error| refused(error, from, until))
    }
}

fn end_of(from: Time, until: Option<Time>, lasts: Option<Duration>) -> Result<Time, Problem> {
    match (until, lasts) {
        (Some(until), None) => Ok(until),
        (None, Some(lasts)) => Ok(from.plus(lasts)),
        _ => Err(wrong("until, for: one of the two is required, and not both")),
    }
}

/// A member that must be a text if it is given.
fn text(name: &str, given: Option<Value>) -> Result<Option<String>, Problem> {
    match given {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(&format!("{name}: must be a text"))),
    }
}

fn wrong(detail: &str) -> Problem {
    Problem::new(Code::BadParameter, detail)
}

fn refused(error: SilenceError, from: Time, until: Time) -> Problem {
    match error {
        SilenceError::Everything => wrong(&format!("rule, channel, severity: {error}")),
        SilenceError::Backwards => {
            Problem::new(Code::BadRange, format!("until ({until}) must be after from ({from}) and now"))
        }
        SilenceError::TooLong => Problem::new(Code::BadRange, format!("until: the silence {error}")),
        SilenceError::Author => wrong(&format!("author: {error}")),
        SilenceError::Reason => wrong(&format!("reason: {error}")),
    }
}
