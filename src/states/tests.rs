use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::domain::channel::{Changes, Channel};
use crate::domain::gap::{Gap, GapReason};
use crate::domain::observation::{Observation, Occupant};
use crate::domain::state::State;
use crate::domain::time::Moment;
use crate::history::sqlite::Sqlite;
use crate::history::{Entry, VisitQuery};

/// A history with one channel per name, all in one folder that goes when this does.
struct World {
    folder: TempDir,
    history: Sqlite,
    channels: Vec<Channel>,
    now: i64,
}

fn channel_name(index: usize) -> ChannelName {
    ChannelName::new(["lobby", "b\0", "\0b"][index]).unwrap()
}

/// Ids that a careless key would confuse: with each other, or with the channels' names.
fn user_id(index: u8) -> UserId {
    UserId::new(["a", "ab", "a\0", "\0"][usize::from(index)]).unwrap()
}

fn time(micros: i64) -> Time {
    Time::from_micros(micros)
}

fn state(n: u8) -> Shown {
    match n {
        0 => Shown::Unknown,
        1 => Shown::Empty,
        n => Shown::Value(State::new(serde_json::json!({ "n": n }))),
    }
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let history = Sqlite::open(&folder.path().join("history.db")).unwrap();
        let channels = (0..3).map(|index| {
            history.begin(&[channel_name(index)], time(0)).unwrap();
            Channel::begin(channel_name(index), std::time::Duration::from_secs(9), time(0))
        });
        let channels = channels.collect();
        Self { folder, history, channels, now: 0 }
    }

    /// A complete observation of these users with these states.
    fn see(&mut self, channel: usize, users: &[(u8, u8)]) {
        self.now += 10;
        let moment = Moment { earliest: time(self.now), latest: time(self.now + 5) };
        let listed = users.iter().map(|&(user, n)| Occupant { user: user_id(user), state: state(n) });
        let seen = Observation::new(moment, users.len() as u64, Some(listed.collect())).unwrap();
        let channel = &mut self.channels[channel];
        match channel.observe(&seen).unwrap() {
            Some(changes) => {
                let entry = Entry::new(channel.name.clone(), changes.clone());
                self.history.commit(&[entry]).unwrap();
                channel.apply(&seen, &changes);
            }
            None => channel.confirm(&seen),
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("states.sled")
    }

    /// Opens the folder. A folder that was just closed is let go by a thread of sled's own, some time later.
    fn states(&self) -> States {
        loop {
            match States::open(&self.path()) {
                Err(StatesError::InUse { .. }) => std::thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }
}

impl States {
    fn db(&self) -> sled::Db {
        self.folder.read().as_ref().unwrap().db.clone()
    }
}

fn known(states: &States, user: u8) -> Vec<(ChannelName, Shown, i64, bool)> {
    let known = states.states_of(&user_id(user), None, 99).unwrap();
    known.into_iter().map(|k| (k.channel, k.state, k.observed_at.as_micros(), k.present)).collect()
}

fn all_known(states: &States) -> Vec<Vec<(ChannelName, Shown, i64, bool)>> {
    (0..4).map(|user| known(states, user)).collect()
}

#[test]
fn the_last_known_state_stays_after_a_leave() {
    let mut world = World::new();
    let states = world.states();
    world.see(0, &[(0, 2)]);
    world.see(0, &[(0, 3)]);
    assert_eq!(states.catch_up(&world.history).unwrap(), 2);
    assert_eq!(known(&states, 0), [(channel_name(0), state(3), 25, true)]);
    world.see(0, &[]);
    assert_eq!(states.catch_up(&world.history).unwrap(), 1);
    assert_eq!(known(&states, 0), [(channel_name(0), state(3), 25, false)]);
    world.see(0, &[(0, 0)]);
    states.catch_up(&world.history).unwrap();
    assert_eq!(
        known(&states, 0),
        [(channel_name(0), state(3), 25, true)],
        "back, with a state not asked for"
    );
    world.see(0, &[(0, 1)]);
    states.catch_up(&world.history).unwrap();
    assert_eq!(known(&states, 0), [(channel_name(0), Shown::Empty, 55, true)]);
    assert_eq!(states.catch_up(&world.history).unwrap(), 0, "nothing twice");
}

#[test]
fn a_state_that_was_never_known_is_not_listed() {
    let mut world = World::new();
    let states = world.states();
    world.see(0, &[(0, 0)]);
    world.see(0, &[]);
    states.catch_up(&world.history).unwrap();
    assert_eq!(known(&states, 0), []);
}

#[test]
fn states_are_listed_in_order_of_channel_at_most_so_many() {
    let mut world = World::new();
    let states = world.states();
    for channel in 0..3 {
        world.see(channel, &[(0, 2), (2, 2)]);
    }
    states.catch_up(&world.history).unwrap();
    let mut listed: Vec<ChannelName> = Vec::new();
    loop {
        let page = states.states_of(&user_id(0), listed.last(), 1).unwrap();
        assert!(page.len() <= 1);
        let Some(last) = page.into_iter().next() else { break };
        listed.push(last.channel);
    }
    assert_eq!(listed, [channel_name(2), channel_name(1), channel_name(0)]);
}

#[test]
fn states_outlast_a_restart_and_go_on_where_they_were() {
    let mut world = World::new();
    world.see(0, &[(0, 2), (1, 2)]);
    {
        let states = world.states();
        assert_eq!(states.catch_up(&world.history).unwrap(), 2);
        states.flush().unwrap();
    }
    world.see(0, &[(0, 2)]);
    let (states, anew) = States::open_or_rebuild(&world.path()).unwrap();
    assert!(!anew);
    assert_eq!(states.catch_up(&world.history).unwrap(), 1);
    assert_eq!(known(&states, 1), [(channel_name(0), state(2), 15, false)]);
}

#[test]
fn a_deleted_folder_is_made_anew() {
    let mut world = World::new();
    world.see(0, &[(0, 2)]);
    world.states().catch_up(&world.history).unwrap();
    std::fs::remove_dir_all(world.path()).unwrap();
    let states = world.states();
    assert_eq!(states.catch_up(&world.history).unwrap(), 1);
    assert_eq!(known(&states, 0).len(), 1);
}

#[test]
fn states_of_another_history_are_made_anew() {
    let (mut world, mut other) = (World::new(), World::new());
    world.see(0, &[(0, 2)]);
    other.see(1, &[(1, 3)]);
    let states = world.states();
    states.catch_up(&world.history).unwrap();
    assert_eq!(states.catch_up(&other.history).unwrap(), 1);
    assert_eq!(all_known(&states), [vec![], vec![(channel_name(1), state(3), 15, true)], vec![], vec![]]);
}

#[test]
fn states_ahead_of_their_history_are_made_anew() {
    let mut world = World::new();
    world.see(0, &[(0, 2)]);
    let states = world.states();
    states.catch_up(&world.history).unwrap();
    let ahead = record::Checkpoint {
        history: world.history.id().to_owned(),
        event: 99,
        print: 0,
        sum: sum::Sum::default(),
    };
    states.db().insert(record::CHECKPOINT_KEY, record::write(&ahead).unwrap()).unwrap();
    states.db().insert(record::key(&user_id(3), &channel_name(0)), b"never happened".as_slice()).unwrap();
    assert_eq!(states.catch_up(&world.history).unwrap(), 1);
    assert_eq!(known(&states, 3), []);
    assert_eq!(known(&states, 0).len(), 1);
}

#[test]
fn entries_that_cannot_be_read_are_made_anew() {
    let mut world = World::new();
    world.see(0, &[(0, 2)]);
    let states = world.states();
    states.catch_up(&world.history).unwrap();
    let key = record::key(&user_id(0), &channel_name(0));
    for garbage in [b"{".as_slice(), br#"{"state":"{","observed_at":1,"present":true}"#] {
        states.db().insert(key.as_slice(), garbage).unwrap();
        let damaged = states.states_of(&user_id(0), None, 9);
        assert!(
            matches!(&damaged, Err(error @ StatesError::Damaged { .. }) if !error.is_retryable()),
            "{damaged:?}"
        );
        assert_eq!(states.catch_up(&world.history).unwrap(), 1);
        assert_eq!(known(&states, 0), [(channel_name(0), state(2), 15, true)]);
    }
    states.db().insert(key.as_slice(), b"{".as_slice()).unwrap();
    world.see(0, &[]);
    assert_eq!(states.catch_up(&world.history).unwrap(), 2, "met while taking a leave over");
    assert_eq!(known(&states, 0), [(channel_name(0), state(2), 15, false)]);
    states.db().insert(record::CHECKPOINT_KEY, b"{".as_slice()).unwrap();
    assert_eq!(states.catch_up(&world.history).unwrap(), 2);
}

/// Everybody in the first two channels, twice.
fn busy() -> World {
    let mut world = World::new();
    for n in [2, 3] {
        world.see(0, &[(0, n), (1, n), (2, n), (3, n)]);
        world.see(1, &[(0, n), (1, n), (2, n), (3, n)]);
    }
    world
}

#[test]
fn an_entry_that_was_lost_or_changed_unnoticed_is_found_at_the_next_start() {
    let world = busy();
    let right = {
        let states = world.states();
        states.catch_up(&world.history).unwrap();
        all_known(&states)
    };
    let key = record::key(&user_id(1), &channel_name(0));
    let changed = br#"{"state":"{\"n\":2}","observed_at":15,"present":true}"#;
    for damage in [None, Some(&changed[..])] {
        let states = world.states();
        assert_eq!(states.catch_up(&world.history).unwrap(), 0, "whole so far");
        match damage {
            None => drop(states.db().remove(&key).unwrap().unwrap()),
            Some(changed) => assert_ne!(states.db().insert(&key, changed).unwrap().unwrap(), changed),
        }
        states.flush().unwrap();
        drop(states);
        let states = world.states();
        assert_eq!(states.catch_up(&world.history).unwrap(), 16, "all of it anew");
        assert_eq!(all_known(&states), right);
    }
}

#[test]
fn nothing_is_answered_before_the_entries_were_looked_through() {
    let mut world = World::new();
    world.see(0, &[(0, 2)]);
    let states = world.states();
    let early = states.states_of(&user_id(0), None, 9);
    assert!(
        matches!(&early, Err(error @ StatesError::Unavailable { .. }) if error.is_retryable()),
        "{early:?}"
    );
    states.catch_up(&world.history).unwrap();
    assert_eq!(known(&states, 0).len(), 1);
}

#[test]
fn states_of_a_history_that_was_put_back_and_went_on_differently_are_made_anew() {
    let mut world = World::new();
    let states = world.states();
    world.see(0, &[(0, 2)]);
    let copy = world.folder.path().join("copy.db");
    // What an operator's copy is.
    let source = rusqlite::Connection::open(world.folder.path().join("history.db")).unwrap();
    source.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    world.see(0, &[(0, 2), (1, 2)]);
    states.catch_up(&world.history).unwrap();
    drop(states);
    let (id, channels) = (world.history.id().to_owned(), std::mem::take(&mut world.channels));
    world.history = Sqlite::open(&copy).unwrap();
    assert_eq!(world.history.id(), id);
    let resume = |channel: Channel| {
        let kept = world.history.checkpoint(&channel.name).unwrap().unwrap();
        Channel::resume(channel.name, std::time::Duration::from_secs(9), kept, time(world.now))
    };
    world.channels = channels.into_iter().map(resume).collect();
    world.see(0, &[(0, 2), (2, 3)]);
    let states = world.states();
    assert_eq!(states.catch_up(&world.history).unwrap(), 2);
    assert_eq!(known(&states, 1), [], "this never happened in this history");
    assert_eq!(known(&states, 2), [(channel_name(0), state(3), 35, true)]);
}

#[test]
fn a_folder_in_which_sled_has_failed_is_opened_again() {
    let mut world = busy();
    let states = world.states();
    states.catch_up(&world.history).unwrap();
    states.folder.read().as_ref().unwrap().has_failed.store(true, Ordering::Relaxed);
    world.see(0, &[]);
    assert_eq!(states.catch_up(&world.history).unwrap(), 4);
    assert_eq!(known(&states, 3)[1], (channel_name(0), state(3), 35, false));
    let panicked = states.guarded(|_| -> Result<()> { panic!("as sled does") });
    assert!(matches!(panicked, Err(StatesError::Damaged { .. })), "{panicked:?}");
    assert_eq!(states.catch_up(&world.history).unwrap(), 0, "what is there is whole");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_file_that_was_cut_short_or_overwritten_anywhere_never_makes_a_false_state(
        file in 0usize..9, at in 0.0..1.0f64, garbage in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..3000)),
    ) {
        let world = busy();
        let right = {
            let states = world.states();
            states.catch_up(&world.history).unwrap();
            states.flush().unwrap();
            all_known(&states)
        };
        let files: Vec<_> = std::fs::read_dir(world.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        let files: Vec<_> = files.into_iter().filter(|path| path.is_file()).collect();
        let path = &files[file % files.len()];
        let mut bytes = std::fs::read(path).unwrap();
        // The whole file is much longer than what is used of it.
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place")]
        let at = (used as f64 * at) as usize;
        match garbage {
            None => bytes.truncate(at),
            Some(garbage) => {
                bytes.resize(bytes.len().max(at + garbage.len()), 0);
                bytes[at..at + garbage.len()].copy_from_slice(&garbage);
            }
        }
        std::fs::write(path, bytes).unwrap();
        let states = loop {
            match States::open_or_rebuild(&world.path()) {
                Err(StatesError::InUse { .. }) => std::thread::yield_now(),
                opened => break opened.unwrap().0,
            }
        };
        states.catch_up(&world.history).unwrap();
        prop_assert_eq!(all_known(&states), right);
    }
}

#[test]
fn where_events_expired_the_visits_that_last_tell_who_is_there() {
    let mut world = World::new();
    world.see(0, &[(0, 2), (1, 2)]);
    let states = world.states();
    states.catch_up(&world.history).unwrap();
    world.see(0, &[(0, 3)]);
    world.see(1, &[(2, 2)]);
    assert!(!world.history.expire(time(26), 99).unwrap());
    assert_eq!(world.history.event_ids().unwrap(), (5, 4));
    assert_eq!(states.catch_up(&world.history).unwrap(), 1, "the events between were never seen");
    let expected = [
        vec![(channel_name(0), state(3), 25, true)],
        vec![],
        vec![(channel_name(1), state(2), 35, true)],
        vec![],
    ];
    assert_eq!(all_known(&states), expected);
}

#[test]
fn a_folder_in_use_is_said_to_be() {
    let world = World::new();
    let _states = world.states();
    let refused = States::open_or_rebuild(&world.path()).err().unwrap();
    assert!(matches!(refused, StatesError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("states.sled") && refused.is_retryable());
}

#[test]
fn a_place_that_cannot_be_opened_is_refused_by_name_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    for path in [file.clone(), file.join("states.sled")] {
        let refused = States::open_or_rebuild(&path).err().unwrap();
        assert!(matches!(refused, StatesError::Unavailable { .. }), "{refused:?}");
        assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
}

#[test]
fn a_damaged_folder_is_made_anew_and_nothing_but_sleds_own_files_are_deleted() {
    let mut world = World::new();
    world.see(0, &[(0, 2)]);
    let mut rebuilt = 0;
    for (file, content) in [
        ("conf", b"no configuration".to_vec()),
        ("db", vec![0xA5; 4096]),
        ("db", vec![]),
        ("db", vec![0; 100_000]),
        ("conf", vec![]),
    ] {
        let states = world.states();
        states.catch_up(&world.history).unwrap();
        states.flush().unwrap();
        drop(states);
        std::fs::write(world.path().join("mine.txt"), "mine").unwrap();
        std::fs::write(world.path().join(file), content).unwrap();
        let (states, anew) = States::open_or_rebuild(&world.path()).unwrap();
        rebuilt += usize::from(anew);
        states.catch_up(&world.history).unwrap();
        assert_eq!(known(&states, 0), [(channel_name(0), state(2), 15, true)], "{file}");
    }
    assert!(rebuilt > 0, "sled refuses at least some of these");
    assert_eq!(std::fs::read_to_string(world.path().join("mine.txt")).unwrap(), "mine");
}

#[test]
fn users_of_a_channel_that_is_no_longer_watched_are_still_known() {
    let mut world = World::new();
    world.see(0, &[(0, 2)]);
    let changes = Changes { gaps: vec![Gap::open(time(20), GapReason::Unwatched)], ..Changes::default() };
    world.history.commit(&[Entry::new(channel_name(0), changes)]).unwrap();
    let states = world.states();
    states.catch_up(&world.history).unwrap();
    assert_eq!(known(&states, 0), [(channel_name(0), state(2), 15, true)]);
}

impl World {
    /// The watch of a channel ends.
    fn unwatch(&mut self, channel: usize) {
        let changes = Changes {
            gaps: vec![Gap::open(time(self.now), GapReason::Unwatched)],
            ..self.channels[channel].stop(time(self.now), GapReason::Unwatched)
        };
        self.history.commit(&[Entry::new(channel_name(channel), changes)]).unwrap();
    }

    /// It begins once more, with nothing known.
    fn begin_again(&mut self, channel: usize) {
        self.history.begin(&[channel_name(channel)], time(self.now)).unwrap();
        self.channels[channel] =
            Channel::begin(channel_name(channel), std::time::Duration::from_secs(9), time(self.now));
    }

    fn forget_before(&self, before: i64) {
        while self.history.expire(time(before), 99).unwrap() {}
    }
}

#[test]
fn the_state_of_somebody_who_left_goes_with_the_visit() {
    let mut world = World::new();
    let states = world.states();
    world.see(0, &[(0, 2), (1, 2), (2, 2)]);
    world.see(0, &[(1, 2), (2, 2)]);
    world.see(0, &[(2, 2)]);
    world.forget_before(30);
    states.catch_up(&world.history).unwrap();
    let stays = |user, present| vec![(channel_name(0), state(user), 15, present)];
    assert_eq!(
        all_known(&states),
        [vec![], stays(2, false), stays(2, true), vec![]],
        "the second one's visit is kept, as old as the state is; the third is still there"
    );
    world.forget_before(36);
    assert_eq!(states.catch_up(&world.history).unwrap(), 0);
    assert_eq!(all_known(&states), [vec![], vec![], stays(2, true), vec![]]);
}

#[test]
fn the_states_in_a_channel_that_is_forgotten_go() {
    let mut world = World::new();
    let states = world.states();
    world.see(0, &[(0, 2), (1, 2)]);
    world.see(1, &[(0, 3)]);
    states.catch_up(&world.history).unwrap();
    world.unwatch(0);
    world.now += 10;
    world.forget_before(29);
    world.begin_again(0);
    world.see(0, &[(1, 0)]);
    assert_eq!(states.catch_up(&world.history).unwrap(), 1, "back, with a state not asked for");
    assert_eq!(known(&states, 0), [(channel_name(1), state(3), 25, true)]);
    assert_eq!(known(&states, 1), [], "nothing is known of the new channel");
}

#[test]
fn a_call_looks_at_so_many_entries_for_what_is_forgotten_and_the_next_goes_on_from_there() {
    let mut world = World::new();
    world.see(0, &[(0, 2), (1, 2), (2, 2), (3, 2)]);
    world.see(0, &[]);
    world.see(1, &[(0, 2)]);
    world.states().catch_up(&world.history).unwrap();
    world.forget_before(30);
    let mut left = Vec::new();
    for _ in 0..4 {
        // A restart in between changes nothing.
        let states = world.states();
        states.catch_up_by(&world.history, 2).unwrap();
        left.push(all_known(&states).concat().len());
    }
    assert_eq!(left, [4, 2, 1, 1], "two of the five at a time; the one that stays is in the first two");
}

#[test]
fn made_anew_the_last_state_of_a_visit_that_is_over_is_known_though_its_beginning_expired() {
    let mut world = World::new();
    let states = world.states();
    world.see(0, &[(0, 2)]);
    world.see(0, &[(0, 3), (1, 2)]);
    states.catch_up(&world.history).unwrap();
    world.see(0, &[(0, 3)]);
    world.see(0, &[]);
    world.forget_before(30);
    assert_eq!(world.history.event_ids().unwrap(), (5, 3), "only the leaves are left");
    states.guarded(folder::Folder::clear).unwrap();
    states.whole.store(false, Ordering::Relaxed);
    assert_eq!(states.catch_up(&world.history).unwrap(), 2);
    assert_eq!(known(&states, 0), [(channel_name(0), state(3), 25, false)]);
    assert_eq!(known(&states, 1), [(channel_name(0), state(2), 25, false)]);
}

#[test]
fn a_damaged_note_of_what_was_forgotten_is_made_anew() {
    let mut world = World::new();
    world.see(0, &[(0, 2)]);
    world.see(0, &[]);
    world.see(0, &[(1, 2)]);
    let states = world.states();
    states.catch_up(&world.history).unwrap();
    world.forget_before(26);
    states.db().insert(record::FORGOTTEN_KEY, b"{".as_slice()).unwrap();
    states.catch_up(&world.history).unwrap();
    assert_eq!(all_known(&states), [vec![], vec![(channel_name(0), state(2), 35, true)], vec![], vec![]]);
}

#[test]
fn a_key_tells_whose_entry_it_is() {
    for user in 0..4 {
        for channel in 0..3 {
            let (user, channel) = (user_id(user), channel_name(channel));
            assert_eq!(record::names(&record::key(&user, &channel)), Ok((user, channel)));
        }
    }
    for bad in
        [&b""[..], b"u", b"u\0", b"u\0\x05abc", b"u\0\x01a", b"u\0\0a", b"u\0\x01\xffa", b"u\0\x01a\xff"]
    {
        assert!(record::names(bad).is_err(), "{bad:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_known_after_the_history_forgot_is_what_it_tells_anew(
        sights in proptest::collection::vec(
            (0usize..3, proptest::collection::btree_map(0u8..4, 0u8..4, 0..4)), 1..30,
        ),
        steps in proptest::collection::vec((0u8..4, 1usize..5, 0i64..200, 0u8..12), 30),
    ) {
        let mut world = World::new();
        let states = world.states();
        for ((channel, users), (catch_up, page, age, unwatched)) in sights.into_iter().zip(steps) {
            if unwatched == 0 {
                world.unwatch(channel);
                world.now += 10;
                world.forget_before(world.now);
                world.begin_again(channel);
            }
            world.see(channel, &users.into_iter().collect::<Vec<_>>());
            if catch_up == 0 {
                states.catch_up_by(&world.history, page).unwrap();
                world.history.expire(time(world.now - age), page).unwrap();
            }
        }
        let anew = States::open(&world.folder.path().join("anew.sled")).unwrap();
        for _ in 0..30 {
            states.catch_up_by(&world.history, 1).unwrap();
            anew.catch_up_by(&world.history, 5).unwrap();
        }
        prop_assert_eq!(all_known(&states), all_known(&anew));
        for (index, known) in all_known(&states).into_iter().enumerate() {
            let user = user_id(u8::try_from(index).unwrap());
            for (channel, state, at, present) in known {
                let query = VisitQuery {
                    channel: Some(channel), user: Some(user.clone()), limit: 99, ..VisitQuery::default()
                };
                let visits = world.history.visits(&query).unwrap();
                let last = visits.iter().rfind(|visit| visit.state.is_known()).unwrap();
                prop_assert_eq!((&last.state, last.state_since.unwrap().not_after), (&state, time(at)));
                prop_assert_eq!(visits.last().unwrap().left.is_none(), present);
            }
        }
    }

    #[test]
    fn catching_up_in_any_steps_is_making_anew(
        sights in proptest::collection::vec(
            (0usize..3, proptest::collection::btree_map(0u8..4, 0u8..4, 0..4)), 1..20,
        ),
        pages in proptest::collection::vec(proptest::option::of(1usize..5), 20),
    ) {
        let mut world = World::new();
        let states = world.states();
        let mut expected = std::collections::BTreeMap::new();
        for ((channel, users), page) in sights.into_iter().zip(pages) {
            world.see(channel, &users.into_iter().collect::<Vec<_>>());
            if let Some(page) = page {
                states.catch_up_by(&world.history, page).unwrap();
            }
        }
        states.catch_up_by(&world.history, 3).unwrap();
        let anew = States::open(&world.folder.path().join("anew.sled")).unwrap();
        anew.catch_up(&world.history).unwrap();
        prop_assert_eq!(all_known(&states), all_known(&anew));
        let query = crate::history::EventQuery { limit: 10_000, ..Default::default() };
        for event in world.history.events(&query).unwrap() {
            if event.kind != crate::domain::event::EventKind::Leave && event.state.is_known() {
                expected.insert((event.user, event.channel), (event.state, event.window.not_after.as_micros()));
            }
        }
        for (index, known) in all_known(&states).into_iter().enumerate() {
            let user = user_id(u8::try_from(index).unwrap());
            for (channel, state, at, present) in known {
                let there = world.channels.iter().find(|c| c.name == channel).unwrap().roster().members();
                prop_assert_eq!(present, there.contains_key(&user));
                prop_assert_eq!(expected.remove(&(user.clone(), channel)), Some((state, at)));
            }
        }
        prop_assert!(expected.is_empty(), "every known state is listed: {:?}", expected);
    }
}
