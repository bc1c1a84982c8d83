//! The record says no less than was seen: an adsum that knows nothing would keep every other law. Where answers may not have
//! been taken (a commit failed, a crash, a clock that was set, a watch that ended), nothing is claimed.

use std::time::Duration;

use adsum::domain::answer::Present;
use adsum::domain::event::EventKind;
use adsum::domain::time::Time;

use crate::lives::Past;
use crate::plan::{Act, Kind};
use crate::service::{Exchange, Told};

/// Whether every good answer about a channel that is asked for by name was taken, with the times that adsum's clock showed.
fn everything_was_taken(past: &Past) -> bool {
    past.world.plan.acts.iter().all(|(_, act)| {
        !act.concerns_commits() && !matches!(act, Act::Crash(_) | Act::Sleep(_) | Act::SetClock(_))
    })
}

/// Good answers that name the channel, all taken, save those that arrived as adsum stopped.
fn taken<'a>(past: &'a Past, channel: &'a str) -> impl Iterator<Item = (&'a Exchange, &'a Told)> {
    let by_name = matches!(past.kind(channel), Kind::Named | Kind::CountOnly) && everything_was_taken(past);
    let stops = |exchange: &Exchange| {
        past.world.plan.acts.iter().any(|(at, act)| {
            matches!(act, Act::Stop(_))
                && exchange.sent <= *at
                && exchange.received + past.world.plan.interval >= *at
        })
    };
    let good = past.good(channel).filter(move |_| by_name);
    good.filter(move |(exchange, told)| told.named && !exchange.request.is_page() && !stops(exchange))
}

fn earliest(past: &Past, exchange: &Exchange) -> Time {
    Time::from_micros(past.scale.shown(exchange.sent).as_micros() - past.world.plan.cache_ttl)
}

fn was_there(past: &Past, channel: &str, user: &str, told: &Told) -> bool {
    past.world.truth.of_user(channel, user).iter().any(|stay| stay.holds(told.view))
}

/// Who comes after a complete list without them has joined, and no window is wider than from the last list that had them (had
/// them not) to the first that had them not (had them).
pub(super) fn windows_are_no_wider_than_what_was_seen(past: &Past) -> Vec<String> {
    let mut broken = Vec::new();
    for event in &past.record.events {
        let (channel, user) = (event.channel.as_str(), event.user.as_str());
        let listed = match event.kind {
            EventKind::Join | EventKind::Present => false,
            EventKind::Leave => true,
            EventKind::State | EventKind::Settled => continue,
        };
        let narrower = taken(past, channel).find(|(exchange, told)| {
            told.complete
                && was_there(past, channel, user, told) == listed
                && event.window.not_before.is_none_or(|from| earliest(past, exchange) > from)
                && past.scale.shown(exchange.received) < event.window.not_after
        });
        if let Some((exchange, _)) = narrower {
            broken.push(format!("{event:?} is wider than {exchange:?} allows"));
        }
    }
    broken
}

/// A resolution is that of the polling: no coarser than the widest step between complete lists.
pub(super) fn resolutions_are_no_coarser_than_the_polling(past: &Past) -> Vec<String> {
    let mut broken = Vec::new();
    for (channel, _) in &past.world.plan.channels {
        let complete: Vec<&Exchange> =
            taken(past, channel).filter(|(_, told)| told.complete).map(|(exchange, _)| exchange).collect();
        let step = |pair: &[&Exchange]| past.scale.shown(pair[1].received).since(earliest(past, pair[0]));
        let Some(widest) = complete.windows(2).map(step).max() else { continue };
        // What arrives as adsum stops is not counted here, and an answer may leave the channel out.
        let widest = 2 * widest + Duration::from_micros(4 * past.world.plan.interval.unsigned_abs());
        let no = |present| present == Present::No;
        let of_channel = past.record.asked.iter().filter(|asked| asked.channel == *channel);
        let coarse = of_channel.filter(|asked| {
            no(asked.answer.answer.present) && asked.answer.resolution.is_some_and(|r| r > widest)
        });
        broken.extend(
            coarse.take(1).map(|asked| format!("{channel}: {:?} is more than {widest:?}", asked.answer)),
        );
    }
    broken
}

/// No complete list lies in a partial gap, and no good answer in any other, whatever its reason.
pub(super) fn gaps_hold_no_answer_that_was_taken(past: &Past) -> Vec<String> {
    let mut broken = Vec::new();
    for (channel, gap) in &past.record.gaps {
        let inside = taken(past, channel.as_str()).find(|(exchange, told)| {
            (told.complete || !gap.users_only)
                && earliest(past, exchange) > gap.from
                && gap.to.is_none_or(|to| past.scale.shown(exchange.received) < to)
        });
        if let Some((exchange, _)) = inside {
            broken.push(format!("{channel} has {gap:?}, but {exchange:?}"));
        }
    }
    broken
}

/// Nobody is said to have stayed through a complete list without them, nor to have stayed away through a list with them,
/// whatever the resolution: also where that list could not be recorded, or was lost in a crash.
pub(super) fn no_answer_contradicts_a_list(past: &Past) -> Vec<String> {
    // After a step of the clock it may not be certain to be later than the one before: then it is dropped.
    let stale =
        |exchange: &Exchange| past.was_set(exchange.sent - 2 * past.world.plan.cache_ttl, exchange.sent);
    let mut broken = Vec::new();
    for asked in past.record.asked.iter().filter(|asked| past.kind(&asked.channel) == Kind::Named) {
        let (there, from, to) = past.world.truth.stretch(&asked.channel, &asked.user, asked.at);
        let wrong = match asked.answer.answer.present {
            Present::Yes => !there,
            Present::No => there,
            Present::Unknown => false,
        };
        if !wrong {
            continue;
        }
        let seen = past.good(&asked.channel).find(|(exchange, told)| {
            told.complete
                && !stale(exchange)
                && told.named
                && !exchange.request.is_page()
                && (from..to).contains(&told.view)
        });
        if let Some((exchange, _)) = seen {
            broken.push(format!(
                "{} in {} at {}: {:?}, but {exchange:?}",
                asked.user, asked.channel, asked.at, asked.answer
            ));
        }
    }
    broken
}
