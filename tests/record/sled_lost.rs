//! Power loss of sled alone: its folder is deleted, cut short, overwritten, or of another history. The states are made
//! anew from the history, and that is told once.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;
use jiff::SignedDuration;
use serde_json::json;

use crate::crowd::seed;
use crate::lives::delete_in_use;
use crate::process::{PATIENCE, Process, Settings, start_daemon, start_origin};
use crate::record::{Api, Event, until};
use crate::truth::occupants;
use crate::wire::{Here, Wire};
use crate::witness::states_are_those_of_the_record;

const CHANNELS: [&str; 2] = ["lobby", "4 🦀"];
const USERS: usize = 12;
/// What the log says of it.
const TOLD: &str = "the known states are made anew from the history";

/// What was done to sled's folder.
#[derive(Debug)]
enum Damage {
    Deleted,
    Emptied,
    CutShort,
    Overwritten,
    AllGarbage,
    OfAnother,
}

impl Damage {
    const ALL: [Self; 6] =
        [Self::Deleted, Self::Emptied, Self::CutShort, Self::Overwritten, Self::AllGarbage, Self::OfAnother];

    /// Whether it can be overlooked: what lies behind may be as sled left it.
    fn may_be_none(&self) -> bool {
        matches!(self, Self::CutShort | Self::Overwritten)
    }

    fn befalls(&self, sled: &Path, other: &Path, rng: &mut Rng) {
        match self {
            Self::Deleted => fs::remove_dir_all(sled).unwrap(),
            Self::Emptied => fs::write(sled.join("db"), []).unwrap(),
            Self::AllGarbage => each_file(sled, |bytes| rng.fill(bytes)),
            Self::CutShort => {
                let db = sled.join("db");
                let mut bytes = fs::read(&db).unwrap();
                bytes.truncate(rng.usize(0..used(&bytes)));
                fs::write(db, bytes).unwrap();
            }
            Self::Overwritten => each_file(sled, |bytes| {
                let length = used(bytes);
                let at = rng.usize(0..length);
                let end = (at + rng.usize(1..4_000)).min(length);
                rng.fill(&mut bytes[at..end]);
            }),
            Self::OfAnother => {
                fs::remove_dir_all(sled).unwrap();
                copy(other, sled);
            }
        }
    }
}

#[tokio::test]
async fn states_are_made_anew_whatever_happened_to_their_folder() {
    let mut rng = Rng::with_seed(seed());
    let world = World::new().await;
    let other = world.with_folder(tempfile::tempdir().unwrap());
    end_in_order(other.start().await.0);
    let mut told = 0;
    let rounds = Damage::ALL.iter().chain(&[
        Damage::CutShort,
        Damage::Overwritten,
        Damage::CutShort,
        Damage::Overwritten,
    ]);
    for (round, damage) in rounds.enumerate() {
        let (daemon, api) = world.start().await;
        // Who leaves before the first look was never there.
        api.settled(SignedDuration::ZERO).await;
        world.changes(round).await;
        world.states_are_right(&api).await;
        // Each flush of sled's own may be the last.
        if rng.bool() {
            daemon.kill();
        } else {
            end_in_order(daemon);
        }
        damage.befalls(&world.sled(), &other.sled(), &mut rng);
        let before = world.log().len();
        let (daemon, api) = world.start().await;
        world.states_are_right(&api).await;
        let log = world.log().split_off(before);
        let count = log.matches(TOLD).count();
        assert!(
            count == 1 || count == 0 && damage.may_be_none(),
            "{damage:?} was told {count} times:\n{log}"
        );
        assert_eq!(log.matches("known states").count(), count, "{log}");
        told += count;
        end_in_order(daemon);
    }
    eprintln!("told {told} times");
}

