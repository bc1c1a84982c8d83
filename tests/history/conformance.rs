//! The suite. Each test takes a fresh history; another adapter runs the same by adding itself to [`fresh`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use adsum::domain::channel::{Changes, Channel};
use adsum::domain::event::{Event, EventKind, Recorded};
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::observation::{Grade, Observation, Occupant};
use adsum::domain::occupancy::Run;
use adsum::domain::roster::{Member, Roster};
use adsum::domain::state::{Shown, State};
use adsum::domain::time::{Moment, Time, Window};
use adsum::domain::visit::Visit;
use adsum::history::sqlite::Sqlite;
use adsum::history::{Entry, EventQuery, History, HistoryError, Mark, StateAt, VisitQuery};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::world::{
    CHANNELS, Happening, Step, World, all_events, all_gaps, all_visits, channel_name, happenings, in_span,
    user_id,
};

/// An empty history, and the folder that goes when it does.
fn fresh() -> (TempDir, Box<dyn History>) {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    (folder, history)
}

/// The history in this folder.
fn open(folder: &TempDir) -> Box<dyn History> {
    Box::new(Sqlite::open(&folder.path().join("history.db")).unwrap())
}

fn time(micros: i64) -> Time {
    Time::from_micros(micros)
}

fn moment(earliest: i64, latest: i64) -> Moment {
    Moment { earliest: time(earliest), latest: time(latest) }
}

/// The same, whatever was not committed about single users.
fn assert_same_roster(kept: &Roster, live: &Roster) {
    assert_eq!((kept.seq(), kept.complete(), kept.shown()), (live.seq(), live.complete(), live.shown()));
    assert_eq!(kept.members().len(), live.members().len());
    for (user, member) in live.members() {
        let same = &kept.members()[user];
        assert_eq!((same.opened, same.joined, &same.state), (member.opened, member.joined, &member.state));
        assert_eq!(same.state_since, member.state_since);
        assert!(kept.listed(same).map(earliest) <= live.listed(member).map(earliest));
        assert!(last_shown(kept, same) <= last_shown(live, member));
    }
}

/// When a member's state was last shown.
fn last_shown(roster: &Roster, member: &Member) -> Option<Time> {
    roster.shown().into_iter().chain(member.shown).map(earliest).max()
}

/// Everything that must hold of a history after its channels were stopped.
fn assert_record(world: &World<'_>) {
    let history = world.history;
    assert_eq!(all_events(history, &EventQuery::default(), 7), world.recorded);
    assert!(world.recorded.windows(2).all(|pair| pair[0].id < pair[1].id), "ids only grow");
    assert_eq!(history.event_ids().unwrap().0, world.recorded.last().map_or(0, |event| event.id));
    for (index, channel) in world.channels.iter().enumerate() {
        let kept = history.checkpoint(&channel.name).unwrap().unwrap();
        assert_same_roster(&kept.roster, channel.roster());
        assert_eq!((kept.run.as_ref(), kept.began), (channel.run(), channel.began));
        assert!(kept.open_gaps.contains(channel.open_gap().unwrap()));
        assert_eq!(history.runs(&channel.name, time(i64::MIN), time(i64::MAX)).unwrap(), world.runs[index]);
    }
    let visits = all_visits(history, &VisitQuery::default(), 5);
    assert_eq!(visits.len(), world.visits().len());
    for (visit, told) in in_order(&visits).into_iter().zip(in_order(&world.visits())) {
        assert!(visit.listed_until <= told.listed_until);
        assert_eq!(Visit { listed_until: told.listed_until, ..visit }, told);
    }
    assert_eq!(sorted(all_gaps(history, None, (None, None), 1)), sorted(world.gaps.clone()));
}

/// Visits by channel and number, so that those of two lists can be compared.
fn in_order(visits: &[Visit]) -> Vec<Visit> {
    let mut visits = visits.to_vec();
    visits.sort_by(|one, other| (&one.channel, one.opened).cmp(&(&other.channel, other.opened)));
    visits
}

fn sorted(mut gaps: Vec<(ChannelName, Gap)>) -> Vec<(ChannelName, Gap)> {
    gaps.sort_by(|(one, a), (other, b)| (one, a.from, a.users_only).cmp(&(other, b.from, b.users_only)));
    gaps
}

/// A channel and a user or any, and a span.
#[derive(Clone, Debug)]
struct Part {
    channel: Option<ChannelName>,
    user: Option<UserId>,
    from: Option<Instant>,
    to: Option<Instant>,
    page: usize,
}

/// Which of the times that something began or ended at, and how long after it; bounds are where mistakes are made.
type Instant = (proptest::sample::Index, i64);

fn part() -> impl Strategy<Value = Part> {
    let instant = || proptest::option::weighted(0.7, instant());
    let channel = proptest::option::of((0..CHANNELS).prop_map(channel_name));
    let user = proptest::option::of((0u8..5).prop_map(user_id));
    (channel, user, instant(), instant(), 1usize..5).prop_map(|(channel, user, from, to, page)| Part {
        channel,
        user,
        from,
        to,
        page,
    })
}

