//! Alert rules for tests, and an alerting of them.

use std::sync::Arc;
use std::time::Duration;

use adsum::actors::alerting::Alerting;
use adsum::domain::alert::{Condition, NotifierName, OnGap, Rule, RuleName, Severity};
use adsum::domain::watch::Target;

/// A rule for every channel, which tells `ops`.
pub(crate) fn rule(condition: Condition) -> Rule {
    Rule {
        name: RuleName::new("rule").unwrap(),
        channels: vec![Target::new("*").unwrap()],
        condition,
        hold_for: Duration::ZERO,
        keep_firing_for: Duration::ZERO,
        on_gap: OnGap::Keep,
        severity: Severity::Warning,
        notify: vec![NotifierName::new("ops").unwrap()],
        repeat_every: None,
        send_resolved: true,
    }
}

/// Nobody is there to be told.
pub(crate) fn alerting(rules: impl IntoIterator<Item = Rule>) -> Alerting {
    Alerting { rules: rules.into_iter().map(Arc::new).collect(), ..Alerting::default() }
}
