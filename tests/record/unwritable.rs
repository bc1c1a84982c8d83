//! The history cannot be written: the disk is full, another process holds the lock, the folder is gone. Observing goes
//! on, nothing false is recorded, and recording resumes by itself.
//!
//! A file system that is mounted read-only cannot be made without privileges, and `chmod` does not stop root; what
//! `SQLite` says then is tested with its other errors, beside their meaning.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::crowd::{Crowd, seed};
use crate::judge::Judge;
use crate::lives::delete_in_use;
use crate::process::{PATIENCE, Process, Settings, start_limited_daemon, start_origin};
use crate::proxy::Proxy;
use crate::record::{Api, Event, Gap, List, Visit, until};
use crate::truth::occupants;
use crate::wire::Span;
use crate::witness::{self, Witness, states_are_those_of_the_record};

const CHANNELS: [&str; 4] = ["one", "two / 2", "three%33", "still"];
/// In so many of them people come and go; in the others they stay.
const LIVELY: usize = 3;
/// How long nothing can be written, after adsum has said so.
const OUTAGE: Duration = Duration::from_secs(3);
/// What a daemon may need more for that, in KiB.
const MEMORY: u64 = 32 * 1024;

#[tokio::test]
async fn a_full_disk_is_told_survived_and_spanned() {
    let world = World::new().await;
    world
        .endures(
            "the disk refuses",
            |world| {
                let log = fs::metadata(world.data().join("history.db-wal")).unwrap().len();
                world.daemon.limit_files(Some(log));
            },
            |world, ()| world.daemon.limit_files(None),
        )
        .await;
}

#[tokio::test]
async fn a_lock_held_by_another_process_is_told_survived_and_spanned() {
    let world = World::new().await;
    world
        .endures(
            "another process holds its lock",
            |world| hold(&world.data().join("history.db")),
            |_, lock| drop(lock),
        )
        .await;
}

#[tokio::test]
async fn a_folder_that_was_moved_away_is_told_survived_and_spanned() {
    let world = World::new().await;
    let away = world.folder.path().join("away");
    let back = away.clone();
    world
        .endures(
            "moved",
            move |world| fs::rename(world.data(), &away).unwrap(),
            move |world, ()| {
                // sled makes its own anew.
                let _ = fs::remove_dir_all(world.data());
                fs::rename(&back, world.data()).unwrap();
            },
        )
        .await;
}

#[tokio::test]
async fn a_folder_that_was_deleted_is_told_and_nothing_is_shown_that_would_be_gone() {
    let mut world = World::new().await;
    let before: Vec<Event> = world.api.events().await;
    assert!(!before.is_empty());
    delete_in_use(&world.data());
    let said = world.says_why().await;
    assert!(said.contains("deleted") && said.contains("history.db"), "{said}");
    let shown = world.last_shown().await;
    world.polls_go_on().await;
    assert_eq!(world.last_shown().await, shown, "it is shown, and will be lost");
    world.crowd.dismiss();
    world.daemon.terminate();
    let status =
        world.daemon.ended(Duration::from_secs(6)).expect("a stop that cannot be recorded ends all the same");
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn a_history_that_cannot_be_written_at_start_is_refused_with_its_name_and_what_to_do() {
    let held = |data: &Path| {
        fs::create_dir_all(data).unwrap();
        let path = data.join("history.db");
        Connection::open(&path).unwrap().pragma_update(None, "journal_mode", "WAL").unwrap();
        Some(hold(&path))
    };
    let folder = |name: &'static str| {
        move |data: &Path| {
            fs::create_dir_all(data.join(name)).unwrap();
            None
        }
    };
    let file = |data: &Path| {
        fs::write(data, "a file where the folder should be").unwrap();
        None
    };
    refused(held, "unlimited", "history.db", "end that process, or wait");
    refused(file, "unlimited", "data", "cannot be made");
    refused(folder("history.db"), "unlimited", "history.db", "cannot be opened: see that");
    refused(folder("history.db-wal"), "unlimited", "history.db", "see whether");
    refused(|_| None, "16", "history.db", "see whether");
}

