//! Who is, or was, in a channel?

use actix_web::web::{Data, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::actors::handle::Adsum;
use crate::api::bodies::occupants::OccupantsBody;
use crate::api::cursor::OccupantCursor;
use crate::api::params::{self, PathName, Query};
use crate::api::problem::Problem;
use crate::domain::names::ChannelName;

/// Which occupants.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OccupantsParams {
    /// The moment: RFC 3339 or relative (`-2h`); that of the last good observation unless given. Later pages keep that
    /// of the first.
    at: Option<String>,
    /// How many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// Goes on after the last answer: its `next`.
    after: Option<String>,
}

/// Who was in a channel at a moment.
#[utoipa::path(
    get, path = "/v1/channels/{channel}/occupants", operation_id = "listOccupants", tag = "channels",
    params(("channel" = String, Path, description = "The channel's name, percent-encoded."), OccupantsParams),
    responses((status = 200, description = "The occupants, in order of user id.", body = OccupantsBody))
)]
pub(crate) async fn list(
    adsum: Data<Adsum>,
    PathName(channel): PathName<ChannelName>,
    Query(asked): Query<OccupantsParams>,
) -> Result<Json<OccupantsBody>, Problem> {
    let limit = params::limit(asked.limit.as_ref())?;
    let after: Option<OccupantCursor> = params::after(asked.after.as_ref())?;
    let at = params::time("at", asked.at.as_ref(), adsum.now())?;
    let at = after.as_ref().and_then(|after| after.at).or(at);
    let after = after.as_ref().map(|after| &after.user);
    let occupants = adsum.occupants(&channel, at, after, limit).await?;
    Ok(Json(OccupantsBody::of(&channel, at, occupants)))
}