fn instant() -> impl Strategy<Value = Instant> {
    (any::<proptest::sample::Index>(), -1i64..=1)
}

fn at(world: &World<'_>, (index, after): Instant) -> Time {
    let windows = world.recorded.iter().flat_map(|e| [e.window.not_before, Some(e.window.not_after)]);
    let gaps = world.gaps.iter().flat_map(|(_, gap)| [Some(gap.from), gap.to]);
    let runs = world.runs.iter().flatten().flat_map(|run| [run.first, run.last]);
    let runs = runs.flat_map(|moment| [Some(moment.earliest), Some(moment.latest)]);
    let times: Vec<Time> = windows.chain(gaps).chain(runs).flatten().chain([world.now]).collect();
    time(times[index.index(times.len())].as_micros() + after)
}

fn kinds() -> impl Strategy<Value = Vec<EventKind>> {
    proptest::sample::subsequence(
        vec![EventKind::Join, EventKind::Leave, EventKind::State, EventKind::Present, EventKind::Settled],
        0..=5,
    )
}

/// Leaves a stopped record of what happened.
fn after<'h>(history: &'h dyn History, happenings: &[Happening]) -> World<'h> {
    let mut world = World::begin(history);
    world.live(happenings);
    world.stop();
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_record_agrees_with_what_happened(happenings in happenings()) {
        let (_folder, history) = fresh();
        assert_record(&after(history.as_ref(), &happenings));
    }

    #[test]
    fn replaying_the_events_gives_the_roster(happenings in happenings()) {
        let (_folder, history) = fresh();
        let world = after(history.as_ref(), &happenings);
        for channel in &world.channels {
            let query = EventQuery { channel: Some(channel.name.clone()), ..EventQuery::default() };
            let mut there = BTreeMap::new();
            for event in all_events(history.as_ref(), &query, 3) {
                match event.kind {
                    EventKind::Leave => assert!(there.remove(&event.user).is_some()),
                    EventKind::Join | EventKind::Present => assert!(there.insert(event.user, event.state).is_none()),
                    EventKind::State | EventKind::Settled => assert!(there.insert(event.user, event.state).is_some()),
                }
            }
            let members = channel.roster().members().iter();
            prop_assert_eq!(there, members.map(|(user, member)| (user.clone(), member.state.clone())).collect());
        }
    }

    #[test]
    fn events_are_found_by_any_filter_and_each_is_on_one_page(
        happenings in happenings(), part in part(), kinds in kinds(), after_id in 0i64..20,
    ) {
        let (_folder, history) = fresh();
        let world = after(history.as_ref(), &happenings);
        let Part { channel, user, from, to, page } = part;
        let (from, to) = (from.map(|from| at(&world, from)), to.map(|to| at(&world, to)));
        let expected: Vec<_> = world.recorded.iter().filter(|event| {
            event.id > after_id
                && channel.as_ref().is_none_or(|channel| event.channel == *channel)
                && user.as_ref().is_none_or(|user| event.user == *user)
                && (kinds.is_empty() || kinds.contains(&event.kind))
                && in_span(event.window, (from, to))
        }).cloned().collect();
        let query = EventQuery { channel, user, kinds, from, to, after: after_id, limit: 0 };
        prop_assert_eq!(all_events(history.as_ref(), &query, page), expected);
    }

    #[test]
    fn visits_are_found_by_any_filter_and_each_is_on_one_page(
        happenings in happenings(), part in part(), open in proptest::option::of(any::<bool>()),
    ) {
        let (_folder, history) = fresh();
        let world = after(history.as_ref(), &happenings);
        let Part { channel, user, from, to, page } = part;
        let (from, to) = (from.map(|from| at(&world, from)), to.map(|to| at(&world, to)));
        let expected: Vec<_> = world.visits().into_iter().filter(|visit| {
            channel.as_ref().is_none_or(|channel| visit.channel == *channel)
                && user.as_ref().is_none_or(|user| visit.user == *user)
                && open.is_none_or(|open| visit.left.is_none() == open)
                && visit.touches(from.unwrap_or(time(i64::MIN)), to.unwrap_or(time(i64::MAX)))
        }).collect();
        let query = VisitQuery { channel, user, from, to, open, after: None, limit: 0 };
        let visits = all_visits(history.as_ref(), &query, page);
        prop_assert!(visits.windows(2).all(|pair| pair[0].joined.not_after <= pair[1].joined.not_after));
        let names = |visits: &[Visit]| -> Vec<_> {
            in_order(visits).into_iter().map(|visit| (visit.channel, visit.opened, visit.user)).collect()
        };
        prop_assert_eq!(names(&visits), names(&expected));
    }

    #[test]
    fn gaps_are_found_by_any_filter_and_each_is_on_one_page(happenings in happenings(), part in part()) {
        let (_folder, history) = fresh();
        let world = after(history.as_ref(), &happenings);
        let Part { channel, from, to, page, .. } = part;
        let (from, to) = (from.map(|from| at(&world, from)), to.map(|to| at(&world, to)));
        let expected: Vec<_> = world.gaps.iter().filter(|(name, gap)| {
            channel.as_ref().is_none_or(|channel| name == channel)
                && from.is_none_or(|from| gap.to.is_none_or(|end| end >= from))
                && to.is_none_or(|to| gap.from < to)
        }).cloned().collect();
        let gaps = all_gaps(history.as_ref(), channel.as_ref(), (from, to), page);
        prop_assert!(gaps.windows(2).all(|pair| pair[0].1.from <= pair[1].1.from));
        prop_assert_eq!(sorted(gaps), sorted(expected));
    }

    #[test]
    fn runs_come_with_the_one_before_and_the_one_after(
        happenings in happenings(), from in instant(), to in instant(),
    ) {
        let (_folder, history) = fresh();
        let world = after(history.as_ref(), &happenings);
        let (from, to) = (at(&world, from), at(&world, to));
        let (from, to) = (from.min(to), from.max(to));
        for (index, runs) in world.runs.iter().enumerate() {
            let before = runs.iter().rposition(|run| run.last.latest < from).unwrap_or(0);
            let after = runs.iter().position(|run| run.first.earliest > to).map_or(runs.len(), |at| at + 1);
            prop_assert_eq!(history.runs(&channel_name(index), from, to).unwrap(), &runs[before..after]);
        }
    }

    #[test]
    fn two_spans_that_meet_hold_what_one_over_both_does(happenings in happenings(), cuts in [instant(), instant(), instant()]) {
        let (_folder, history) = fresh();
        let world = after(history.as_ref(), &happenings);
        let mut cuts = cuts.map(|cut| Some(at(&world, cut)));
        cuts.sort();
        let [from, middle, to] = cuts;
        let events = |from, to| -> BTreeSet<_> {
            let query = EventQuery { from, to, ..EventQuery::default() };
            all_events(history.as_ref(), &query, 4).into_iter().map(|event| event.id).collect()
        };
        prop_assert_eq!(&events(from, middle) | &events(middle, to), events(from, to));
        let visits = |from, to| -> BTreeSet<_> {
            let query = VisitQuery { from, to, ..VisitQuery::default() };
            all_visits(history.as_ref(), &query, 4).into_iter().map(|v| (v.channel, v.opened)).collect()
        };
        prop_assert_eq!(&visits(from, middle) | &visits(middle, to), visits(from, to));
        let gaps = |from, to| -> BTreeSet<_> {
            all_gaps(history.as_ref(), None, (from, to), 4).into_iter().map(|(c, g)| (c, g.from, g.users_only)).collect()
        };
        prop_assert_eq!(&gaps(from, middle) | &gaps(middle, to), gaps(from, to));
    }

    #[test]
    fn the_state_of_a_visit_is_the_last_that_had_settled(happenings in happenings(), instant in instant()) {
        let (_folder, history) = fresh();
        let world = after(history.as_ref(), &happenings);
        let at = at(&world, instant);
        for visit in all_visits(history.as_ref(), &VisitQuery::default(), 100) {
            let last = world.recorded.iter().rfind(|event| {
                event.channel == visit.channel
                    && event.user == visit.user
                    && event.seq >= visit.opened
                    && visit.left.is_none_or(|left| event.window.not_after < left.not_after)
                    && event.window.not_after <= at
                    && event.state.is_known()
            });
            let expected = last.map_or(StateAt::default(), |event| {
                StateAt { state: event.state.clone(), since: Some(event.window) }
            });
            prop_assert_eq!(history.state_at(&visit, at).unwrap(), expected);
        }
    }

    #[test]
    fn a_crash_loses_nothing_that_was_committed_and_proves_nothing_that_was_not_seen(
        before in happenings(), later in happenings(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (live, recorded, gaps, runs, now);
        {
            let history = open(&folder);
            let mut world = World::begin(history.as_ref());
            world.live(&before);
            World { channels: live, recorded, gaps, runs, now, .. } = world;
        }
        let history = open(&folder);
        let watched = live.iter().filter(|channel| {
            !matches!(full_gap(channel), Some(gap) if matches!(gap.reason, GapReason::Stopped | GapReason::Unwatched))
        });
        let watched = watched.count();
        prop_assert_eq!(history.recover().unwrap(), watched);
        prop_assert_eq!(history.recover().unwrap(), watched, "a second start in a row changes nothing");
        prop_assert_eq!(all_events(history.as_ref(), &EventQuery::default(), 100), recorded.clone());
        let mut world = World { history: history.as_ref(), channels: live.clone(), recorded, gaps, runs, now };
        for (index, before) in live.iter().enumerate() {
            let kept = history.checkpoint(&before.name).unwrap().unwrap();
            prop_assert_eq!(kept.roster.seq(), before.roster().seq());
            prop_assert_eq!(kept.roster.members().len(), before.roster().members().len());
            for (user, member) in before.roster().members() {
                let same = &kept.roster.members()[user];
                prop_assert_eq!((same.opened, &same.state), (member.opened, &member.state));
                prop_assert!(kept.roster.listed(same).map(earliest) <= before.roster().listed(member).map(earliest));
            }
            prop_assert!(kept.roster.complete().map(earliest) <= before.roster().complete().map(earliest));
            prop_assert_eq!(kept.run.map(|run| run.first), before.run().map(|run| run.first));
            prop_assert!(kept.run.map(|run| run.last.earliest) <= before.run().map(|run| run.last.earliest));
            let full: Vec<Gap> = kept.open_gaps.into_iter().filter(|gap| !gap.users_only).collect();
            let from = kept.run.map_or(kept.began, |run| run.last.earliest);
            let expected = full_gap(before).unwrap_or(Gap::open(from, GapReason::Crashed));
            prop_assert_eq!(&full, &[expected]);
            world.note_gap(index, expected);
            world.reload(index);
        }
        world.live(&later);
        world.stop();
        assert_record(&world);
    }

    #[test]
    fn what_expires_is_gone_and_the_rest_stays(mut happenings in happenings(), before in instant(), limit in 4usize..40) {
        // A channel whose watch ended is forgotten as a whole: another test.
        happenings.retain(|(_, _, step)| !matches!(step, Step::Restart(GapReason::Unwatched)));
        let (_folder, history) = fresh();
        let mut world = after(history.as_ref(), &happenings);
        let before = at(&world, before);
        let kept_visits = in_order(&all_visits(history.as_ref(), &VisitQuery::default(), 50));
        let kept_visits: Vec<_> =
            kept_visits.into_iter().filter(|visit| visit.left.is_none_or(|left| left.not_after >= before)).collect();
        let mut calls = 0;
        while history.expire(before, limit).unwrap() {
            calls += 1;
            prop_assert!(calls < 1000);
        }
        let (newest, expired) = history.event_ids().unwrap();
        prop_assert_eq!(newest, world.recorded.last().map_or(0, |event| event.id));
        let over = world.recorded.iter().take_while(|event| event.window.not_after < before).count();
        prop_assert_eq!(usize::try_from(expired).unwrap(), over);
        prop_assert_eq!(&all_events(history.as_ref(), &EventQuery::default(), 9), &world.recorded[over..]);
        prop_assert_eq!(in_order(&all_visits(history.as_ref(), &VisitQuery::default(), 50)), kept_visits.clone());
        world.gaps.retain(|(_, gap)| gap.to.is_none_or(|to| to >= before));
        prop_assert_eq!(sorted(all_gaps(history.as_ref(), None, (None, None), 9)), sorted(world.gaps.clone()));
        for index in 0..CHANNELS {
            let all = std::mem::take(&mut world.runs[index]);
            let last = all.last().copied();
            world.runs[index] =
                all.into_iter().filter(|run| run.last.latest >= before || Some(*run) == last).collect();
            prop_assert_eq!(
                &history.runs(&channel_name(index), time(i64::MIN), time(i64::MAX)).unwrap(), &world.runs[index]
            );
            let kept = history.checkpoint(&channel_name(index)).unwrap().unwrap();
            assert_same_roster(&kept.roster, world.channels[index].roster());
            // Every filter still finds what is left.
            let query = EventQuery { channel: Some(channel_name(index)), ..EventQuery::default() };
            let left = world.recorded[over..].iter().filter(|event| event.channel == channel_name(index));
            prop_assert_eq!(all_events(history.as_ref(), &query, 2), left.cloned().collect::<Vec<_>>());
        }
        for user in (0..5).map(user_id) {
            let left = world.recorded[over..].iter().any(|event| event.user == user)
                || kept_visits.iter().any(|visit| visit.user == user);
            prop_assert_eq!(history.knows_user(&user).unwrap(), left);
        }
        world.reload(0);
        world.live(&happenings);
        prop_assert!(world.recorded.windows(2).all(|pair| pair[0].id < pair[1].id), "no id is used again");
    }

    #[test]
    fn every_name_comes_back_as_it_was(channel in "\\PC{1,40}|.{1,20}", user in "(?s).{1,40}") {
        let Ok(channel) = ChannelName::new(&channel) else { return Ok(()) };
        let user = UserId::new(&user).unwrap();
        let (_folder, history) = fresh();
        history.begin(std::slice::from_ref(&channel), time(0)).unwrap();
        let recorded = history.commit(&[arrival(&channel, &user, 1)]).unwrap();
        prop_assert_eq!((&recorded[0].channel, &recorded[0].user), (&channel, &user));
        let query = EventQuery {
            channel: Some(channel.clone()), user: Some(user.clone()), limit: 9, ..EventQuery::default()
        };
        prop_assert_eq!(history.events(&query).unwrap(), recorded);
        prop_assert_eq!(history.channels(None, 9).unwrap(), std::slice::from_ref(&channel));
        prop_assert!(history.checkpoint(&channel).unwrap().unwrap().roster.members().contains_key(&user));
    }
}

