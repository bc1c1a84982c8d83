//! Which alerts were due, by the words of the specification: from what was asked and answered, the gaps as they were
//! recorded, and when adsum was up. What an observation decides is due at the instant of its answer; what the clock decides,
//! as soon as adsum is up and its history can be written.
//!
//! Known exactly where every answer stands for itself and the clock was not set: of channels that are asked for by name
//! whose lists are never cut.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use adsum::domain::alert::{Change, Condition, End, OnGap, Rule, Why};
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::time::Time;
use adsum::history::alerts::AlertChange;

use super::alerts::by_alert;
use crate::lives::Past;
use crate::plan::{Act, Kind, SECOND};
use crate::service::Exchange;

/// What the clock decides is late by no more, once adsum is up and can write.
const SLACK: i64 = 3 * SECOND / 2;

/// A good observation.
#[derive(Clone, Copy, Debug)]
struct Seen {
    earliest: Time,
    latest: Time,
    occupancy: u32,
    /// Whether the rule's user is there; `None`: that is not known.
    user: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
enum Item {
    /// adsum is up again.
    Up {
        down_at_least: Duration,
        down_at_most: Duration,
    },
    Gap(Gap),
    /// A partial gap is recorded.
    Partial(Gap),
    Seen(Seen),
}

pub(super) fn what_is_due_is_what_is_recorded(past: &Past) -> Vec<String> {
    let plan = &past.world.plan;
    if plan.acts.iter().any(|(_, act)| matches!(act, Act::Sleep(_) | Act::SetClock(_))) {
        return Vec::new();
    }
    let recorded = by_alert(past);
    let mut broken = Vec::new();
    for (channel, kind) in &plan.channels {
        if *kind == Kind::Discovered || is_cut(past, channel) {
            continue;
        }
        let name = crate::lives::channel(channel);
        for rule in plan.rules.iter().filter(|rule| rule.names(&name)) {
            let changes = recorded.get(&(rule.name.as_str(), channel.as_str()));
            let left = changes.into_iter().flatten().copied().collect();
            let mut walk = Walk { past, rule, left, state: State::Inactive, partial: None, broken: None };
            walk.all(&items(past, channel, rule));
            let wrong = walk.broken;
            broken.extend(wrong.map(|why| format!("{} of {channel}: {why}\n      {rule:?}", rule.name)));
        }
    }
    broken
}

/// Whether some list of the channel was not whole.
fn is_cut(past: &Past, channel: &str) -> bool {
    past.log.iter().filter(|exchange| exchange.request.channels().iter().any(|name| name == channel)).any(
        |exchange| {
            let told = exchange.result.iter().flatten().find(|told| told.channel == channel);
            exchange.request.is_page()
                || (exchange.request.lists() && told.is_some_and(|told| !told.complete))
        },
    )
}

/// What a rule is judged by, in order.
fn items(past: &Past, channel: &str, rule: &Rule) -> Vec<(Time, Item)> {
    let mut items: Vec<(Time, u8, Item)> = Vec::new();
    for pair in past.lives.windows(2) {
        let (down, up) = (past.scale.shown(pair[0].to), past.scale.shown(pair[1].from));
        // What it cannot know after a crash is how long it was still up.
        let alive = pair[1].alive.unwrap_or_default();
        let item = Item::Up { down_at_least: up.since(down), down_at_most: up.since(alive.min(down)) };
        items.push((up, 0, item));
    }
    for noted in past.noted.iter().filter(|noted| noted.channel.as_str() == channel) {
        for gap in &noted.gaps {
            let item = if gap.users_only { Item::Partial(*gap) } else { Item::Gap(*gap) };
            items.push((noted.at, 1, item));
        }
    }
    items
        .extend(observations(past, channel, rule).into_iter().map(|seen| (seen.latest, 2, Item::Seen(seen))));
    items.sort_by_key(|(at, order, _)| (*at, *order));
    items.into_iter().map(|(at, _, item)| (at, item)).collect()
}

/// The answers about a channel that were taken: those in no gap.
fn observations(past: &Past, channel: &str, rule: &Rule) -> Vec<Seen> {
    let ttl = past.world.plan.cache_ttl;
    let mut seen: Vec<Seen> = Vec::new();
    let mut good: Vec<_> = past.good(channel).collect();
    good.sort_by_key(|(exchange, _)| exchange.received);
    // A gap begins with the last good answer before it; but where the watch began, or went on, there was none.
    let earliest = |exchange: &Exchange| Time::from_micros(past.scale.shown(exchange.sent).as_micros() - ttl);
    let beginnings: BTreeSet<Time> = good.iter().map(|(exchange, _)| earliest(exchange)).collect();
    for (exchange, told) in good {
        let latest = past.scale.shown(exchange.received);
        let earliest = earliest(exchange);
        let in_gap = past.record.gaps_of(channel).any(|gap| {
            let begins = gap.reason == GapReason::Crashed || beginnings.contains(&gap.from);
            let from = if begins { earliest } else { latest };
            !gap.users_only && gap.from < from && gap.to.is_none_or(|to| latest < to)
        });
        // Who is missing is asked for alone, unless nobody was there anyway.
        let vacant = seen.last().is_none_or(|last| last.occupancy == 0);
        let older = seen.last().is_some_and(|last| earliest < last.latest);
        if in_gap || older || (!told.named && !vacant) {
            continue;
        }
        let user = rule.condition.user().and_then(|user| {
            let here = past.world.truth.here(channel, told.view);
            told.complete.then(|| told.occupancy > 0 && here.iter().any(|here| here.user == user.as_str()))
        });
        seen.push(Seen { earliest, latest, occupancy: u32::try_from(told.occupancy).unwrap(), user });
    }
    seen
}

#[derive(Clone, Copy, Debug)]
enum State {
    Inactive,
    /// It holds since the observation that arrived then.
    Holding {
        first: Time,
    },
    /// Nothing is seen; it fires at these times, at the earliest and at the latest.
    Blind {
        from: Time,
        due: (Time, Time),
    },
    Firing {
        told: Time,
        clear: Option<Time>,
    },
}

struct Walk<'a> {
    past: &'a Past,
    rule: &'a Rule,
    left: VecDeque<&'a AlertChange>,
    state: State,
    partial: Option<Gap>,
    /// The first thing that is wrong.
    broken: Option<String>,
}