#[tokio::test]
async fn states_ahead_of_a_history_that_was_put_back_are_made_anew() {
    let world = World::new().await;
    let (daemon, api) = world.start().await;
    world.states_are_right(&api).await;
    end_in_order(daemon);
    let (history, copy) = (world.data().join("history.db"), world.data().join("copy.db"));
    fs::copy(&history, &copy).unwrap();
    let (daemon, api) = world.start().await;
    for round in 0..3 {
        world.changes(round).await;
        world.states_are_right(&api).await;
    }
    end_in_order(daemon);
    fs::rename(copy, history).unwrap();
    let before = world.log().len();
    let (_daemon, api) = world.start().await;
    world.states_are_right(&api).await;
    let log = world.log().split_off(before);
    assert_eq!(log.matches(TOLD).count(), 1, "{log}");
}

#[tokio::test]
async fn states_are_right_after_their_folder_was_deleted_while_they_were_kept() {
    let world = World::new().await;
    let (daemon, api) = world.start().await;
    world.states_are_right(&api).await;
    delete_in_use(&world.sled());
    world.changes(1).await;
    world.states_are_right(&api).await;
    daemon.kill();
    let (_daemon, api) = world.start().await;
    world.states_are_right(&api).await;
}

/// Users with states, and a folder for daemons.
struct World {
    _origin: Option<Process>,
    _temporary: tempfile::TempDir,
    folder: PathBuf,
    wire: Wire,
    settings: Settings,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (process, origin) = start_origin(folder.path(), "0s");
        let wire = Wire::new(&origin);
        let mut settings = Settings::new(&origin, &CHANNELS, "200ms", "0s");
        settings.gap_after = Some("60s");
        let path = folder.path().to_owned();
        let world = Self { _origin: Some(process), _temporary: folder, folder: path, wire, settings };
        for number in 0..USERS {
            let channel = CHANNELS[number % CHANNELS.len()];
            world.wire.heartbeat(channel, &user(number), 3600).await;
            world.wire.set_state(channel, &user(number), &json!({ "first": number })).await;
        }
        world
    }

    /// The same users, and another folder.
    fn with_folder(&self, folder: tempfile::TempDir) -> Self {
        Self {
            _origin: None,
            folder: folder.path().to_owned(),
            _temporary: folder,
            wire: self.wire.clone(),
            settings: self.settings.clone(),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn sled(&self) -> PathBuf {
        self.data().join("state.sled")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("daemon.log")).unwrap()
    }

    async fn start(&self) -> (Process, Api) {
        let daemon = start_daemon(&self.folder, &self.settings);
        let api = Api::new(&daemon.address(PATIENCE).expect("it serves"));
        api.ready().await;
        (daemon, api)
    }

    /// Some change their state, some go and some come back.
    async fn changes(&self, round: usize) {
        for number in 0..USERS {
            let channel = CHANNELS[number % CHANNELS.len()];
            match (number + round) % 4 {
                0 => drop(self.wire.leave(channel, &user(number)).await),
                1 => {
                    self.wire.heartbeat(channel, &user(number), 3600).await;
                    self.wire
                        .set_state(channel, &user(number), &json!({ "round": round, "n": number }))
                        .await;
                }
                _ => {}
            }
        }
    }

    /// The states are those of the record once that has caught up with the origin.
    async fn states_are_right(&self, api: &Api) {
        api.settled(SignedDuration::ZERO).await;
        let here: std::collections::BTreeMap<String, Here> = self.wire.here().await;
        until("occupants are those of the origin", async || occupants(api).await == here).await;
        let events: Vec<Event> = api.events().await;
        let count = states_are_those_of_the_record(api, &events, &here).await;
        assert!(count >= USERS, "{count}");
    }
}

fn end_in_order(mut daemon: Process) {
    daemon.terminate();
    let status = daemon.ended(Duration::from_secs(6)).expect("it ends");
    assert!(status.success(), "{status}: {}", daemon.log());
}

fn user(number: usize) -> String {
    format!("{number} \"🦀\"")
}

/// How much of a file is used; sled's files are longer.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1)
}

fn each_file(folder: &Path, mut change: impl FnMut(&mut [u8])) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let mut bytes = fs::read(&path).unwrap();
            if !bytes.is_empty() {
                change(&mut bytes);
            }
            fs::write(path, bytes).unwrap();
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