/// The open full gap, if there is one.
fn full_gap(channel: &Channel) -> Option<Gap> {
    channel.open_gap().copied().filter(|gap| !gap.users_only)
}

fn earliest(moment: Moment) -> Time {
    moment.earliest
}

/// A user who is first seen at `seq` seconds.
pub(crate) fn arrival(channel: &ChannelName, user: &UserId, seq: u64) -> Entry {
    let at = i64::try_from(seq).unwrap() * 1_000_000;
    let seen = moment(at, at + 1000);
    let event = Event {
        seq,
        user: user.clone(),
        kind: EventKind::Present,
        window: Window { not_before: None, not_after: seen.latest },
        occupancy: 1,
        state: Shown::Unknown,
    };
    let run = Run { first: seen, last: seen, widest: Duration::ZERO, occupancy: 1, grade: Grade::Complete };
    let changes = Changes { events: vec![event], run: Some(run), complete: Some(seen), ..Changes::default() };
    Entry { channel: channel.clone(), changes }
}

/// The same user's leave.
fn departure(channel: &ChannelName, user: &UserId, seq: u64) -> Entry {
    let mut entry = arrival(channel, user, seq);
    entry.changes.events[0].kind = EventKind::Leave;
    entry
}

/// No events, only where a run is now.
fn extended(channel: &ChannelName, seen: Moment) -> Entry {
    let run = Run {
        first: moment(1_000_000, 1_001_000),
        last: seen,
        widest: Duration::ZERO,
        occupancy: 1,
        grade: Grade::Complete,
    };
    Entry { channel: channel.clone(), changes: Changes { last_run: Some(run), ..Changes::default() } }
}

