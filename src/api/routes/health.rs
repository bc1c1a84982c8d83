//! Does adsum run? Is it ready?

use actix_web::web::{Data, Json};

use crate::actors::handle::Adsum;
use crate::api::bodies::health::HealthBody;
use crate::api::problem::{Code, Problem};

/// That adsum runs.
#[utoipa::path(
    get, path = "/healthz", operation_id = "getHealth", tag = "operation", security(()),
    responses((status = 200, description = "It runs.", body = HealthBody))
)]
pub(crate) async fn live() -> Json<HealthBody> {
    Json(HealthBody::OK)
}

/// That adsum is ready: it has loaded its record and can write it. An outage of `PubNub` does not make it unready.
#[utoipa::path(
    get, path = "/readyz", operation_id = "getReadiness", tag = "operation",
    responses((status = 200, description = "It is ready.", body = HealthBody))
)]
pub(crate) async fn ready(adsum: Data<Adsum>) -> Result<Json<HealthBody>, Problem> {
    match adsum.readiness() {
        Ok(()) => Ok(Json(HealthBody::OK)),
        Err(why) => Err(Problem::new(Code::NotReady, why)),
    }
}
