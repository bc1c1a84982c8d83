//! The record agrees with what happened, also after a crash.

use std::collections::BTreeMap;

use adsum::domain::channel::Channel;
use adsum::domain::event::EventKind;
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::roster::{Member, Roster};
use adsum::domain::time::Time;
use adsum::domain::visit::Visit;
use adsum::history::{EventQuery, VisitQuery};
use proptest::prelude::*;

use crate::given::{earliest, fresh, open, time};
use crate::world::{World, all_events, all_gaps, all_visits, happenings, in_order, sorted};

/// The same, whatever was not committed about single users.
pub(crate) fn assert_same_roster(kept: &Roster, live: &Roster) {
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
        assert!(kept.open_gaps.contains(&channel.open_gap(time(i64::MIN)).unwrap()));
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

/// The open full gap, if there is one.
fn full_gap(channel: &Channel) -> Option<Gap> {
    channel.open_gap(time(i64::MIN)).filter(|gap| !gap.users_only)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_record_agrees_with_what_happened(happenings in happenings()) {
        let (_folder, history) = fresh();
        assert_record(&World::after(history.as_ref(), &happenings));
    }

    #[test]
    fn replaying_the_events_gives_the_roster(happenings in happenings()) {
        let (_folder, history) = fresh();
        let world = World::after(history.as_ref(), &happenings);
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
}