fn lobby() -> ChannelName {
    channel_name(0)
}

fn ada() -> UserId {
    user_id(0)
}

/// Everything the trait tells, to see that nothing changed.
fn everything(history: &dyn History) -> String {
    let channels = history.channels(None, 99).unwrap();
    let kept: Vec<_> = channels.iter().map(|channel| history.channel(channel).unwrap()).collect();
    let runs: Vec<_> =
        channels.iter().map(|c| history.runs(c, time(i64::MIN), time(i64::MAX)).unwrap()).collect();
    let events = all_events(history, &EventQuery::default(), 99);
    let visits = all_visits(history, &VisitQuery::default(), 99);
    let gaps = all_gaps(history, None, (None, None), 99);
    format!("{:?}", (history.event_ids().unwrap(), kept, runs, events, visits, gaps))
}

#[test]
fn a_commit_that_fails_leaves_nothing_half_written() {
    let (_folder, history) = fresh();
    let other = channel_name(1);
    history.begin(&[lobby()], time(0)).unwrap();
    history.begin(std::slice::from_ref(&other), time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    let before = everything(history.as_ref());
    let newcomer = UserId::new("newcomer").unwrap();
    for (bad, what) in [
        (arrival(&lobby(), &ada(), 1), "a number that is taken"),
        (arrival(&lobby(), &newcomer, 3), "a number that is not the next"),
        (arrival(&channel_name(2), &ada(), 1), "a channel that was never begun"),
    ] {
        let failed = history.commit(&[arrival(&other, &newcomer, 1), bad.clone()]);
        assert!(
            matches!(&failed, Err(HistoryError::Conflict { channel }) if *channel == bad.channel),
            "{what}: {failed:?}"
        );
        assert_eq!(everything(history.as_ref()), before, "{what}");
        assert!(!history.knows_user(&newcomer).unwrap());
    }
    for (bad, what) in [
        (arrival(&lobby(), &ada(), 2), "somebody who is there cannot arrive"),
        (departure(&lobby(), &newcomer, 2), "somebody who is not there cannot leave"),
    ] {
        let failed = history.commit(&[arrival(&other, &newcomer, 1), bad]);
        assert!(matches!(failed, Err(HistoryError::Damaged(_))), "{what}: {failed:?}");
        assert_eq!(everything(history.as_ref()), before, "{what}");
    }
    let next = history.commit(&[arrival(&other, &newcomer, 1)]).unwrap();
    assert_eq!(next[0].id, 2, "no id was burnt");
    assert_eq!(all_events(history.as_ref(), &EventQuery::default(), 9)[1], next[0]);
}

#[test]
fn ids_follow_the_order_of_the_entries() {
    let (_folder, history) = fresh();
    let (one, other) = (channel_name(1), channel_name(0));
    history.begin(std::slice::from_ref(&one), time(0)).unwrap();
    history.begin(std::slice::from_ref(&other), time(0)).unwrap();
    let entries = [arrival(&one, &ada(), 1), arrival(&other, &ada(), 1), arrival(&one, &user_id(1), 2)];
    let recorded = history.commit(&entries).unwrap();
    let told: Vec<_> = recorded.iter().map(|event| (event.id, &event.channel, event.seq)).collect();
    assert_eq!(told, [(1, &one, 1), (2, &other, 1), (3, &one, 2)]);
}

#[test]
fn an_id_is_never_used_again_even_if_the_newest_event_expired() {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1), departure(&lobby(), &ada(), 2)]).unwrap();
    assert!(!history.expire(time(i64::MAX), 100).unwrap());
    assert_eq!(history.event_ids().unwrap(), (2, 2));
    assert!(!history.knows_user(&ada()).unwrap());
    drop(history);
    let history = open(&folder);
    assert_eq!(history.commit(&[arrival(&lobby(), &ada(), 3)]).unwrap()[0].id, 3);
    assert_eq!(history.kept_since().unwrap(), Some(time(i64::MAX)));
}

