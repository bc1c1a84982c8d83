//! How often things happened in all seeds together: what never happens is not tested.

use std::collections::BTreeMap;
use std::fmt;

use adsum::domain::alert::Change;

use crate::lives::Past;

/// Counts of what happened, by name.
#[derive(Default)]
pub(crate) struct Tally(BTreeMap<String, usize>);

/// Each of these must have happened.
const EXPECTED: [&str; 43] = [
    "act Crash",
    "act CrashAtCommit",
    "act HistoryFails",
    "act ReadAgain",
    "act CommitPanics",
    "act SetClock",
    "act Sleep",
    "act Stop",
    "act Unwatch",
    "alert firing",
    "alert inactive cleared",
    "alert inactive gap",
    "alert inactive unproven",
    "alert inactive unwatched",
    "alert pending",
    "alert repeated",
    "alert resolved cleared",
    "alert resolved gap",
    "alert resolved unwatched",
    "answer no",
    "answer unknown Gap",
    "answer unknown NotWatched",
    "answer unknown Partial",
    "answer unknown Window",
    "answer yes",
    "event join",
    "event leave",
    "event present",
    "event state",
    "gap bad_answer",
    "gap clock",
    "gap count_only",
    "gap crashed",
    "gap forbidden",
    "gap history_unavailable",
    "gap server_error",
    "gap stopped",
    "gap throttled",
    "gap timeout",
    "gap truncated",
    "gap unreachable",
    "gap unwatched",
    "request later page",
];

impl Tally {
    pub(crate) fn add(&mut self, past: &Past) {
        for (_, act) in &past.world.plan.acts {
            let name = format!("{act:?}");
            self.count(format!("act {}", name.split(['(', ' ']).next().unwrap()));
        }
        for event in &past.record.events {
            self.count(format!("event {}", event.kind.as_str()));
        }
        for (_, gap) in &past.record.gaps {
            self.count(format!("gap {}", gap.reason.as_str()));
        }
        for asked in &past.record.asked {
            let answer = &asked.answer.answer;
            let code = answer.code.map_or(String::new(), |code| format!(" {code:?}"));
            self.count(format!("answer {}{code}", format!("{:?}", answer.present).to_lowercase()));
        }
        for change in &past.record.changes {
            let change = change.transition.change;
            let why = match change {
                Change::Inactive(end) | Change::Resolved(end) => format!(" {}", end.why.as_str()),
                Change::Pending | Change::Firing | Change::Repeated => String::new(),
            };
            self.count(format!("alert {}{why}", change.as_str()));
        }
        for exchange in &past.log {
            let outcome = exchange.result.as_ref().map_or_else(|reason| reason.as_str(), |_| "answered");
            self.count(format!("request {outcome}"));
            if exchange.request.is_later_page() {
                self.count("request later page".to_owned());
            }
        }
    }

    fn count(&mut self, what: String) {
        *self.0.entry(what).or_default() += 1;
    }

    /// What should have happened and never did.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        EXPECTED.into_iter().filter(|what| !self.0.contains_key(*what)).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(|(what, count)| format!("{what} {count}")).collect();
        f.write_str(&all.join(", "))
    }
}
