//! How adsum is.

use serde::Serialize;
use utoipa::ToSchema;

/// adsum runs, or is ready.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub struct HealthBody {
    /// Always `ok`: whatever is not is a problem.
    #[schema(example = "ok")]
    pub status: &'static str,
}

impl HealthBody {
    pub(crate) const OK: Self = Self { status: "ok" };
}