#[test]
fn nothing_is_said_to_be_forgotten_before_anything_is() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    assert!(!history.expire(time(5), 100).unwrap());
    assert_eq!((history.kept_since().unwrap(), history.event_ids().unwrap()), (None, (1, 0)));
}

#[test]
fn a_channel_unwatched_for_longer_than_is_kept_forgets_its_roster() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    history.begin(&[channel_name(1)], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1), arrival(&channel_name(1), &user_id(1), 1)]).unwrap();
    let mut unwatched = extended(&lobby(), moment(2_000_000, 2_001_000));
    unwatched.changes.gaps = vec![Gap::open(time(2_000_000), GapReason::Unwatched)];
    history.commit(&[unwatched]).unwrap();
    assert!(!history.expire(time(2_000_000), 100).unwrap());
    assert!(history.checkpoint(&lobby()).unwrap().is_some(), "not yet");
    let mut calls = 0;
    while history.expire(time(2_000_001), 2).unwrap() {
        calls += 1;
    }
    assert!((1..9).contains(&calls), "a few rows at a time: {calls}");
    assert!(history.checkpoint(&lobby()).unwrap().is_none());
    assert!(!history.knows_user(&ada()).unwrap());
    assert_eq!(history.channels(None, 9).unwrap(), [channel_name(1)]);
    assert!(history.knows_user(&user_id(1)).unwrap());
    history.begin(&[lobby()], time(9)).unwrap();
    assert_eq!(history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap()[0].id, 3, "it may come again");
}

