//! When an alert fires and is resolved, by the words of the specification.

use std::time::Duration;

use adsum::domain::alert::{Condition, Input, Listing, OnGap, Rule, Sighting};
use adsum::domain::gap::GapReason;
use adsum::domain::time::{Moment, Time, Window};

use crate::script::Entry;

/// An alert fires or is resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    Fires { at: Time, since: Window },
    Resolved { at: Time },
}

#[derive(Clone, Copy)]
enum Log {
    /// A good observation that says something to the rule, or, cut, does not.
    Seen {
        moment: Moment,
        holds: bool,
        clear: bool,
        untold: bool,
    },
    /// Nothing is seen, since `from`; `up`: while adsum was up.
    Blind {
        from: Time,
        until: Time,
        at: Time,
        up: bool,
    },
    Down {
        from: Time,
        to: Time,
    },
    /// The clock was looked at until then.
    Clock {
        until: Time,
        from: Time,
    },
}

pub(crate) fn expected(rule: &Rule, script: &[Entry]) -> Vec<Told> {
    let log = log(rule, script);
    let mut told = Vec::new();
    let mut fired = None;
    for now in 0..log.len() {
        let next = match fired {
            None => fires(rule, &log[..=now]),
            Some(fired) => resolved(rule, &log[fired..=now]),
        };
        if let Some(next) = next {
            fired = matches!(next, Told::Fires { .. }).then_some(now);
            told.push(next);
        }
    }
    told
}

fn log(rule: &Rule, script: &[Entry]) -> Vec<Log> {
    let mut log = Vec::new();
    let mut before = Time::default();
    for entry in script {
        log.push(Log::Clock { until: entry.clock_until(), from: before });
        log.extend(entry.inputs.iter().map(|input| logged(rule, input)));
        before = entry.at;
    }
    log
}

fn logged(rule: &Rule, input: &Input) -> Log {
    match *input {
        Input::Observed { seen, partial, .. } => {
            let untold = rule.condition.user().is_some() && seen.user == Listing::Unknown;
            let moment = seen.moment;
            match partial.filter(|_| untold) {
                Some(_) => {
                    Log::Blind { from: moment.latest, until: moment.latest, at: moment.latest, up: true }
                }
                None => Log::Seen { moment, holds: holds(rule, seen), clear: clear(rule, seen), untold },
            }
        }
        Input::Gap { gap, at } => {
            let up = !matches!(gap.reason, GapReason::Stopped | GapReason::Crashed);
            Log::Blind { from: gap.from, until: gap.to.unwrap_or(at), at, up }
        }
        Input::Resumed { down_since, at } => Log::Down { from: down_since, to: at },
        Input::New { .. } | Input::Time(_) | Input::Unmuted(_) | Input::Ended { .. } => {
            panic!("not in a script")
        }
    }
}

fn holds(rule: &Rule, seen: Sighting) -> bool {
    match rule.condition {
        Condition::OccupancyAbove { bound, .. } => seen.occupancy > bound,
        Condition::OccupancyBelow { bound, .. } => seen.occupancy < bound,
        Condition::UserPresent { .. } => seen.user == Listing::Listed,
        Condition::UserAbsent { .. } => seen.user == Listing::NotListed,
        Condition::Unobserved => false,
    }
}

fn clear(rule: &Rule, seen: Sighting) -> bool {
    match rule.condition {
        Condition::OccupancyAbove { clear_below, .. } => seen.occupancy < clear_below,
        Condition::OccupancyBelow { clear_above, .. } => seen.occupancy > clear_above,
        Condition::UserPresent { .. } => seen.user == Listing::NotListed,
        Condition::UserAbsent { .. } => seen.user == Listing::Listed,
        Condition::Unobserved => true,
    }
}

fn on_gap(rule: &Rule) -> OnGap {
    if rule.condition == Condition::Unobserved { OnGap::Fire } else { rule.on_gap }
}

/// Whether an alert that does not fire begins to at the last entry.
fn fires(rule: &Rule, log: &[Log]) -> Option<Told> {
    match *log.last()? {
        Log::Seen { moment, .. } => {
            let run = run(log, |holds, _| holds);
            let first = lasted(&run, moment, rule.hold_for)?;
            let before = log[..first.0].iter().rev().find_map(|entry| match *entry {
                Log::Seen { moment, holds, untold: false, .. } => Some((moment.earliest, holds)),
                _ => None,
            });
            let not_before = before.filter(|(_, holds)| !holds).map(|(earliest, _)| earliest);
            Some(Told::Fires { at: moment.latest, since: Window { not_before, not_after: first.1.latest } })
        }
        Log::Blind { until, at, up: true, .. } if on_gap(rule) == OnGap::Fire => {
            let (from, down) = blind(log)?;
            (until >= from.plus(down).plus(rule.hold_for)).then(|| gap_fires(at, from))
        }
        Log::Clock { until, from: before } if on_gap(rule) == OnGap::Fire => {
            let (from, down) = blind(log)?;
            let due = from.plus(down).plus(rule.hold_for);
            (due <= until).then(|| gap_fires(due.max(before), from))
        }
        _ => None,
    }
}

fn gap_fires(at: Time, from: Time) -> Told {
    Told::Fires { at, since: Window { not_before: Some(from), not_after: from } }
}

/// The observations at the end of the log, none missing in between, in which it is so; their places and moments.
fn run(log: &[Log], is: impl Fn(bool, bool) -> bool) -> Vec<(usize, Moment)> {
    let mut run = Vec::new();
    for (place, entry) in log.iter().enumerate().rev() {
        match *entry {
            Log::Seen { moment, holds, clear, .. } if is(holds, clear) => run.push((place, moment)),
            Log::Seen { .. } | Log::Blind { .. } => break,
            Log::Down { .. } | Log::Clock { .. } => {}
        }
    }
    run.reverse();
    run
}

/// The first of a run, if the last is certainly so much later than some other of it.
fn lasted(run: &[(usize, Moment)], last: Moment, span: Duration) -> Option<(usize, Moment)> {
    let long_enough = |first: &(usize, Moment)| span.is_zero() || last.earliest >= first.1.latest.plus(span);
    run.iter().any(long_enough).then(|| run[0])
}

/// Since when the channel is blind while adsum is up, and how long adsum was down since.
fn blind(log: &[Log]) -> Option<(Time, Duration)> {
    let since = log.iter().rposition(|entry| matches!(entry, Log::Seen { .. })).map_or(0, |seen| seen + 1);
    let from = log[since..].iter().find_map(|entry| match entry {
        Log::Blind { from, up: true, .. } => Some(*from),
        _ => None,
    })?;
    let down = log[since..].iter().map(|entry| match entry {
        Log::Down { from: down, to } => to.since((*down).max(from)),
        _ => Duration::ZERO,
    });
    Some((from, down.sum()))
}

/// Whether an alert that began to fire with the first entry is resolved with the last.
fn resolved(rule: &Rule, log: &[Log]) -> Option<Told> {
    match *log.last()? {
        Log::Seen { moment, .. } => {
            let run = run(log, |_, clear| clear);
            lasted(&run, moment, rule.keep_firing_for)?;
            Some(Told::Resolved { at: moment.latest })
        }
        Log::Blind { at, up: true, .. } if on_gap(rule) == OnGap::Resolve => Some(Told::Resolved { at }),
        _ => None,
    }
}
