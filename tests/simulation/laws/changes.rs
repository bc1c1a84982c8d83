//! Events, visits and rosters against the truth.

use std::collections::{BTreeMap, BTreeSet};

use adsum::domain::event::{EventKind, Recorded};
use adsum::domain::state::Shown;
use adsum::domain::time::Window;
use serde_json::json;

use crate::lives::Past;
use crate::plan::Kind;
use crate::truth::Stay;

/// True times at which the user changed as the event says.
fn causes(past: &Past, event: &Recorded) -> Vec<i64> {
    let stays = past.world.truth.of_user(event.channel.as_str(), event.user.as_str());
    match event.kind {
        EventKind::Join => stays.iter().map(|stay| stay.from).collect(),
        EventKind::Leave => stays.iter().map(|stay| stay.to).filter(|to| *to < i64::MAX).collect(),
        EventKind::State => {
            let changes = stays.iter().flat_map(|stay| &stay.states);
            changes.filter(|(_, state)| shown(*state) == event.state).map(|(at, _)| *at).collect()
        }
        EventKind::Present | EventKind::Settled => Vec::new(),
    }
}

/// A state of the truth as it is observed.
pub(super) fn shown(state: u32) -> Shown {
    match state {
        0 => Shown::Empty,
        n => Shown::Value(adsum::domain::state::State::new(json!({"n": n}))),
    }
}

/// Each join, leave and state has a true change of its own inside its window; the causes of joins and leaves follow each
/// other as the events do.
pub(super) fn windows_hold_their_changes(past: &Past) -> Vec<String> {
    let mut broken = Vec::new();
    let mut moves: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut states = moves.clone();
    for event in &past.record.events {
        let who = (event.channel.to_string(), event.user.to_string());
        let (reached, again) = match event.kind {
            EventKind::Join | EventKind::Leave => (moves.entry(who).or_insert(i64::MIN), false),
            EventKind::State => (states.entry(who).or_insert(i64::MIN), true),
            EventKind::Present | EventKind::Settled => continue,
        };
        let inside =
            |at: &i64| holds(past, event.window, *at) && (*at > *reached || (!again && *at == *reached));
        match causes(past, event).into_iter().find(inside) {
            Some(at) => *reached = at,
            None => broken.push(format!("nothing after {reached} caused {event:?}")),
        }
    }
    broken
}

pub(super) fn holds(past: &Past, window: Window, at: i64) -> bool {
    window.contains(past.scale.shown(at))
}

/// Who is `present` was there at some time not long before that was seen, and nothing is said of when they came.
pub(super) fn presents_were_there(past: &Past) -> Vec<String> {
    let plan = &past.world.plan;
    let presents = past.record.events.iter().filter(|event| event.kind == EventKind::Present);
    let false_ones = presents.filter(|event| {
        let Some(seen) = past.scale.truly(event.window.not_after) else { return true };
        let stays = past.world.truth.of_user(event.channel.as_str(), event.user.as_str());
        // A list may have as many pages as there are users; a machine may sleep while one is on its way.
        let since = seen - plan.cache_ttl - 9 * plan.request_timeout - past.slept();
        event.window.not_before.is_some() || !stays.iter().any(|stay| stay.from <= seen && stay.to > since)
    });
    false_ones.map(|event| format!("nobody was there for {event:?}")).collect()
}

/// Who is there, by the events alone; arrivals and leaves alternate.
pub(super) fn replaying_the_events_gives_the_roster(past: &Past) -> Vec<String> {
    let mut broken = Vec::new();
    let mut here: BTreeSet<(String, String)> = BTreeSet::new();
    for event in &past.record.events {
        let who = (event.channel.to_string(), event.user.to_string());
        let in_order = match event.kind {
            EventKind::Join | EventKind::Present => here.insert(who),
            EventKind::Leave => here.remove(&who),
            EventKind::State | EventKind::Settled => here.contains(&who),
        };
        if !in_order {
            broken.push(format!("out of turn: {event:?}"));
        }
    }
    let roster: BTreeSet<_> =
        past.record.here.iter().map(|(channel, user, _)| (channel.clone(), user.clone())).collect();
    if here != roster {
        broken.push(format!("the events tell of {here:?}, the roster has {roster:?}"));
    }
    broken
}

/// After the calm at the end everything that was missed has been made up for.
pub(super) fn what_is_there_in_the_end_is_the_truth(past: &Past) -> Vec<String> {
    let plan = &past.world.plan;
    let mut broken = Vec::new();
    for (channel, kind) in &plan.channels {
        let roster = past.record.here.iter().filter(|(of, ..)| of == channel);
        let roster: BTreeMap<_, _> = roster.map(|(_, user, state)| (user.clone(), state.clone())).collect();
        let mut truth: BTreeMap<_, _> = BTreeMap::new();
        let in_group = past.world.truth.group(past.record.read_at).contains(&channel.as_str());
        if *kind == Kind::InGroup && !in_group {
            continue;
        }
        if *kind != Kind::CountOnly {
            for here in past.world.truth.here(channel, past.record.read_at) {
                let state = shown(here.state).state().map(adsum::domain::state::State::to_value);
                truth.insert(here.user, state.filter(|_| plan.include_state));
            }
        }
        if roster != truth {
            broken.push(format!("in {channel} are {truth:?}, the roster has {roster:?}"));
        }
    }
    broken
}

/// What was visible in any life is in the record as it was, once.
pub(super) fn ids_only_grow_and_nothing_visible_is_lost(past: &Past) -> Vec<String> {
    let mut broken = Vec::new();
    for events in [&past.record.events, &past.visible] {
        for pair in events.windows(2).filter(|pair| pair[0].id >= pair[1].id) {
            broken.push(format!("{:?} comes after {:?}", pair[1], pair[0]));
        }
    }
    let recorded: BTreeMap<_, _> = past.record.events.iter().map(|event| (event.id, event)).collect();
    for event in past.visible.iter().filter(|event| recorded.get(&event.id) != Some(event)) {
        broken.push(format!("{event:?} was visible; the record has {:?}", recorded.get(&event.id)));
    }
    broken
}

/// A visit whose stay is known beyond doubt was as long as it says.
pub(super) fn lengths_hold_the_true_length(past: &Past) -> Vec<String> {
    let mut broken = Vec::new();
    for item in &past.record.visits {
        let visit = &item.visit;
        let stays = past.world.truth.of_user(visit.channel.as_str(), visit.user.as_str());
        let fits = |stay: &&Stay| {
            holds(past, visit.joined, stay.from) && visit.left.is_some_and(|left| holds(past, left, stay.to))
        };
        let mut fitting = stays.iter().filter(fits);
        let (Some(stay), None) = (fitting.next(), fitting.next()) else { continue };
        let length = past.scale.shown(stay.to).since(past.scale.shown(stay.from));
        if item.length.min > length || item.length.max.is_some_and(|max| max < length) {
            broken.push(format!("{item:?} was {length:?} long"));
        }
    }
    broken
}