#[test]
fn a_mark_proves_runs_up_to_its_floor_save_those_it_names() {
    let (_folder, history) = fresh();
    for index in 0..CHANNELS {
        history.begin(&[channel_name(index)], time(0)).unwrap();
        history.commit(&[arrival(&channel_name(index), &ada(), 1)]).unwrap();
    }
    let mut blind = extended(&channel_name(2), moment(1_000_000, 1_001_000));
    blind.changes.gaps = vec![Gap::open(time(1_000_000), GapReason::Timeout)];
    history.commit(&[blind]).unwrap();
    let others = vec![(channel_name(1), moment(4_000_000, 4_001_000))];
    let mark = Mark { floor: time(9_000_000), others, widest: Duration::from_secs(2) };
    history.mark(&mark).unwrap();
    let last = |index| history.channel(&channel_name(index)).unwrap().unwrap().run.unwrap();
    let expect = |stage: &str| {
        assert_eq!(last(0).last, moment(9_000_000, 9_000_000), "{stage}: not named");
        assert_eq!(last(0).widest, Duration::from_secs(2), "{stage}: how often it was looked at is kept");
        assert_eq!(last(1).last, moment(4_000_000, 4_001_000), "{stage}: named");
        assert_eq!(last(2).last, moment(1_000_000, 1_001_000), "{stage}: in a gap");
        assert_eq!(last(2).widest, Duration::ZERO);
        let complete = history.checkpoint(&channel_name(0)).unwrap().unwrap().roster.complete();
        assert_eq!(complete, Some(moment(9_000_000, 9_000_000)), "{stage}: everybody was seen again");
        let query = VisitQuery { channel: Some(channel_name(1)), limit: 9, ..VisitQuery::default() };
        assert_eq!(history.visits(&query).unwrap()[0].listed_until, time(4_000_000), "{stage}");
        assert_eq!(history.runs(&channel_name(0), time(5_000_000), time(6_000_000)).unwrap(), [last(0)]);
    };
    expect("running");
    assert_eq!(history.recover().unwrap(), 3);
    expect("after a crash");
    let gaps = all_gaps(history.as_ref(), None, (None, None), 9);
    let gaps: Vec<_> = gaps.iter().map(|(_, gap)| (gap.from.as_micros(), gap.reason, gap.to)).collect();
    assert_eq!(
        gaps,
        [
            (1_000_000, GapReason::Timeout, None),
            (4_000_000, GapReason::Crashed, None),
            (9_000_000, GapReason::Crashed, None)
        ]
    );
}

