//! Judges a record against what truly happened. Nothing here hopes for speed: what must be recorded follows from the
//! questions the daemon really asked (seen by the proxy), not from those it should have asked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::proxy::{Poll, Polls};
use crate::record::{Event, Visit, Window};
use crate::tally::{Place, Stay, Tally};
use crate::wire::Span;

/// What the daemon could know.
pub(crate) struct Judge<'a> {
    pub(crate) tally: &'a Tally,
    pub(crate) polls: &'a Polls,
    /// How old an answer may be.
    pub(crate) cache: SignedDuration,
    /// A stay, or a state, seen by this many polls must be recorded; `None`: nothing must (the daemon was killed).
    pub(crate) seen_by: Option<usize>,
    /// Every list that the daemon got had everybody in it: then events tell of everybody who is counted.
    pub(crate) whole: bool,
    /// Places of which the truth is not known well enough.
    pub(crate) exempt: BTreeSet<Place>,
}

/// One recorded stay: its arrival, its changes of state, its departure.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) arrival: Event,
    pub(crate) states: Vec<Event>,
    pub(crate) departure: Option<Event>,
}

/// Which true stays (first and last) a recorded one stands for: several, if nobody could see the absences between.
pub(crate) type Matched = (usize, usize);

/// A place's recorded stays, each with the true ones it stands for.
pub(crate) type Verdict = BTreeMap<Place, Vec<(Recorded, Matched)>>;

impl Judge<'_> {
    /// Everything that is wrong with a record, and what of it matches.
    pub(crate) fn judge(&self, events: &[Event], visits: &[Visit]) -> (Verdict, Vec<String>) {
        let mut wrong = Vec::new();
        let mut recorded = consistent(events, visits, &mut wrong);
        if self.whole {
            counted(events, &mut wrong);
        }
        let mut verdict = Verdict::new();
        let places: BTreeSet<_> = recorded.keys().chain(self.tally.stays.keys()).cloned().collect();
        for place in places.difference(&self.exempt) {
            let stays = self.tally.stays.get(place).map_or(&[][..], Vec::as_slice);
            let record = recorded.remove(place).unwrap_or_default();
            let polls = self.polls.of(&place.0);
            let Some(matched) = self.fits(place, stays, &record, &polls) else {
                wrong.push(format!(
                    "{place:?}: what is recorded does not fit the truth\n{}",
                    self.shown(stays, &record, &polls)
                ));
                continue;
            };
            for (record, matched) in record.iter().zip(&matched) {
                self.states(record, &stays[matched.0..=matched.1], &polls, &mut wrong);
                if self.seen_by.is_some() {
                    narrow(&record.arrival, &polls, &mut wrong);
                    record.departure.iter().for_each(|event| narrow(event, &polls, &mut wrong));
                }
            }
            verdict.insert(place.clone(), record.into_iter().zip(matched).collect());
        }
        (verdict, wrong)
    }

    /// Whether so many polls saw a span that what lasted that long must be in the record.
    pub(crate) fn seen(&self, from: Timestamp, to: Option<Timestamp>, polls: &[Poll]) -> bool {
        let within =
            |poll: &&Poll| from <= poll.span.from - self.cache && to.is_none_or(|to| poll.span.to <= to);
        self.seen_by.is_some_and(|enough| polls.iter().filter(within).count() >= enough)
    }

    fn stay_seen(&self, stay: &Stay, polls: &[Poll]) -> bool {
        self.seen(stay.join.to, stay.leave.map(|leave| leave.from), polls)
    }

    /// Whether the polls proved an absence: those that named the channel alone, or listed somebody else in it. (An empty
    /// channel is missing from an answer about many, and proven empty only when asked for alone.)
    fn absence_seen(&self, place: &Place, leave: Span, join: Span, polls: &[Poll]) -> bool {
        let proof = |poll: &&Poll| {
            let truth = Span { from: poll.span.from - self.cache, to: poll.span.to };
            poll.channels.len() == 1 || self.tally.occupied(&place.0, &place.1, truth)
        };
        let polls: Vec<_> = polls.iter().filter(proof).cloned().collect();
        self.seen(leave.to, Some(join.from), &polls)
    }

    /// Finds true stays for recorded ones, in order, such that every window holds and every stay and absence that was
    /// seen is there.
    fn fits(
        &self,
        place: &Place,
        stays: &[Stay],
        record: &[Recorded],
        polls: &[Poll],
    ) -> Option<Vec<Matched>> {
        let sight = Sight {
            stays: stays.iter().map(|stay| self.stay_seen(stay, polls)).collect(),
            absences: stays
                .windows(2)
                .map(|pair| self.absence_seen(place, pair[0].leave.unwrap(), pair[1].join, polls))
                .collect(),
        };
        let mut failed = BTreeSet::new();
        fit(stays, record, &sight, (0, 0), &mut failed)
    }

    /// States are those set, in the windows they were set in; those that were seen are recorded.
    fn states(&self, record: &Recorded, stays: &[Stay], polls: &[Poll], wrong: &mut Vec<String>) {
        let name = format!("{:?} of {:?}", record.arrival.channel, record.arrival.user);
        let first = known(&record.arrival);
        let set: Vec<_> = stays.iter().flat_map(|stay| stay.states.iter()).collect();
        if let Some(first) = first
            && !set.iter().any(|(at, state)| state == first && at.from <= record.arrival.window.not_after)
        {
            wrong.push(format!("{name}: nobody had set the state of {:?}", record.arrival));
        }
        for event in &record.states {
            let caused = match known(event) {
                Some(state) => set.iter().any(|(at, set)| set == state && event.window.admits(*at)),
                // A state dies with its stay: so does the one of a stay that nobody saw end.
                None => stays[1..].iter().any(|stay| event.window.admits(stay.join)),
            };
            if !caused {
                wrong.push(format!("{name}: no such change of state: {event:?}; set were {set:?}"));
            }
        }
        let shown: Vec<_> = first.into_iter().chain(record.states.iter().filter_map(known)).collect();
        for stay in stays {
            for (index, (at, state)) in stay.states.iter().enumerate() {
                let end =
                    stay.states.get(index + 1).map(|(at, _)| at.from).or(stay.leave.map(|leave| leave.from));
                let count = shown.iter().filter(|&&shown| shown == state).count();
                if count > 1 || count == 0 && self.seen(at.to, end, polls) {
                    wrong.push(format!(
                        "{name}: {state} set at {at:?}, until {end:?}, is recorded {count} times"
                    ));
                }
            }
        }
    }

    fn shown(&self, stays: &[Stay], record: &[Recorded], polls: &[Poll]) -> String {
        let stays = stays.iter().map(|stay| {
            let leave = stay.leave.map(|leave| (leave.from, leave.to));
            format!(
                "true: {} … {} to {leave:?}, seen: {}",
                stay.join.from,
                stay.join.to,
                self.stay_seen(stay, polls)
            )
        });
        let record = record.iter().map(|Recorded { arrival, departure, .. }| {
            let left = departure.as_ref().map(|event| (event.id, event.window));
            format!("recorded: {} {} {:?} to {left:?}", arrival.id, arrival.kind, arrival.window)
        });
        let polls = polls.iter().map(|Poll { channels, span, .. }| {
            format!("poll of {}: {} … {}", channels.len(), span.from, span.to)
        });
        stays.chain(record).chain(polls).collect::<Vec<_>>().join("\n")
    }
}

