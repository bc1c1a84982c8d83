//! Alerts: how they stand, and what became of them.

use serde::Serialize;
use utoipa::ToSchema;

use super::gap::Reason;
use super::span::{Instant, WindowBody};
use super::words;
use crate::actors::handle::{AlertNow, AlertPhase};
use crate::domain::alert::{self, Change, Condition};
use crate::history::alerts::AlertChange;

words! {
    /// How grave a rule is.
    Severity from alert::Severity {
        /// Worth knowing.
        Info,
        /// To be looked at.
        Warning,
        /// To be acted on at once.
        Critical,
    }
}

words! {
    /// How an alert stands.
    AlertState from AlertPhase {
        /// Its condition holds, not yet long enough.
        Pending,
        /// Its condition has held long enough.
        Firing,
    }
}

words! {
    /// Why an alert ended.
    AlertEnd from alert::Why {
        /// An observation says that it is over.
        Cleared,
        /// A cut list did not show whether the condition still held.
        Unproven,
        /// The channel is not observed.
        Gap,
        /// The channel is no longer watched.
        Unwatched,
        /// The rule was edited.
        RuleChanged,
        /// The rule was removed, or no longer names the channel.
        RuleRemoved,
    }
}

/// What changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AlertChangeKind)]
pub enum ChangeKind {
    /// The condition began to hold; the alert fires once it has held long enough.
    Pending,
    /// It did not hold that long. Nobody is told.
    Inactive,
    /// It has held long enough.
    Firing,
    /// It is firing still, and it is time to say so again.
    Repeated,
    /// It fires no more.
    Resolved,
}

/// What a rule looks for. What does not belong to its kind is left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Condition)]
pub struct ConditionBody {
    /// `occupancy_above`, `occupancy_below`, `user_present`, `user_absent` or `unobserved`.
    pub kind: &'static str,
    /// It holds with more, or fewer, than so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<u32>,
    /// It is clear with fewer than so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clear_below: Option<u32>,
    /// It is clear with more than so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clear_above: Option<u32>,
    /// Whom it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl From<&Condition> for ConditionBody {
    fn from(condition: &Condition) -> Self {
        let (bound, clear_below, clear_above) = match condition {
            Condition::OccupancyAbove { bound, clear_below } => (Some(*bound), Some(*clear_below), None),
            Condition::OccupancyBelow { bound, clear_above } => (Some(*bound), None, Some(*clear_above)),
            Condition::UserPresent { .. } | Condition::UserAbsent { .. } | Condition::Unobserved => {
                (None, None, None)
            }
        };
        let user = condition.user().map(|user| user.as_str().to_owned());
        Self { kind: condition.kind(), bound, clear_below, clear_above, user }
    }
}

/// An alert that is pending or fires.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Alert)]
pub struct AlertBody {
    /// Its rule.
    pub rule: String,
    /// Where.
    pub channel: String,
    /// How grave its rule is.
    pub severity: Severity,
    /// How it stands.
    pub state: AlertState,
    /// The same from pending to resolved.
    pub alert_id: String,
    /// When the condition began to hold, or the gap began that the alert stands for.
    pub since: WindowBody,
    /// Since when it fires; null while it is pending.
    #[schema(required = true)]
    pub fired: Option<Instant>,
    /// When it is told again; null while it is pending, and where its rule does not repeat it.
    #[schema(required = true)]
    pub next_repeat: Option<Instant>,
    /// How many are there, as of the last good observation; null while it is pending, and where its rule is not about that.
    #[schema(required = true)]
    pub occupancy: Option<u32>,
    /// Why its channel is not observed; null while it is.
    #[schema(required = true)]
    pub gap: Option<Reason>,
    /// The silence because of which nobody was told yet that it fires; null if there is none.
    #[schema(required = true)]
    pub muted: Option<i64>,
    /// What its rule looks for.
    pub condition: ConditionBody,
}

impl AlertBody {
    /// `None` for an alert that is inactive.
    pub(crate) fn of(alert: &AlertNow) -> Option<Self> {
        let standing = &alert.standing;
        let state = AlertPhase::of(&standing.state)?.into();
        let (id, since, fired, occupancy, gap) = match standing.state {
            alert::AlertState::Inactive => return None,
            alert::AlertState::Pending(pending) => {
                let gap = match pending.ground {
                    alert::Ground::Observed { .. } => None,
                    alert::Ground::Gap { reason, .. } => Some(reason),
                };
                (pending.id, pending.since, None, None, gap)
            }
            alert::AlertState::Firing(firing) => {
                (firing.id, firing.since, Some(firing.fired), firing.occupancy, firing.gap)
            }
        };
        Some(Self {
            rule: standing.rule.to_string(),
            channel: alert.channel.as_str().to_owned(),
            severity: standing.severity.into(),
            state,
            alert_id: id.to_string(),
            since: since.into(),
            fired: fired.map(Into::into),
            next_repeat: alert.next_repeat.map(Into::into),
            occupancy,
            gap: gap.map(Into::into),
            muted: standing.muted,
            condition: (&alert.condition).into(),
        })
    }
}

/// One change of an alert, as it was recorded.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AlertChange)]
pub struct AlertChangeBody {
    /// Strictly increasing, never used again.
    pub id: i64,
    /// The alert, the same from pending to resolved.
    pub alert_id: String,
    /// Its rule.
    pub rule: String,
    /// Where.
    pub channel: String,
    /// How grave its rule was.
    pub severity: Severity,
    /// What changed.
    pub change: ChangeKind,
    /// When adsum knew.
    pub at: Instant,
    /// When the condition began to hold, or the gap began that the alert stands for.
    pub since: WindowBody,
    /// Why it ended; null if it did not.
    #[schema(required = true)]
    pub why: Option<AlertEnd>,
    /// When the condition ceased to hold; null where nothing shows that it did.
    #[schema(required = true)]
    pub ended: Option<WindowBody>,
    /// How many were there, as of the last good observation; null where the rule is not about that.
    #[schema(required = true)]
    pub occupancy: Option<u32>,
    /// Why the channel was not observed; null if it was.
    #[schema(required = true)]
    pub gap: Option<Reason>,
    /// The silence that muted it; null if none did.
    #[schema(required = true)]
    pub muted: Option<i64>,
    /// What the rule looked for.
    pub condition: ConditionBody,
}

impl From<AlertChange> for AlertChangeBody {
    fn from(AlertChange { id, rule, severity, channel, transition, muted }: AlertChange) -> Self {
        let (change, end) = match transition.change {
            Change::Pending => (ChangeKind::Pending, None),
            Change::Inactive(end) => (ChangeKind::Inactive, Some(end)),
            Change::Firing => (ChangeKind::Firing, None),
            Change::Repeated => (ChangeKind::Repeated, None),
            Change::Resolved(end) => (ChangeKind::Resolved, Some(end)),
        };
        Self {
            id,
            alert_id: transition.alert.to_string(),
            rule: rule.to_string(),
            channel: channel.as_str().to_owned(),
            severity: severity.into(),
            change,
            at: transition.at.into(),
            since: transition.since.into(),
            why: end.map(|end| end.why.into()),
            ended: end.and_then(|end| end.ended).map(Into::into),
            occupancy: transition.occupancy,
            gap: transition.gap.map(Into::into),
            muted,
            condition: (&transition.condition).into(),
        }
    }
}