#[test]
fn a_mark_within_the_last_observation_takes_nothing_back() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    history.mark(&Mark { floor: time(1_000_500), ..Mark::default() }).unwrap();
    let last = || history.channel(&lobby()).unwrap().unwrap().run.unwrap().last;
    assert_eq!(last(), moment(1_000_500, 1_001_000));
    history.recover().unwrap();
    assert_eq!(last(), moment(1_000_500, 1_001_000));
}

#[test]
fn a_mark_is_about_the_last_run_only() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    let runs = [1, 2, 3].map(|n| {
        let seen = moment(n * 1_000_000, n * 1_000_000 + 1000);
        Run { first: seen, last: seen, widest: Duration::ZERO, occupancy: 0, grade: Grade::Complete }
    });
    for run in runs {
        let changes = Changes { run: Some(run), ..Changes::default() };
        history.commit(&[Entry { channel: lobby(), changes }]).unwrap();
    }
    history.mark(&Mark { floor: time(9_000_000), ..Mark::default() }).unwrap();
    assert_eq!(history.runs(&lobby(), time(0), time(1_000_000)).unwrap(), &runs[..2]);
    history.recover().unwrap();
    let kept = history.runs(&lobby(), time(0), time(i64::MAX)).unwrap();
    assert_eq!(&kept[..2], &runs[..2]);
    assert_eq!(kept[2].last, moment(9_000_000, 9_000_000));
}

#[test]
fn windows_after_a_reload_begin_where_the_user_and_the_state_were_last_seen() {
    let (_folder, history) = fresh();
    let began = time(0);
    history.begin(&[lobby()], began).unwrap();
    let mut channel = Channel::begin(lobby(), Duration::from_secs(9), began);
    let mut see = |at: i64, total: u64, state: Option<u8>| -> Recorded {
        let listed = state.map(|n| Occupant { user: ada(), state: Shown::Value(State::new(n.into())) });
        let seen = Observation::new(moment(at, at + 5), total, Some(listed.into_iter().collect())).unwrap();
        let changes = channel.observe(&seen).unwrap().unwrap();
        let recorded = history.commit(&[Entry { channel: lobby(), changes }]).unwrap();
        channel = Channel::resume(lobby(), channel.gap_after, history.checkpoint(&lobby()).unwrap().unwrap());
        recorded.into_iter().next().unwrap()
    };
    // Lists that are cut say nothing of others, so each of these is about this user alone.
    assert_eq!(see(100, 9, Some(1)).kind, EventKind::Present);
    assert_eq!(see(200, 9, Some(2)).window, Window { not_before: Some(time(100)), not_after: time(205) });
    assert_eq!(see(300, 9, Some(3)).window, Window { not_before: Some(time(200)), not_after: time(305) });
    let left = see(400, 0, None);
    assert_eq!(left.window, Window { not_before: Some(time(300)), not_after: time(405) });
    assert_eq!(left.state, Shown::Value(State::new(3.into())));
}

#[test]
fn lists_over_many_events_are_whole_wherever_they_begin_and_end() {
    let (_folder, history) = fresh();
    let channels = [channel_name(0), channel_name(1)];
    for channel in &channels {
        history.begin(std::slice::from_ref(channel), time(0)).unwrap();
    }
    // One channel is committed long after the other saw its events: ids do not follow the time.
    let entries = |n: u64| {
        let user = UserId::new(&n.to_string()).unwrap();
        [arrival(&channels[0], &user, n), {
            let mut late = arrival(&channels[1], &user, n);
            late.changes.events[0].window = Window {
                not_before: Some(time(0)),
                not_after: time(i64::try_from(3000 - n).unwrap() * 1_000_000),
            };
            late
        }]
    };
    let mut recorded = Vec::new();
    for start in (1..2500).step_by(500) {
        let entries: Vec<Entry> = (start..start + 500).flat_map(entries).collect();
        recorded.extend(history.commit(&entries).unwrap());
    }
    assert_eq!(recorded.len(), 5000);
    let check = |kept: &[Recorded]| {
        for step in 0..13 {
            let (from, to) = (Some(time(step * 250_000_000)), Some(time((step + 1) * 250_000_000)));
            for span in [(from, to), (from, None), (None, to)] {
                let query = EventQuery { from: span.0, to: span.1, ..EventQuery::default() };
                let expected: Vec<_> =
                    kept.iter().filter(|event| in_span(event.window, span)).cloned().collect();
                assert!(all_events(history.as_ref(), &query, 1000) == expected, "{span:?}");
                let query = EventQuery { channel: Some(channels[0].clone()), ..query };
                let expected: Vec<_> =
                    expected.into_iter().filter(|event| event.channel == channels[0]).collect();
                assert!(all_events(history.as_ref(), &query, 1000) == expected, "{span:?} of one channel");
            }
        }
    };
    check(&recorded);
    while history.expire(time(600_000_000), 700).unwrap() {}
    let expired = usize::try_from(history.event_ids().unwrap().1).unwrap();
    assert_eq!(expired, recorded.iter().take_while(|e| e.window.not_after < time(600_000_000)).count());
    check(&recorded[expired..]);
}