/// A window is no wider than the polls make it: it holds the question before, the answer after, and, when that was
/// about many channels and lacked this one, the question again.
fn narrow(event: &Event, polls: &[Poll], wrong: &mut Vec<String>) {
    let Some(from) = event.window.not_before else { return };
    let inside = |poll: &&Poll| from <= poll.span.from && poll.span.to <= event.window.not_after;
    let count = polls.iter().filter(inside).count();
    if count > 3 {
        wrong.push(format!("{count} polls inside the window of {event:?}"));
    }
}

/// The state an event tells of; none where there is none, or an empty one.
fn known(event: &Event) -> Option<&Value> {
    event
        .state
        .as_ref()
        .filter(|state| !state.is_null() && state.as_object().is_none_or(|fields| !fields.is_empty()))
}

/// What the polls saw of a place: each true stay, and each absence between two.
struct Sight {
    stays: Vec<bool>,
    absences: Vec<bool>,
}

fn fit(
    stays: &[Stay],
    record: &[Recorded],
    sight: &Sight,
    (next, at): (usize, usize),
    failed: &mut BTreeSet<(usize, usize)>,
) -> Option<Vec<Matched>> {
    let Some(Recorded { departure, .. }) = record.get(at) else {
        return sight.stays[next..].iter().all(|seen| !seen).then(Vec::new);
    };
    if failed.contains(&(next, at)) {
        return None;
    }
    for first in next..stays.len() {
        if record[at].begins(&stays[first]) {
            for last in first..stays.len() {
                let ends =
                    record[at].ends(&stays[first..=last]) && (departure.is_some() || last + 1 == stays.len());
                if ends && let Some(mut rest) = fit(stays, record, sight, (last + 1, at + 1), failed) {
                    rest.insert(0, (first, last));
                    return Some(rest);
                }
                if sight.absences.get(last).is_none_or(|&seen| seen) {
                    break;
                }
            }
        }
        if sight.stays[first] {
            break;
        }
    }
    failed.insert((next, at));
    None
}