impl Walk<'_> {
    fn all(&mut self, items: &[(Time, Item)]) {
        for (at, item) in items {
            self.clock(*at);
            match *item {
                Item::Up { down_at_least, down_at_most } => {
                    if let State::Blind { from, due: (first, last) } = &mut self.state {
                        let up = *at;
                        *first = first.plus(down_at_least.min(up.since(*from)));
                        *last = last.plus(down_at_most.min(up.since(*from)));
                    }
                }
                Item::Gap(gap) => self.gap(gap, *at),
                Item::Partial(gap) => self.partial = Some(gap).filter(|gap| gap.to.is_none()),
                Item::Seen(seen) => self.seen(seen),
            }
            if self.broken.is_some() {
                return;
            }
        }
        let end = self.past.scale.shown(self.past.record.read_at);
        self.clock(end);
        if let (Some(next), None) = (self.left.front(), &self.broken) {
            self.broken = Some(format!("not due: {next:?} ({:?})", self.state));
        }
    }

    fn next(&self) -> Option<(Change, Time)> {
        self.left.front().map(|next| (next.transition.change, next.transition.at))
    }

    /// What the clock decides up to `now`.
    fn clock(&mut self, now: Time) {
        while self.broken.is_none() {
            let (is_next, due): (fn(Change) -> bool, _) = match (self.state, self.rule.repeat_every) {
                (State::Blind { due, .. }, _) => (|change| change == Change::Firing, due),
                (State::Firing { told, .. }, Some(every)) => {
                    (|change| change == Change::Repeated, (told.plus(every), told.plus(every)))
                }
                _ => return,
            };
            if let Some((_, at)) = self.next().filter(|(change, at)| is_next(*change) && *at <= now) {
                if at < due.0 {
                    self.broken = Some(format!("too early, not before {:?}: {:?}", due.0, self.left.front()));
                }
                self.left.pop_front();
                self.state = match self.state {
                    State::Firing { clear, .. } => State::Firing { told: at, clear },
                    _ => State::Firing { told: at, clear: None },
                };
            } else {
                let deadline = deadline(self.past, due.1);
                if deadline < now {
                    self.broken = Some(format!(
                        "due at {:?}, until {deadline:?}, with {:?}; next is {:?}",
                        due.1,
                        self.state,
                        self.left.front()
                    ));
                }
                return;
            }
        }
    }

    /// This must be what is recorded next.
    fn expect(&mut self, what: &str, at: Time, why: Option<Why>) {
        let next = self.left.pop_front();
        let fits = next.is_some_and(|next| {
            let said = match next.transition.change {
                Change::Inactive(End { why, .. }) | Change::Resolved(End { why, .. }) => Some(why),
                Change::Pending | Change::Firing | Change::Repeated => None,
            };
            next.transition.change.as_str() == what && next.transition.at == at && said == why
        });
        if !fits && self.broken.is_none() {
            self.broken =
                Some(format!("{what} at {at:?}, {why:?}, is due with {:?}; next is {next:?}", self.state));
        }
    }

    fn fire(&mut self, at: Time) {
        self.expect("firing", at, None);
        self.state = State::Firing { told: at, clear: None };
    }

    fn end(&mut self, at: Time, why: Why) {
        match self.state {
            State::Inactive => {}
            State::Holding { .. } | State::Blind { .. } => self.expect("inactive", at, Some(why)),
            State::Firing { .. } => self.expect("resolved", at, Some(why)),
        }
        self.state = State::Inactive;
    }

    fn gap(&mut self, gap: Gap, at: Time) {
        let down = matches!(gap.reason, GapReason::Stopped | GapReason::Crashed);
        let on_gap = match self.rule.condition {
            _ if down => OnGap::Keep,
            Condition::Unobserved => OnGap::Fire,
            _ => self.rule.on_gap,
        };
        if gap.reason == GapReason::Unwatched {
            return self.end(at, Why::Unwatched);
        }
        match &mut self.state {
            State::Holding { .. } => self.end(at, Why::Gap),
            State::Firing { clear, .. } => {
                *clear = None;
                if on_gap == OnGap::Resolve {
                    self.end(at, Why::Gap);
                }
            }
            State::Inactive | State::Blind { .. } => {}
        }
        if on_gap != OnGap::Fire {
            return;
        }
        let wait = self.rule.hold_for;
        if let State::Inactive = self.state {
            if !wait.is_zero() {
                self.expect("pending", at, None);
            }
            let due = gap.from.plus(wait);
            self.state = State::Blind { from: gap.from, due: (due, due) };
        }
        if let State::Blind { due, .. } = self.state {
            let until = gap.to.unwrap_or(at);
            let said = self.next().is_some_and(|next| next == (Change::Firing, at));
            if until >= due.1 || (until >= due.0 && said) {
                self.fire(at);
            }
        }
    }

    fn seen(&mut self, seen: Seen) {
        let at = seen.latest;
        let untold = self.rule.condition.user().is_some() && seen.user.is_none();
        if let Some(gap) = self.partial.filter(|_| untold) {
            return self.gap(Gap { from: at, to: None, ..gap }, at);
        }
        let (holds, clear) = verdict(&self.rule.condition, seen);
        match self.state {
            State::Holding { first } if holds => {
                if seen.earliest >= first.plus(self.rule.hold_for) {
                    self.fire(at);
                }
                return;
            }
            // The same alert waits for another reason.
            State::Blind { .. } if holds => {
                self.state = State::Holding { first: at };
                return;
            }
            State::Holding { .. } | State::Blind { .. } => {
                self.end(at, if untold { Why::Unproven } else { Why::Cleared });
            }
            State::Firing { told, clear: before } => {
                let since = clear.then(|| before.unwrap_or(at));
                self.state = State::Firing { told, clear: since };
                let keep = self.rule.keep_firing_for;
                if since.is_some_and(|since| keep.is_zero() || seen.earliest >= since.plus(keep)) {
                    self.end(at, Why::Cleared);
                }
                return;
            }
            State::Inactive => {}
        }
        if holds && self.rule.hold_for.is_zero() {
            self.fire(at);
        } else if holds {
            self.expect("pending", at, None);
            self.state = State::Holding { first: at };
        }
    }
}

