//! Commits are whole or nothing, in order, and of the caller's own view.

use std::time::Duration;

use adsum::domain::channel::Channel;
use adsum::domain::event::{EventKind, Recorded};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::observation::{Observation, Occupant};
use adsum::domain::state::{Shown, State};
use adsum::domain::time::Window;
use adsum::history::{Entry, EventQuery, History, HistoryError, VisitQuery};
use proptest::prelude::*;

use crate::given::{ada, arrival, departure, fresh, lobby, moment, open, settled, time};
use crate::world::{all_events, all_gaps, all_visits, channel_name, user_id};

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
        (arrival(&lobby(), &ada(), 2), "somebody who is there cannot arrive"),
        (departure(&lobby(), &newcomer, 2), "somebody who is not there cannot leave"),
        (settled(&lobby(), &newcomer, 2), "somebody who is not there has no state"),
    ] {
        let failed = history.commit(&[arrival(&other, &newcomer, 1), bad.clone()]);
        assert!(
            matches!(&failed, Err(HistoryError::Conflict { channel }) if *channel == bad.channel),
            "{what}: {failed:?}"
        );
        assert_eq!(everything(history.as_ref()), before, "{what}");
        assert!(!history.knows_user(&newcomer).unwrap());
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
fn windows_after_a_reload_begin_where_the_user_and_the_state_were_last_seen() {
    let (_folder, history) = fresh();
    let began = time(0);
    history.begin(&[lobby()], began).unwrap();
    let mut channel = Channel::begin(lobby(), Duration::from_secs(9), began);
    let mut see = |at: i64, total: u64, state: Option<u8>| -> Recorded {
        let listed = state.map(|n| Occupant { user: ada(), state: Shown::Value(State::new(n.into())) });
        let seen = Observation::new(moment(at, at + 5), total, Some(listed.into_iter().collect())).unwrap();
        let changes = channel.observe(&seen).unwrap().unwrap();
        let recorded = history.commit(&[Entry::new(lobby(), changes)]).unwrap();
        channel = Channel::resume(
            lobby(),
            channel.gap_after,
            history.checkpoint(&lobby()).unwrap().unwrap(),
            time(0),
        );
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

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
