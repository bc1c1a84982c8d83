//! When was a channel not observed?

use actix_web::web::{Data, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::actors::handle::Adsum;
use crate::api::bodies::SpanListBody;
use crate::api::bodies::gap::ChannelGapBody;
use crate::api::params::{self, Query};
use crate::api::problem::Problem;

/// Which gaps.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GapsParams {
    /// Only of this channel.
    channel: Option<String>,
    /// Only those that were not over before this: RFC 3339 or relative (`-2h`).
    from: Option<String>,
    /// Only those that had begun before this.
    to: Option<String>,
    /// How many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// Goes on after the last answer: its `next`.
    after: Option<String>,
}

/// Gaps, the oldest first.
#[utoipa::path(
    get, path = "/v1/gaps", operation_id = "listGaps", tag = "record", params(GapsParams),
    responses((status = 200, description = "The gaps, in order of their beginning.", body = SpanListBody<ChannelGapBody>))
)]
pub(crate) async fn list(
    adsum: Data<Adsum>,
    Query(asked): Query<GapsParams>,
) -> Result<Json<SpanListBody<ChannelGapBody>>, Problem> {
    let (from, to) = params::span(asked.from.as_ref(), asked.to.as_ref(), adsum.now())?;
    let channel = params::optional_name(asked.channel.as_ref())?;
    let (limit, after) = (params::limit(asked.limit.as_ref())?, params::after(asked.after.as_ref())?);
    Ok(Json(SpanListBody::of(adsum.gaps(channel.as_ref(), from, to, after, limit).await?)))
}
