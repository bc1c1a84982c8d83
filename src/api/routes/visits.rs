//! Who stayed where, from when to when?

use actix_web::web::{Data, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::actors::handle::Adsum;
use crate::api::bodies::SpanListBody;
use crate::api::bodies::visit::VisitBody;
use crate::api::params::{self, Query};
use crate::api::problem::Problem;
use crate::history::VisitQuery;

/// Which visits.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VisitsParams {
    /// Only to this channel.
    channel: Option<String>,
    /// Only by this user.
    user: Option<String>,
    /// Only those that were not over before this: RFC 3339 or relative (`-2h`).
    from: Option<String>,
    /// Only those that had begun before this.
    to: Option<String>,
    /// Only those that last (`true`), or that are over (`false`).
    #[param(value_type = Option<bool>)]
    open: Option<String>,
    /// Joins two visits of a user to a channel if the longest possible absence between them is at most this (`30s`). A
    /// page may then hold fewer items than its limit, or none, and still have a `next`. More than 100,000 visits are not
    /// joined to one: the answer is `bad_range`, and a shorter span or a shorter `merge` is answered.
    merge: Option<String>,
    /// How many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// Goes on after the last answer: its `next`.
    after: Option<String>,
}

/// Visits, the oldest first.
#[utoipa::path(
    get, path = "/v1/visits", operation_id = "listVisits", tag = "record", params(VisitsParams),
    responses((status = 200, description = "The visits, in order of their joins.", body = SpanListBody<VisitBody>))
)]
pub(crate) async fn list(
    adsum: Data<Adsum>,
    Query(asked): Query<VisitsParams>,
) -> Result<Json<SpanListBody<VisitBody>>, Problem> {
    let (from, to) = params::span(asked.from.as_ref(), asked.to.as_ref(), adsum.now())?;
    let query = VisitQuery {
        channel: params::optional_name(asked.channel.as_ref())?,
        user: params::optional_name(asked.user.as_ref())?,
        from,
        to,
        open: params::flag("open", asked.open.as_ref())?,
        after: params::after(asked.after.as_ref())?,
        limit: params::limit(asked.limit.as_ref())?,
    };
    let merge = params::length("merge", asked.merge.as_ref())?;
    Ok(Json(SpanListBody::of(adsum.visits(query, merge).await?)))
}
