//! What is watched? Watch this too; watch that no longer.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json};

use super::{NoParams, PageParams};
use crate::actors::handle::{Adsum, WatchItem};
use crate::api::bodies::ListBody;
use crate::api::bodies::watch::WatchBody;
use crate::api::body::NoBody;
use crate::api::pages::page;
use crate::api::params::{self, PathName, Query};
use crate::api::problem::{Code, Problem};
use crate::domain::watch::Target;

/// Everything that is watched: channels, patterns and groups, from the configuration and added here.
#[utoipa::path(
    get, path = "/v1/watches", operation_id = "listWatches", tag = "watches", params(PageParams),
    responses((status = 200, description = "What is watched.", body = ListBody<WatchBody>))
)]
pub(crate) async fn list(
    adsum: Data<Adsum>,
    Query(asked): Query<PageParams>,
) -> Result<Json<ListBody<WatchBody>>, Problem> {
    let (limit, after) = (params::limit(asked.limit.as_ref())?, params::after(asked.after.as_ref())?);
    let key = |watch: &WatchItem| vec![watch.target.clone(), watch.kind.to_owned(), watch.source.to_owned()];
    let (watches, next) = page(adsum.watches().await?, key, after.as_ref(), limit);
    Ok(Json(ListBody { items: watches.into_iter().map(Into::into).collect(), next }))
}

/// Watches a channel, or every channel that a pattern matches: `room.*`, and `*` for all there are. It outlasts a
/// restart. The request is JSON (`Content-Type: application/json`), its body empty or `{}`.
#[utoipa::path(
    put, path = "/v1/watches/{channel}", operation_id = "addWatch", tag = "watches",
    params(("channel" = String, Path, description = "A channel's name or a pattern, percent-encoded.")),
    responses(
        (status = 201, description = "It is watched from now on.", body = WatchBody),
        (status = 200, description = "It was watched already.", body = WatchBody),
    )
)]
pub(crate) async fn add(
    adsum: Data<Adsum>,
    PathName(target): PathName<Target>,
    _: Query<NoParams>,
    _: NoBody,
) -> Result<HttpResponse, Problem> {
    let kind = match &target {
        Target::Channel(_) => "channel",
        Target::Pattern(_) => "pattern",
    };
    let watch = WatchBody { target: target.as_str().to_owned(), kind, source: "api" };
    let is_new = adsum.watch(target).await?;
    Ok(if is_new { HttpResponse::Created() } else { HttpResponse::Ok() }.json(watch))
}

/// Ends what was added here. What the configuration names goes on. Without a body no content type is needed: a page of
/// another site cannot send a DELETE without asking first.
#[utoipa::path(
    delete, path = "/v1/watches/{channel}", operation_id = "removeWatch", tag = "watches",
    params(("channel" = String, Path, description = "A channel's name or a pattern, percent-encoded.")),
    responses((status = 204, description = "It is watched no longer."))
)]
pub(crate) async fn remove(
    adsum: Data<Adsum>,
    PathName(target): PathName<Target>,
    _: Query<NoParams>,
    _: NoBody,
) -> Result<HttpResponse, Problem> {
    if adsum.unwatch(&target).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    let name = target.as_str();
    let configured =
        adsum.watches().await?.iter().any(|watch| watch.source == "configuration" && watch.target == name);
    Err(if configured {
        Problem::new(
            Code::ConfiguredWatch,
            format!("{name:?} is named in the configuration: remove it there"),
        )
    } else {
        Problem::new(Code::UnknownWatch, format!("{name:?} is not watched by a request"))
    })
}