/// Breaks the data folder, and has the daemon say why it does not start.
fn refused(breaks: impl FnOnce(&Path) -> Option<Connection>, limit: &str, name: &str, what_to_do: &str) {
    let folder = tempfile::tempdir().unwrap();
    let _held = breaks(&folder.path().join("data"));
    let settings = Settings::new("127.0.0.1:9", &["lobby"], "1s", "0s");
    let mut daemon = start_limited_daemon(folder.path(), &settings, limit);
    let status = daemon.ended(PATIENCE).expect("it does not start");
    let said = daemon.log();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(name) && said.contains(what_to_do), "{what_to_do:?}: {said}");
    assert!(said.lines().count() <= 4, "in few words: {said}");
}

/// Holds a history's lock until dropped.
fn hold(history: &Path) -> Connection {
    let other = Connection::open(history).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    other
}

/// A daemon that watches a crowd, and what it told.
struct World {
    folder: tempfile::TempDir,
    _origin: Process,
    daemon: Process,
    proxy: Proxy,
    crowd: Crowd,
    scripts: JoinSet<()>,
    api: Api,
    witness: Witness,
    watching: JoinSet<()>,
    _address: watch::Sender<(usize, Option<Api>)>,
}

impl World {
    async fn new() -> Self {
        let mut rng = Rng::with_seed(seed());
        let folder = tempfile::tempdir().unwrap();
        let (origin_process, origin) = start_origin(folder.path(), "0s");
        let proxy = Proxy::start(&origin).await;
        let mut settings = Settings::new(&proxy.address, &CHANNELS, "200ms", "0s");
        // Polls may be late on a busy machine; here only the outage shall make gaps.
        settings.gap_after = Some("60s");
        let daemon = start_limited_daemon(folder.path(), &settings, "unlimited");
        let api = Api::new(&daemon.address(PATIENCE).expect("it serves"));
        api.ready().await;
        api.settled(SignedDuration::ZERO).await;
        let address = watch::Sender::new((1, Some(api.clone())));
        let witness = Witness::new(address.subscribe());
        let watching = witness.watch(&mut rng);
        until("the stream is open", async || witness.last_id().is_some()).await;
        let crowd = Crowd::new(&origin, PATIENCE * 4);
        let scripts = users(&crowd, &mut rng);
        until("there is something to lose", async || witness.last_id() >= Some(40)).await;
        Self {
            folder,
            _origin: origin_process,
            daemon,
            proxy,
            crowd,
            scripts,
            api,
            witness,
            watching,
            _address: address,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Everything that must hold while the history cannot be written, and after.
    async fn endures<T>(self, why: &str, breaks: impl FnOnce(&Self) -> T, mends: impl FnOnce(&Self, T)) {
        let from = Timestamp::now();
        let broken = breaks(&self);
        let said = self.says_why().await;
        assert!(said.contains(why) && said.contains("history.db"), "{said}");
        let (memory, last) = (self.daemon.memory(), self.last_shown().await);
        tokio::time::sleep(OUTAGE).await;
        let middle = Timestamp::now();
        self.polls_go_on().await;
        let healthy = self.api.open("/healthz", &[]).await.unwrap();
        assert!(healthy.status().is_success());
        assert_eq!(self.last_shown().await, last, "shown, though it cannot be recorded");
        let grown = self.daemon.memory().saturating_sub(memory);
        eprintln!("{grown} KiB more memory");
        assert!(grown < MEMORY, "{grown} KiB more");
        mends(&self, broken);
        self.api.ready().await;
        let outage = Span { from, to: Timestamp::now() };
        self.goes_on_by_itself(outage, middle).await;
    }

    /// The last event that is shown. Where the files are gone, a question may find that it cannot be answered.
    async fn last_shown(&self) -> u64 {
        let mut last = None;
        until("events are shown", async || {
            let page: Option<List<Event>> = self.api.try_get("/v1/events?limit=1000").await;
            last = page.and_then(|page| page.items.last().map(|event| event.id));
            last.is_some()
        })
        .await;
        last.unwrap()
    }

    /// What `/readyz` says, once it says that adsum is not ready.
    async fn says_why(&self) -> String {
        let mut said = String::new();
        until("adsum says that it cannot write", async || {
            let answer = self.api.open("/readyz", &[]).await.unwrap();
            let status = answer.status().as_u16();
            let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            body["detail"].as_str().unwrap_or_default().clone_into(&mut said);
            status == 503
        })
        .await;
        eprintln!("{said}");
        said
    }

    /// Every channel is asked for again and again; a commit that waits for a lock holds its channels up for a while.
    async fn polls_go_on(&self) {
        let count = || CHANNELS.map(|channel| self.proxy.polls.of(channel).len());
        let before = count();
        until("every channel is asked for again", async || {
            count().iter().zip(before).all(|(now, before)| *now >= before + 3)
        })
        .await;
    }

    async fn goes_on_by_itself(mut self, outage: Span, middle: Timestamp) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.crowd.dismiss();
        while let Some(script) = self.scripts.join_next().await {
            script.expect("scripts do not fail");
        }
        self.api.settled(SignedDuration::ZERO).await;
        let here = self.crowd.wire.here().await;
        until("occupants are those of the origin", async || occupants(&self.api).await == here).await;
        let texts: Vec<Box<RawValue>> = self.api.all("/v1/events").await;
        let events: Vec<Event> =
            texts.iter().map(|event| serde_json::from_str(event.get()).unwrap()).collect();
        let last = events.last().map(|event| event.id);
        until("the stream has caught up", async || self.witness.last_id() == last).await;
        witness::stop(self.watching).await;
        let texts = events.iter().zip(texts).map(|(event, text)| (event.id, text.get().to_owned())).collect();
        self.witness.is_borne_out(&texts);

        let visits: Vec<Visit> = self.api.all("/v1/visits").await;
        let tally = self.crowd.tally.lock().unwrap().clone();
        let judge = Judge {
            whole: true,
            tally: &tally,
            polls: &self.proxy.polls,
            cache: SignedDuration::ZERO,
            seen_by: None,
            exempt: self.crowd.spoilt.lock().unwrap().clone(),
        };
        let (_, wrong) = judge.judge(&events, &visits);
        assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
        let spans = |event: &&Event| {
            event.window.not_before.is_some_and(|from| from < middle) && middle < event.window.not_after
        };
        assert!(events.iter().filter(spans).count() >= 3, "nothing that happened meanwhile was recorded");
        assert!(states_are_those_of_the_record(&self.api, &events, &here).await >= 10);

        for (index, channel) in CHANNELS.into_iter().enumerate() {
            let gaps: Vec<Gap> = self.api.all::<Gap>("/v1/gaps").await;
            let gaps: Vec<_> = gaps.into_iter().filter(|gap| gap.channel == channel).collect();
            for gap in &gaps {
                let span =
                    Span { from: gap.from, to: gap.to.unwrap_or_else(|| panic!("still open: {gap:?}")) };
                assert!(
                    gap.reason == "history_unavailable" && !gap.users_only && span.meets(outage),
                    "{gap:?}"
                );
            }
            let covered = gaps.iter().any(|gap| gap.from <= middle && gap.to.is_some_and(|to| middle <= to));
            assert!(covered || index >= LIVELY, "{channel:?} changed unrecorded, but its gaps are {gaps:?}");
            // What did not change was observed all the time.
            assert!(gaps.is_empty() || index < LIVELY, "{gaps:?}");
        }
        let answer = self.api.presence("still", "stays", Some(middle)).await;
        assert_eq!(answer["present"], "yes", "{answer}");
        self.witness.answers_still_hold(&self.api).await;
    }
}

fn users(crowd: &Crowd, rng: &mut Rng) -> JoinSet<()> {
    let lively: Vec<_> = CHANNELS[..LIVELY].iter().map(|&name| name.to_owned()).collect();
    let second = Duration::from_secs(1);
    let mut scripts = JoinSet::new();
    let still = crowd.user("stays".to_owned(), rng);
    scripts.spawn(async move { still.join(CHANNELS[LIVELY]).await });
    for number in 0..12 {
        let user = crowd.user(format!("user {number}"), rng);
        scripts.spawn(user.wander(lively.clone(), second, (0.2, 2.0), (0.1, 1.0)));
    }
    scripts
}