/// The record by itself: ids increase, arrivals and departures alternate, states lie between, and the visits are those
/// the events tell of. Returns each place's recorded stays.
pub(crate) fn consistent(
    events: &[Event],
    visits: &[Visit],
    wrong: &mut Vec<String>,
) -> BTreeMap<Place, Vec<Recorded>> {
    for pair in events.windows(2).filter(|pair| pair[0].id >= pair[1].id) {
        wrong.push(format!("ids do not increase: {pair:?}"));
    }
    let mut recorded: BTreeMap<Place, Vec<Recorded>> = BTreeMap::new();
    for event in events {
        let stays = recorded.entry((event.channel.clone(), event.user.clone())).or_default();
        let first = stays.is_empty();
        let open = stays.last_mut().filter(|stay| stay.departure.is_none());
        if event.window.not_before.is_some_and(|from| from > event.window.not_after) {
            wrong.push(format!("a window from its end to its beginning: {event:?}"));
        }
        match (event.kind.as_str(), open, event.window.not_before) {
            ("join", None, Some(_)) => stays.push(Recorded::new(event)),
            ("present", None, None) if first => stays.push(Recorded::new(event)),
            ("leave", Some(open), Some(_)) => open.departure = Some(event.clone()),
            ("state", Some(open), Some(_)) => open.states.push(event.clone()),
            (_, open, _) => wrong.push(format!("out of place: {event:?} after {open:?}")),
        }
    }
    let mut told: Vec<_> =
        recorded.iter().flat_map(|(place, stays)| stays.iter().map(move |stay| stay.key(place))).collect();
    let key = |visit: &Visit| ((visit.channel.clone(), visit.user.clone()), visit.joined, visit.left);
    let mut listed: Vec<_> = visits.iter().map(key).collect();
    told.sort();
    listed.sort();
    if told != listed {
        wrong.push(format!(
            "visits are not what events tell; only visits: {:#?}; only events: {:#?}",
            without(&listed, &told),
            without(&told, &listed)
        ));
    }
    recorded
}

/// Counting arrivals and departures gives the occupancy the last event of every observation tells.
fn counted(events: &[Event], wrong: &mut Vec<String>) {
    let mut counts: BTreeMap<&str, (i64, &Event)> = BTreeMap::new();
    let differs =
        |(count, event): &(i64, &Event)| event.occupancy.is_none_or(|told| i64::try_from(told) != Ok(*count));
    for event in events {
        let (count, last) = counts.entry(&event.channel).or_insert((0, event));
        if last.window.not_after != event.window.not_after && differs(&(*count, last)) {
            wrong.push(format!("{count} are there after {last:?}"));
        }
        *last = event;
        *count += match event.kind.as_str() {
            "leave" => -1,
            "state" => 0,
            _ => 1,
        };
    }
    let odd = counts.values().filter(|last| differs(last));
    wrong.extend(odd.map(|(count, event)| format!("{count} are there after {event:?}")));
}

fn without<'a, T: PartialEq>(all: &'a [T], others: &[T]) -> Vec<&'a T> {
    all.iter().filter(|one| !others.contains(one)).collect()
}

impl Recorded {
    fn new(arrival: &Event) -> Self {
        Self { arrival: arrival.clone(), states: Vec::new(), departure: None }
    }

    /// Whether its arrival may be that of a true stay; the state it came with tells stays apart.
    fn begins(&self, stay: &Stay) -> bool {
        self.arrival.window.admits(stay.join) && known(&self.arrival).is_none_or(|state| stay.has_set(state))
    }

    /// Whether it may stand for true stays up to the end of the last.
    fn ends(&self, stays: &[Stay]) -> bool {
        let departure = match (&self.departure, stays.last().and_then(|stay| stay.leave)) {
            (Some(departure), Some(leave)) => departure.window.admits(leave),
            (departure, leave) => departure.is_none() && leave.is_none(),
        };
        departure
            && self.states.iter().filter_map(known).all(|state| stays.iter().any(|stay| stay.has_set(state)))
    }

    fn key(&self, place: &Place) -> (Place, Window, Option<Window>) {
        (place.clone(), self.arrival.window, self.departure.as_ref().map(|event| event.window))
    }
}