fn verdict(condition: &Condition, seen: Seen) -> (bool, bool) {
    match condition {
        Condition::OccupancyAbove { bound, clear_below } => {
            (seen.occupancy > *bound, seen.occupancy < *clear_below)
        }
        Condition::OccupancyBelow { bound, clear_above } => {
            (seen.occupancy < *bound, seen.occupancy > *clear_above)
        }
        Condition::UserPresent { .. } => (seen.user == Some(true), seen.user == Some(false)),
        Condition::UserAbsent { .. } => (seen.user == Some(false), seen.user == Some(true)),
        Condition::Unobserved => (false, true),
    }
}

/// By when what is due is recorded: adsum has been up, and could write, for a while.
fn deadline(past: &Past, due: Time) -> Time {
    let down = past.lives.windows(2).map(|pair| (pair[0].to, pair[1].from));
    let fails = past.world.plan.acts.iter().filter_map(|(at, act)| match act {
        Act::HistoryFails(span) => Some((*at, at + span)),
        _ => None,
    });
    let mut troubles: Vec<(i64, i64)> =
        down.chain(fails).chain(past.panics.iter().map(|at| (*at, at + SECOND / 2))).collect();
    troubles.sort_unstable();
    let slack = Duration::from_micros(SLACK.unsigned_abs());
    let mut deadline = due.plus(slack);
    for (from, to) in troubles {
        if past.scale.shown(from) <= deadline {
            deadline = deadline.max(past.scale.shown(to).plus(slack));
        }
    }
    deadline
}
