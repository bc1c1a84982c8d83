//! The suite. Each test takes a fresh history; another adapter runs the same by adding itself to [`fresh`].

use std::time::Duration;

use adsum::domain::channel::{Changes, Channel};
use adsum::domain::event::{Event, EventKind};
use adsum::domain::gap::GapReason;
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::observation::Grade;
use adsum::domain::roster::Roster;
use adsum::domain::state::Shown;
use adsum::domain::time::{Moment, Time, Window};
use adsum::domain::visit::Visit;
use adsum::history::sqlite::Sqlite;
use adsum::history::{Entry, EventQuery, History, HistoryError, Mark, VisitQuery};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::world::{
    CHANNELS, GAP_AFTER, Happening, World, all_events, all_gaps, all_visits, channel_name, happenings,
    in_span, user_id,
};

/// An empty history, and the folder that goes when it does.
fn fresh() -> (TempDir, Box<dyn History>) {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    (folder, history)
}

/// The history in this folder.
fn open(folder: &TempDir) -> Box<dyn History> {
    Box::new(Sqlite::open(folder.path().join("history.db").to_str().unwrap()).unwrap())
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
        assert!(kept.listed(same).map(|m| m.latest) <= live.listed(member).map(|m| m.latest));
    }
}

/// Everything that must hold of a history after its channels were stopped.
fn assert_record(world: &World<'_>) {
    let history = world.history;
    let everything = EventQuery::default();
    assert_eq!(all_events(history, &everything, 7), world.recorded);
    assert!(world.recorded.windows(2).all(|pair| pair[0].id < pair[1].id), "ids only grow");
    assert_eq!(history.event_ids().unwrap(), (world.recorded.last().map_or(0, |event| event.id), 0));
    for channel in &world.channels {
        let kept = history.checkpoint(&channel.name).unwrap().unwrap();
        assert_same_roster(&kept.roster, channel.roster());
        assert_eq!(kept.run.as_ref(), channel.run());
        assert_eq!(kept.began, channel.began);
        assert!(kept.open_gaps.contains(channel.open_gap().unwrap()));
    }
    for visit in all_visits(history, &VisitQuery::default(), 5) {
        let told = world
            .visits()
            .into_iter()
            .find(|told| told.channel == visit.channel && told.opened == visit.opened);
        let told = told.unwrap();
        assert!(visit.listed_until <= told.listed_until);
        assert_eq!(Visit { listed_until: told.listed_until, ..visit }, told);
    }
    assert_eq!(all_visits(history, &VisitQuery::default(), 5).len(), world.visits().len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_record_agrees_with_what_happened(happenings in happenings()) {
        let (_folder, history) = fresh();
        let mut world = World::begin(history.as_ref());
        world.live(&happenings);
        world.stop();
        assert_record(&world);
    }
}