#[test]
fn a_mark_of_an_earlier_start_proves_nothing() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    let others = vec![(lobby(), moment(2_000_000, 2_001_000))];
    history.mark(&Mark { floor: time(9_000_000), others, ..Mark::default() }).unwrap();
    history.recover().unwrap();
    // The wall clock of the next start is behind.
    let again = moment(5_000_000, 5_001_000);
    let run = Run { first: again, last: again, widest: Duration::ZERO, occupancy: 1, grade: Grade::Complete };
    let gaps = vec![Gap::open(time(2_000_000), GapReason::Crashed).closed(again.latest)];
    let changes = Changes { run: Some(run), gaps, ..Changes::default() };
    history.commit(&[Entry { channel: lobby(), changes }]).unwrap();
    assert_eq!(history.channel(&lobby()).unwrap().unwrap().run, Some(run));
    assert_eq!(history.recover().unwrap(), 1);
    let runs = history.runs(&lobby(), time(0), time(i64::MAX)).unwrap();
    assert_eq!(
        runs.iter().map(|run| run.last.earliest.as_micros()).collect::<Vec<_>>(),
        [2_000_000, 5_000_000]
    );
}

#[test]
fn a_channel_that_was_never_observed_is_in_a_gap_from_its_beginning_after_a_crash() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(7)).unwrap();
    assert_eq!(history.recover().unwrap(), 1);
    let kept = history.checkpoint(&lobby()).unwrap().unwrap();
    assert_eq!(kept.open_gaps, [Gap::open(time(7), GapReason::Crashed)]);
    assert_eq!((kept.began, kept.run), (time(7), None));
}

#[test]
fn a_channel_that_begins_again_keeps_its_record() {
    let (_folder, history) = fresh();
    assert!(history.checkpoint(&lobby()).unwrap().is_none());
    assert_eq!(history.channel(&lobby()).unwrap(), None);
    history.begin(&[lobby()], time(7)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    history.begin(&[lobby()], time(9)).unwrap();
    let record = history.channel(&lobby()).unwrap().unwrap();
    assert_eq!(record.began, time(7));
    assert_eq!(
        (record.observed_since, record.complete_since),
        (Some(time(1_001_000)), Some(time(1_001_000)))
    );
    assert_eq!(history.checkpoint(&lobby()).unwrap().unwrap().roster.seq(), 1);
}

#[test]
fn what_is_watched_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    assert!(history.add_watch("room.*").unwrap());
    assert!(history.add_watch("a \0 b").unwrap());
    assert!(!history.add_watch("room.*").unwrap(), "it was there");
    assert!(!history.remove_watch("lobby").unwrap(), "it was not there");
    drop(history);
    let history = open(&folder);
    assert_eq!(history.watches().unwrap(), ["a \0 b", "room.*"]);
    assert!(history.remove_watch("room.*").unwrap());
    assert_eq!(history.watches().unwrap(), ["a \0 b"]);
}

#[test]
fn channels_are_listed_in_order_of_name() {
    let (_folder, history) = fresh();
    for index in 0..CHANNELS {
        history.begin(&[channel_name(index)], time(0)).unwrap();
    }
    let mut expected: Vec<_> = (0..CHANNELS).map(channel_name).collect();
    expected.sort();
    let mut listed: Vec<ChannelName> = Vec::new();
    while let Some(name) = history.channels(listed.last(), 1).unwrap().pop() {
        listed.push(name);
    }
    assert_eq!(listed, expected);
}

#[test]
fn names_that_are_not_in_the_record_have_nothing() {
    let (_folder, history) = fresh();
    let query = EventQuery { user: Some(ada()), limit: 9, ..EventQuery::default() };
    assert_eq!(history.events(&query).unwrap(), []);
    assert_eq!(
        history.visits(&VisitQuery { channel: Some(lobby()), limit: 9, ..VisitQuery::default() }).unwrap(),
        []
    );
    assert_eq!(history.gaps(Some(&lobby()), (None, None), None, 9).unwrap(), []);
    assert_eq!(history.runs(&lobby(), time(0), time(1)).unwrap(), []);
    assert!(!history.knows_user(&ada()).unwrap());
    assert_eq!(history.event_ids().unwrap(), (0, 0));
}

#[test]
fn a_reader_sees_a_commit_as_a_whole() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    let entries: Vec<Entry> = (1..200)
        .flat_map(|n| [arrival(&lobby(), &ada(), 2 * n - 1), departure(&lobby(), &ada(), 2 * n)])
        .collect();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for pair in entries.chunks(2) {
                history.commit(pair).unwrap();
            }
        });
        let query = EventQuery { limit: 1000, ..EventQuery::default() };
        while !writer.is_finished() {
            assert_eq!(history.events(&query).unwrap().len() % 2, 0);
        }
        writer.join().unwrap();
    });
    assert_eq!(all_events(history.as_ref(), &EventQuery::default(), 100).len(), entries.len());
}
