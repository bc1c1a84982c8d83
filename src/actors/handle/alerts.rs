//! How alerts stand, and what became of them.

use std::collections::BTreeMap;

use super::{Adsum, AskError, MAX_LOOKED_AT, Page};
use crate::actors::alerting::Edition;
use crate::domain::alert::{AlertState, Condition, Rule, RuleName, Severity};
use crate::domain::names::ChannelName;
use crate::domain::time::Time;
use crate::history::alerts::{AlertChange, AlertQuery, ChangeQuery, Standing, StandingAlert};
use crate::history::{History, HistoryError};

/// Where a list of alerts goes on.
pub type AlertCursor = (RuleName, ChannelName);

/// How many alerts there are.
pub type AlertCounts = BTreeMap<(AlertPhase, Severity), u64>;

/// Alerts are counted in pages of so many.
const COUNTED: usize = 1000;

/// An alert that is not inactive.
#[derive(Clone, Debug)]
pub struct AlertNow {
    /// Where.
    pub channel: ChannelName,
    /// How it stands.
    pub standing: Standing,
    /// What its rule looks for.
    pub condition: Condition,
    /// When it is told again while it fires, if the configuration's rule of this name says so.
    pub next_repeat: Option<Time>,
}

/// How an alert that is not inactive stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AlertPhase {
    /// Its condition holds, not yet long enough.
    Pending,
    /// It has held long enough.
    Firing,
}

impl AlertPhase {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Pending, Self::Firing];

    /// Of a state; `None` if that is inactive.
    pub fn of(state: &AlertState) -> Option<Self> {
        match state {
            AlertState::Inactive => None,
            AlertState::Pending(_) => Some(Self::Pending),
            AlertState::Firing(_) => Some(Self::Firing),
        }
    }

    /// As written in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

impl Adsum {
    /// The alerts that are not inactive, in order of `(rule, channel)`. More than [`MAX_LOOKED_AT`] are not looked at for
    /// one page: it may then hold fewer than were asked for, or none, and the list go on.
    ///
    /// # Errors
    /// [`AskError::UnknownRule`], [`AskError::UnknownChannel`], [`AskError::History`].
    pub async fn alerts(
        &self,
        query: AlertQuery,
        phase: Option<AlertPhase>,
    ) -> Result<Page<AlertNow, AlertCursor>, AskError> {
        let edition = self.editions.current();
        self.ask(move |history| {
            let page = standing(history, &query, phase, &edition)?;
            if page.items.is_empty() {
                known(history, &edition, query.rule.as_ref(), query.channel.as_ref())?;
            }
            Ok(page)
        })
        .await
    }

    /// What became of alerts, in the order in which it was recorded.
    ///
    /// # Errors
    /// [`AskError::UnknownRule`], [`AskError::UnknownChannel`], [`AskError::History`].
    pub async fn alert_history(&self, query: ChangeQuery) -> Result<Page<AlertChange, i64>, AskError> {
        let edition = self.editions.current();
        self.ask(move |history| {
            let limit = query.limit;
            let changes =
                history.alert_changes(&ChangeQuery { limit: limit.saturating_add(1), ..query.clone() })?;
            if changes.is_empty() {
                known(history, &edition, query.rule.as_ref(), query.channel.as_ref())?;
            }
            Ok(Page::of(changes, limit, |change| change.id))
        })
        .await
    }

    /// How many alerts there are that are not inactive, by phase and severity. Without zeros.
    ///
    /// # Errors
    /// [`AskError::History`].
    pub async fn alert_counts(&self) -> Result<AlertCounts, AskError> {
        self.ask(|history| {
            let mut counts = AlertCounts::default();
            let mut after = None;
            loop {
                let query = AlertQuery { after: after.clone(), limit: COUNTED, ..AlertQuery::default() };
                let alerts = history.alerts(&query)?;
                for alert in &alerts {
                    if let Some(phase) = AlertPhase::of(&alert.standing.state) {
                        *counts.entry((phase, alert.standing.severity)).or_default() += 1;
                    }
                }
                match alerts.last() {
                    Some(last) if alerts.len() == COUNTED => after = Some(cursor(last)),
                    _ => return Ok(counts),
                }
            }
        })
        .await
    }
}

fn cursor(alert: &StandingAlert) -> AlertCursor {
    (alert.standing.rule.clone(), alert.channel.clone())
}

/// One page of those in a phase.
fn standing(
    history: &dyn History,
    query: &AlertQuery,
    phase: Option<AlertPhase>,
    edition: &Edition,
) -> Result<Page<AlertNow, AlertCursor>, AskError> {
    let (mut items, mut passed, mut looked_at) = (Vec::new(), query.after.clone(), 0);
    let wanted = query.limit.saturating_add(1);
    loop {
        let alerts = history.alerts(&AlertQuery { after: passed.clone(), limit: wanted, ..query.clone() })?;
        let more = alerts.len() == wanted;
        looked_at += alerts.len();
        for alert in alerts {
            let here = cursor(&alert);
            if phase.is_none_or(|phase| AlertPhase::of(&alert.standing.state) == Some(phase)) {
                if items.len() == query.limit {
                    return Ok(Page { items, next: passed, coverage: None });
                }
                items.push(now(alert, edition)?);
            }
            passed = Some(here);
        }
        if !more || looked_at >= MAX_LOOKED_AT {
            return Ok(Page { items, next: passed.filter(|_| more), coverage: None });
        }
    }
}

/// An alert with what its rule looks for, and when it is told again.
fn now(alert: StandingAlert, edition: &Edition) -> Result<AlertNow, AskError> {
    let StandingAlert { channel, standing } = alert;
    let judged_by = Rule::from_terms(standing.rule.clone(), standing.severity, &standing.terms)
        .map_err(|error| HistoryError::Damaged(format!("terms of rule {}: {error}", standing.rule)))?;
    let rule = edition.alerting.rules.iter().find(|rule| rule.name == standing.rule);
    let next_repeat = rule.and_then(|rule| next_repeat(&standing.state, rule));
    Ok(AlertNow { channel, standing, condition: judged_by.condition, next_repeat })
}

fn next_repeat(state: &AlertState, rule: &Rule) -> Option<Time> {
    state.due(rule).clock.filter(|_| matches!(state, AlertState::Firing(_)))
}

fn rule_names(edition: &Edition) -> Vec<RuleName> {
    edition.alerting.rules.iter().map(|rule| rule.name.clone()).collect()
}

/// That a rule is in the configuration.
pub(super) fn configured(edition: &Edition, rule: &RuleName) -> Result<(), AskError> {
    let known = rule_names(edition);
    if known.contains(rule) { Ok(()) } else { Err(AskError::UnknownRule { rule: rule.clone(), known }) }
}

/// That what a question names is known at all, so that a name with a wrong letter is not answered with "nothing".
fn known(
    history: &dyn History,
    edition: &Edition,
    rule: Option<&RuleName>,
    channel: Option<&ChannelName>,
) -> Result<(), AskError> {
    if let Some(rule) = rule {
        let query = ChangeQuery { rule: Some(rule.clone()), limit: 1, ..ChangeQuery::default() };
        if history.alert_changes(&query)?.is_empty() {
            configured(edition, rule)?;
        }
    }
    if let Some(channel) = channel
        && history.channel(channel)?.is_none()
    {
        return Err(AskError::UnknownChannel(channel.clone()));
    }
    Ok(())
}
