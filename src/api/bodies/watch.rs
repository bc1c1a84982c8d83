//! What is watched.

use serde::Serialize;
use utoipa::ToSchema;

use crate::actors::handle::WatchItem;

/// Something that is watched, and why.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Watch)]
pub struct WatchBody {
    /// The channel, pattern or group, as written.
    pub target: String,
    /// `channel`, `pattern` or `group`.
    pub kind: &'static str,
    /// `configuration` or `api`.
    pub source: &'static str,
}

impl From<WatchItem> for WatchBody {
    fn from(item: WatchItem) -> Self {
        Self { target: item.target, kind: item.kind, source: item.source }
    }
}
