//! Visits.

use serde::Serialize;
use utoipa::ToSchema;

use super::gap::GapBody;
use super::span::{LengthBody, WindowBody};
use crate::actors::handle::VisitItem;
use crate::domain::visit::Visit;

/// A user's stay in a channel, in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Stay)]
pub struct StayBody {
    /// Where.
    pub channel: String,
    /// Whose.
    pub user: String,
    /// When it began; `not_before` is null where nothing proves an earlier absence.
    pub joined: WindowBody,
    /// When it ended; null while it lasts.
    #[schema(required = true)]
    pub left: Option<WindowBody>,
}

impl From<&Visit> for StayBody {
    fn from(visit: &Visit) -> Self {
        Self {
            channel: visit.channel.as_str().to_owned(),
            user: visit.user.as_str().to_owned(),
            joined: visit.joined.into(),
            left: visit.left.map(Into::into),
        }
    }
}

/// A user's stay in a channel.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Visit)]
pub struct VisitBody {
    /// Who, where, from when to when.
    #[serde(flatten)]
    pub stay: StayBody,
    /// How long it was, up to now while it lasts.
    pub duration_s: LengthBody,
    /// The channel's gaps inside it.
    pub gaps: Vec<GapBody>,
}

impl From<VisitItem> for VisitBody {
    fn from(item: VisitItem) -> Self {
        Self {
            stay: (&item.visit).into(),
            duration_s: item.length.into(),
            gaps: item.gaps.into_iter().map(Into::into).collect(),
        }
    }
}
