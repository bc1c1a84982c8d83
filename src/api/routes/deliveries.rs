//! Who was told what? Tell it again.

use actix_web::web::{Data, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use super::NoParams;
use crate::actors::handle::Adsum;
use crate::api::bodies::ListBody;
use crate::api::bodies::delivery::{DeliveryBody, DeliveryDetailBody};
use crate::api::body::NoBody;
use crate::api::cursor::{Cursor, DeliveryCursor};
use crate::api::params::{self, PathText, Query};
use crate::api::problem::Problem;
use crate::history::alerts::{DeliveryQuery, DeliveryStatus};

/// Which deliveries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveriesParams {
    /// Only to this notifier.
    notifier: Option<String>,
    /// Only those that are `pending`, `delivered` or `failed`.
    status: Option<String>,
    /// Only those that were written at this time or later: RFC 3339 or relative (`-2h`).
    from: Option<String>,
    /// Only those that were written before this.
    to: Option<String>,
    /// How many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// Goes on after the last answer: its `next`.
    after: Option<String>,
}

/// Deliveries, the oldest first.
#[utoipa::path(
    get, path = "/v1/deliveries", operation_id = "listDeliveries", tag = "alerts", params(DeliveriesParams),
    responses((status = 200, description = "The deliveries, in the order in which they began.", body = ListBody<DeliveryBody>))
)]
pub(crate) async fn list(
    adsum: Data<Adsum>,
    Query(asked): Query<DeliveriesParams>,
) -> Result<Json<ListBody<DeliveryBody>>, Problem> {
    let (from, to) = params::span(asked.from.as_ref(), asked.to.as_ref(), adsum.now())?;
    let status = params::word("status", asked.status.as_ref(), &DeliveryStatus::ALL, DeliveryStatus::as_str)?;
    let query = DeliveryQuery {
        notifier: params::optional_name(asked.notifier.as_ref())?,
        status,
        from,
        to,
        after: params::after(asked.after.as_ref())?.map_or(0, |DeliveryCursor { last }| last),
        limit: params::limit(asked.limit.as_ref())?,
    };
    let page = adsum.deliveries(query).await?;
    let items = page.items.into_iter().map(Into::into).collect();
    Ok(Json(ListBody { items, next: page.next.map(|last| DeliveryCursor { last }.encode()) }))
}

/// A delivery, with what it says and every try.
#[utoipa::path(
    get, path = "/v1/deliveries/{id}", operation_id = "getDelivery", tag = "alerts",
    params(("id" = String, Path, description = "The delivery's id.")),
    responses((status = 200, description = "The delivery.", body = DeliveryDetailBody))
)]
pub(crate) async fn one(
    adsum: Data<Adsum>,
    PathText(id): PathText,
    _: Query<NoParams>,
) -> Result<Json<DeliveryDetailBody>, Problem> {
    let (outgoing, tries) = adsum.delivery(id).await?;
    Ok(Json(DeliveryDetailBody::of(outgoing, tries)))
}

/// Sends a delivery again that failed, with its id; one that waits for its next try is tried at once, and one that was
/// delivered stays as it is. The request is JSON (`Content-Type: application/json`), its body empty or `{}`.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/retry", operation_id = "retryDelivery", tag = "alerts",
    params(("id" = String, Path, description = "The delivery's id.")),
    responses((status = 200, description = "The delivery as it stands now.", body = DeliveryBody))
)]
pub(crate) async fn retry(
    adsum: Data<Adsum>,
    PathText(id): PathText,
    _: Query<NoParams>,
    _: NoBody,
) -> Result<Json<DeliveryBody>, Problem> {
    Ok(Json(adsum.retry(id).await?.into()))
}
