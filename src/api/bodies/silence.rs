//! Silences.

use serde::Serialize;
use utoipa::ToSchema;

use super::alert::Severity;
use super::span::Instant;
use crate::domain::time::Time;
use crate::history::alerts::KeptSilence;

/// How a silence stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SilenceStatus {
    /// It has not begun.
    Pending,
    /// It mutes.
    Active,
    /// It is over.
    Expired,
}

/// For a time nobody is told of the alerts that match all that is given. They go on as ever, and what was muted is recorded.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Silence)]
pub struct SilenceBody {
    /// Its number, never used again.
    pub id: i64,
    /// How it stands.
    pub status: SilenceStatus,
    /// Of this rule; null: of any.
    #[schema(required = true)]
    pub rule: Option<String>,
    /// Of this channel, or of those like this pattern; null: of any.
    #[schema(required = true)]
    pub channel: Option<String>,
    /// Of this severity; null: of any.
    #[schema(required = true)]
    pub severity: Option<Severity>,
    /// Since when it mutes.
    pub from: Instant,
    /// Until when; then no longer.
    pub until: Instant,
    /// Who wants it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When it was made.
    pub created: Instant,
}

impl SilenceBody {
    pub(crate) fn of(kept: &KeptSilence, now: Time) -> Self {
        let KeptSilence { id, created, silence } = kept;
        let matcher = silence.matcher();
        let status = match (silence.from() <= now, now < silence.until()) {
            (_, false) => SilenceStatus::Expired,
            (false, true) => SilenceStatus::Pending,
            (true, true) => SilenceStatus::Active,
        };
        Self {
            id: *id,
            status,
            rule: matcher.rule.as_ref().map(ToString::to_string),
            channel: matcher.channel.as_ref().map(|target| target.as_str().to_owned()),
            severity: matcher.severity.map(Into::into),
            from: silence.from().into(),
            until: silence.until().into(),
            author: silence.author().to_owned(),
            reason: silence.reason().to_owned(),
            created: (*created).into(),
        }
    }
}
