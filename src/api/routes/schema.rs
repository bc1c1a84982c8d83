//! What is there to ask?

use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use actix_web::web::Bytes;
use utoipa::OpenApi;

use crate::api::openapi::Description;

/// This description: OpenAPI 3.1.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getDescription", tag = "operation",
    responses((status = 200, description = "The description.", body = serde_json::Value))
)]
pub(crate) async fn openapi() -> HttpResponse {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        // A tree of texts and numbers: this cannot fail.
        Bytes::from(Description::openapi().to_json().unwrap_or_default())
    });
    HttpResponse::Ok().content_type(ContentType::json()).body(text.clone())
}
