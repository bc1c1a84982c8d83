//! Gaps against what was really asked and answered.

use std::collections::HashMap;
use std::time::Duration;

use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::time::Time;

use crate::lives::Past;
use crate::plan::Kind;
use crate::service::Exchange;

/// Gaps without an observation between them share so much.
const INSTANT: Duration = Duration::from_micros(1);

/// Where more than `gap_after` lies between two good answers, there is a gap. A list read in pages is good until its last
/// page has arrived.
pub(super) fn what_was_not_observed_is_a_gap(past: &Past) -> Vec<String> {
    let plan = &past.world.plan;
    let mut arrivals: HashMap<&str, Vec<i64>> = HashMap::new();
    for exchange in &past.log {
        for told in exchange.result.iter().flatten() {
            arrivals.entry(&told.channel).or_default().push(exchange.received);
        }
    }
    let mut broken = Vec::new();
    let polled = plan.channels.iter().filter(|(_, kind)| *kind != Kind::Discovered);
    for (channel, _) in polled {
        for pair in arrivals.get(channel.as_str()).map_or(&[][..], Vec::as_slice).windows(2) {
            let (before, after) = (past.scale.shown(pair[0]), past.scale.shown(pair[1]));
            let apart = i64::try_from(after.since(before).as_micros()).unwrap();
            let middle = Time::from_micros(before.as_micros().midpoint(after.as_micros()));
            let covered = past.record.gaps_of(channel).any(|gap| !gap.users_only && gap.covers(middle));
            if apart > 3 * plan.interval && !covered {
                broken.push(format!("{channel} was not observed from {before:?} to {after:?}: no gap"));
            }
        }
    }
    broken
}

/// A gap that is blamed on the service or the network has a failure inside it, and no good answer that was asked for and
/// had arrived inside it.
pub(super) fn a_gap_of_failures_holds_no_good_answer(past: &Past) -> Vec<String> {
    use GapReason::{BadAnswer, Forbidden, Refused, ServerError, Throttled, Timeout, Unreachable};
    let blamed = [BadAnswer, Forbidden, Refused, ServerError, Throttled, Timeout, Unreachable];
    let mut broken = Vec::new();
    if past.world.plan.acts.iter().any(|(_, act)| act.concerns_commits()) {
        // A gap keeps its first reason, also where a good answer in it could not be committed.
        return broken;
    }
    for (channel, gap) in past.record.gaps.iter().filter(|(_, gap)| blamed.contains(&gap.reason)) {
        // What arrives for a channel that was just left to the discoveries is not taken any more.
        let taken = past.kind(channel.as_str()) != Kind::Discovered;
        // A page alone is not taken where a later one shows that the service wants to be left alone.
        let inside =
            |exchange: &Exchange| taken && !exchange.request.is_page() && is_inside(past, exchange, gap);
        if let Some((good, _)) = past.good(channel.as_str()).find(|(good, told)| told.named && inside(good)) {
            broken.push(format!("{channel} has {gap:?}, but {good:?}"));
        }
        let failed = past.log.iter().any(|exchange| {
            exchange.result.as_ref().err() == Some(&gap.reason)
                && past.scale.shown(exchange.received) >= gap.from
                && gap.to.is_none_or(|to| past.scale.shown(exchange.sent) <= to)
        });
        if !failed {
            broken.push(format!("{channel} has {gap:?}, but nothing failed like that"));
        }
    }
    broken
}

fn is_inside(past: &Past, exchange: &Exchange, gap: &Gap) -> bool {
    let ttl = past.world.plan.cache_ttl;
    if past.was_set(exchange.sent - ttl, exchange.sent) {
        // Of what the cache reaches back over a step of the clock less is known.
        return false;
    }
    let earliest = past.scale.shown(exchange.sent).as_micros() - ttl;
    let latest = past.scale.shown(exchange.received);
    Time::from_micros(earliest) > gap.from && gap.to.is_none_or(|to| latest < to)
}

/// A moment is in one full gap at most, and in one partial gap at most.
pub(super) fn gaps_do_not_overlap(past: &Past) -> Vec<String> {
    let mut broken = Vec::new();
    for (channel, _) in &past.world.plan.channels {
        for users_only in [false, true] {
            let mut gaps: Vec<&Gap> =
                past.record.gaps_of(channel).filter(|gap| gap.users_only == users_only).collect();
            gaps.sort_by_key(|gap| gap.from);
            for pair in gaps.windows(2) {
                let next = pair[1].from.plus(INSTANT);
                let apart = pair[0].to.is_some_and(|to| to <= next)
                    || pair.iter().any(|gap| between(past, channel, gap));
                if !apart {
                    broken.push(format!("{channel}: {:?} and {:?}", pair[0], pair[1]));
                }
            }
        }
    }
    broken
}

/// A good answer may end a gap and be the last before the next: the gaps overlap by the time in which it was true.
fn between(past: &Past, channel: &str, next: &Gap) -> bool {
    past.good(channel).any(|(exchange, _)| {
        let earliest = past.scale.reading(exchange.sent) - past.world.plan.cache_ttl;
        earliest == next.from.as_micros()
            || past.was_set(exchange.sent - past.world.plan.cache_ttl, exchange.sent)
    })
}
