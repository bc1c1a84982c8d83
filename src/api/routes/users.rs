//! Where is, or was, a user, and in which state?

use actix_web::web::{Data, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use super::NoParams;
use crate::actors::handle::{Adsum, ChannelAt};
use crate::api::bodies::user::{UserBody, UserChannelsBody, UserStateBody};
use crate::api::cursor::{Cursor, UserChannelCursor};
use crate::api::params::{self, PathName, Query};
use crate::api::problem::Problem;
use crate::domain::names::UserId;

/// Which moment.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UserChannelsParams {
    /// The moment: RFC 3339 or relative (`-2h`); that of each channel's last good observation unless given. Later pages keep
    /// that of the first.
    at: Option<String>,
    /// How many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// Goes on after the last answer: its `next`.
    after: Option<String>,
}

/// A user in short: where now, last seen, visits and total time.
#[utoipa::path(
    get, path = "/v1/users/{user}", operation_id = "getUser", tag = "users",
    params(("user" = String, Path, description = "The user id, percent-encoded.")),
    responses((status = 200, description = "The user.", body = UserBody))
)]
pub(crate) async fn one(
    adsum: Data<Adsum>,
    PathName(user): PathName<UserId>,
    _: Query<NoParams>,
) -> Result<Json<UserBody>, Problem> {
    Ok(Json(adsum.user(&user).await?.into()))
}

/// Where a user was, or may have been, at a moment. What is not listed was not seen then: `/v1/presence` says whether the user
/// was certainly not there.
#[utoipa::path(
    get, path = "/v1/users/{user}/channels", operation_id = "listUserChannels", tag = "users",
    params(("user" = String, Path, description = "The user id, percent-encoded."), UserChannelsParams),
    responses((status = 200, description = "The channels, in order of name.", body = UserChannelsBody))
)]
pub(crate) async fn channels(
    adsum: Data<Adsum>,
    PathName(user): PathName<UserId>,
    Query(asked): Query<UserChannelsParams>,
) -> Result<Json<UserChannelsBody>, Problem> {
    let limit = params::limit(asked.limit.as_ref())?;
    let after: Option<UserChannelCursor> = params::after(asked.after.as_ref())?;
    let asked_at = params::time("at", asked.at.as_ref(), adsum.now())?;
    let asked_at = after.as_ref().and_then(|after| after.at).or(asked_at);
    let (at, channels) = adsum.user_channels(&user, asked_at).await?;
    let rest =
        channels.into_iter().filter(|item| after.as_ref().is_none_or(|after| item.channel > after.channel));
    let mut channels: Vec<ChannelAt> = rest.take(limit + 1).collect();
    let more = channels.len() > limit;
    channels.truncate(limit);
    let next = channels.last().filter(|_| more).map(|last| last.channel.clone());
    let next = next.map(|channel| UserChannelCursor { at: asked_at, channel }.encode());
    let items = channels.into_iter().map(Into::into).collect();
    Ok(Json(UserChannelsBody { user: user.as_str().to_owned(), at: at.into(), items, next }))
}

/// The last known states of a user, by channel.
#[utoipa::path(
    get, path = "/v1/users/{user}/state", operation_id = "getUserState", tag = "users",
    params(("user" = String, Path, description = "The user id, percent-encoded.")),
    responses((status = 200, description = "The states.", body = UserStateBody))
)]
pub(crate) async fn state(
    adsum: Data<Adsum>,
    PathName(user): PathName<UserId>,
    _: Query<NoParams>,
) -> Result<Json<UserStateBody>, Problem> {
    let states = adsum.user_state(&user).await?;
    Ok(Json(UserStateBody::of(&user, states)))
}
