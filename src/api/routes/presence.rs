//! Was this user in this channel?

use actix_web::web::{Data, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::actors::handle::Adsum;
use crate::api::bodies::presence::PresenceBody;
use crate::api::params::{self, Query};
use crate::api::problem::Problem;

/// Who, where and when.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PresenceParams {
    /// Which channel.
    #[param(required = true)]
    channel: Option<String>,
    /// Which user.
    #[param(required = true)]
    user: Option<String>,
    /// The moment: RFC 3339 or relative (`-2h`); that of the last good observation unless given.
    at: Option<String>,
}

/// Whether a user was in a channel: yes, no or unknown, and why. Never 404.
#[utoipa::path(
    get, path = "/v1/presence", operation_id = "getPresence", tag = "record", params(PresenceParams),
    responses((status = 200, description = "The answer.", body = PresenceBody))
)]
pub(crate) async fn answer(
    adsum: Data<Adsum>,
    Query(asked): Query<PresenceParams>,
) -> Result<Json<PresenceBody>, Problem> {
    let channel = params::required_name(asked.channel.as_ref())?;
    let user = params::required_name(asked.user.as_ref())?;
    let at = params::time("at", asked.at.as_ref(), adsum.now())?;
    let answer = adsum.presence(&channel, &user, at).await?;
    Ok(Json(PresenceBody::of(&channel, &user, answer)))
}
