//! What it is for a backtest to agree with live evaluation.

use std::time::Duration;

use adsum::domain::alert::backtest::{Count, Downtime, Heard, Lasting, Outcome, PROMPT, Question, Spell};
use adsum::domain::alert::{Change, OnGap, Rule, Transition};
use adsum::domain::names::ChannelName;
use adsum::domain::time::{Time, Window};
use adsum::history::backtest::{downtime, of_channel};
use adsum::history::sqlite::ReadOnly;

use crate::live::{BEGINNING, GAP_AFTER};

/// What a backtest of the whole record gives.
pub(crate) struct Backtest {
    pub(crate) heard: Vec<Heard>,
    pub(crate) outcome: Outcome,
    pub(crate) until: Time,
    /// Whether the record shows all windows as live evaluation had them.
    pub(crate) exact: bool,
}

pub(crate) fn backtest(file: &mut ReadOnly, rule: &Rule, channel: &ChannelName, until: Time) -> Backtest {
    let from = BEGINNING.minus(Duration::from_secs(600));
    let downtime = downtime(&file.view().unwrap(), from, until).unwrap();
    with_downtime(file, rule, channel, until, &downtime)
}

pub(crate) fn with_downtime(
    file: &mut ReadOnly,
    rule: &Rule,
    channel: &ChannelName,
    until: Time,
    downtime: &Downtime,
) -> Backtest {
    let question = Question { rule, from: BEGINNING, to: until, opens_after: GAP_AFTER, downtime };
    let view = file.view().unwrap();
    let mut heard = Vec::new();
    let outcome = of_channel(&view, &question, channel, &mut |one| heard.push(one.clone())).unwrap().unwrap();
    let exact = rule.condition.user().is_none() || rule.on_gap != OnGap::Fire;
    Backtest { heard, outcome, until, exact }
}

impl Backtest {
    /// Whether the record leaves nothing open.
    pub(crate) fn is_certain(&self) -> bool {
        self.heard.iter().all(|heard| heard.certain) && self.outcome.spells.iter().all(|spell| spell.certain)
    }

    /// Holds it against what live evaluation did.
    pub(crate) fn agrees(&self, live: &[Transition]) -> Result<(), String> {
        // What comes after the last that is recorded of the channel is in no record.
        let known = self.outcome.known_until;
        let live: Vec<Transition> = live.iter().filter(|one| Some(one.at) <= known).cloned().collect();
        let live = live.as_slice();
        if self.is_certain() {
            self.is_the_same(live)?;
        }
        // The list of firings may be cut.
        if self.outcome.more == 0 {
            self.spells_hold(live)?;
        }
        self.figures_hold(live)
    }

    /// The same transitions in the same order, each within its time.
    fn is_the_same(&self, live: &[Transition]) -> Result<(), String> {
        let live: Vec<&Transition> = live.iter().filter(|one| one.change != Change::Repeated).collect();
        if live.len() != self.heard.len() {
            return Err(format!("{} transitions, {} live", self.heard.len(), live.len()));
        }
        for (heard, live) in self.heard.iter().zip(live) {
            let at = &heard.transition.at;
            // Since when a partial gap counts may be known as a span only.
            if !is_same(&heard.transition, live, self.exact) {
                return Err(format!("{:?}\nlive: {live:?}", heard.transition));
            }
            if live.at < *at || live.at > heard.at_most_later {
                return Err(format!("{at:?} to {:?}, live {live:?}", heard.at_most_later));
            }
        }
        Ok(())
    }

    /// Each live firing is in a spell, and in each certain spell there is one.
    fn spells_hold(&self, live: &[Transition]) -> Result<(), String> {
        let firings = firings(live);
        let last = self.until.minus(PROMPT);
        for (from, to) in &firings {
            let holds = |spell: &&Spell| {
                let ends = spell.ended.as_ref().map(|ended| ended.at.not_after);
                spell.fired.not_before <= Some(*from)
                    && ends.is_none_or(|ends| *from <= ends && to.is_some_and(|to| to <= ends))
            };
            if *from <= last && !self.outcome.spells.iter().any(|spell| holds(&spell)) {
                return Err(format!("no spell for {from:?} to {to:?}"));
            }
        }
        for spell in self.outcome.spells.iter().filter(|spell| spell.certain) {
            let starts = |from: Time| spell.fired.not_before <= Some(from) && from <= spell.fired.not_after;
            let first = firings.iter().find(|(from, _)| starts(*from));
            let Some((_, to)) = first else { return Err(format!("nothing fired for {spell:?}")) };
            let sole = spell.doubts.is_empty();
            let within = match (&spell.ended, to) {
                (Some(ended), Some(to)) => ended.at.not_before <= Some(*to) && *to <= ended.at.not_after,
                (None, None) => true,
                _ => false,
            };
            if sole && !within {
                return Err(format!("it ended at {to:?}: {spell:?}"));
            }
        }
        Ok(())
    }

    fn figures_hold(&self, live: &[Transition]) -> Result<(), String> {
        let times =
            |change: fn(&Change) -> bool| live.iter().filter(|one| change(&one.change)).count() as u64;
        let outcome = &self.outcome;
        let late = |count: Count| Count { min: count.min, max: count.max.map(|max| max + 1) };
        for (what, count, live) in [
            ("pending", outcome.pending, times(|change| *change == Change::Pending)),
            ("fired", late(outcome.fired), times(|change| *change == Change::Firing)),
            ("resolved", outcome.resolved, times(|change| matches!(change, Change::Resolved(_)))),
            ("repeated", late(outcome.repeated), times(|change| *change == Change::Repeated)),
        ] {
            if live < count.min || count.max.is_some_and(|max| live > max) {
                return Err(format!("{what}: {count:?}, live {live}"));
            }
        }
        let ends = |to: &Option<Time>| to.unwrap_or(outcome.known_until.unwrap_or(self.until));
        let lengths = firings(live).into_iter().map(|(from, to)| ends(&to).since(from));
        let live: Duration = lengths.sum();
        let Lasting { min, max } = outcome.firing;
        if live < min || live > max {
            return Err(format!("firing for {min:?} to {max:?}, live {live:?}"));
        }
        Ok(())
    }
}

/// The same change; its windows the same, or those of the backtest wider.
fn is_same(heard: &Transition, live: &Transition, exact: bool) -> bool {
    let same = |heard: Window, live: Window| {
        let from = heard.not_before.is_none_or(|from| live.not_before.is_some_and(|live| from <= live));
        heard == live || !exact && from && heard.not_after >= live.not_after
    };
    let end = |change: Change| match change {
        Change::Inactive(end) | Change::Resolved(end) => Some((end.why, end.ended)),
        _ => None,
    };
    let ends = match (end(heard.change), end(live.change)) {
        (Some((why, Some(ended))), Some((live_why, Some(live)))) => why == live_why && same(ended, live),
        (heard, live) => heard == live,
    };
    heard.change.as_str() == live.change.as_str()
        && ends
        && same(heard.since, live.since)
        && heard.gap.is_some() == live.gap.is_some()
}

/// From when to when it fired.
fn firings(live: &[Transition]) -> Vec<(Time, Option<Time>)> {
    let mut firings: Vec<(Time, Option<Time>)> = Vec::new();
    for one in live {
        match (one.change, firings.last_mut()) {
            (Change::Firing, _) => firings.push((one.at, None)),
            (Change::Resolved(_), Some(last)) => last.1 = Some(one.at),
            _ => {}
        }
    }
    firings
}
