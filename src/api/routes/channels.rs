//! Which channels are watched, and how they are.

use actix_web::web::{Data, Json};

use super::{NoParams, PageParams};
use crate::actors::handle::{Adsum, ChannelNow};
use crate::api::bodies::ListBody;
use crate::api::bodies::channel::{ChannelBody, ChannelDetailBody};
use crate::api::pages::page;
use crate::api::params::{self, PathName, Query};
use crate::api::problem::Problem;
use crate::domain::names::ChannelName;

/// Every watched channel, in order of name.
#[utoipa::path(
    get, path = "/v1/channels", operation_id = "listChannels", tag = "channels", params(PageParams),
    responses((status = 200, description = "The channels.", body = ListBody<ChannelBody>))
)]
pub(crate) async fn list(
    adsum: Data<Adsum>,
    Query(asked): Query<PageParams>,
) -> Result<Json<ListBody<ChannelBody>>, Problem> {
    let (limit, after) = (params::limit(asked.limit.as_ref())?, params::after(asked.after.as_ref())?);
    let now = adsum.now();
    let key = |channel: &ChannelNow| vec![channel.channel.as_str().to_owned()];
    let (channels, next) = page(adsum.channels(), key, after.as_ref(), limit);
    let items = channels.iter().map(|channel| ChannelBody::of(channel, now)).collect();
    Ok(Json(ListBody { items, next }))
}

/// One channel, watched or in the record.
#[utoipa::path(
    get, path = "/v1/channels/{channel}", operation_id = "getChannel", tag = "channels",
    params(("channel" = String, Path, description = "The channel's name, percent-encoded.")),
    responses((status = 200, description = "The channel.", body = ChannelDetailBody))
)]
pub(crate) async fn one(
    adsum: Data<Adsum>,
    PathName(channel): PathName<ChannelName>,
    _: Query<NoParams>,
) -> Result<Json<ChannelDetailBody>, Problem> {
    let channel = adsum.channel(&channel).await?;
    Ok(Json(ChannelDetailBody::of(&channel, adsum.now())))
}
