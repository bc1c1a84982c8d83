//! How daemons live and die: killed at any instant, in the middle of a commit, of a flush, of a start or of a stop. The
//! instants are found from outside, by looking at the daemon's files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use fastrand::Rng;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::process::{PATIENCE, Process, Settings, start_daemon};
use crate::record::Api;
use crate::wire::Span;

/// How long a daemon is watched for something to be written, before it is killed anyway.
const NOTHING_WRITTEN: Duration = Duration::from_secs(3);

/// When a daemon is killed. Durations go on from the instant that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Death {
    /// At any instant, from the beginning of its process on.
    Anytime,
    /// When its write-ahead log was just written to: the commit may be on disk and is not published.
    Committing,
    /// When one of sled's files was just written to.
    Flushing,
    /// While it opens, recovers or loads.
    Starting,
    /// When it has just written something while it starts: that it crashed before, or states made anew, for sled's folder
    /// was taken away.
    Recovering,
    /// So shortly after a SIGTERM that the stop may be half recorded.
    Stopping,
}

/// How a daemon ended.
pub(crate) struct End {
    pub(crate) span: Span,
    pub(crate) death: Death,
    /// Whether it was killed before it had stopped by itself.
    pub(crate) killed: bool,
    /// Whether it had come to serve.
    pub(crate) served: bool,
}

impl Death {
    pub(crate) const ALL: [Self; 6] =
        [Self::Anytime, Self::Committing, Self::Flushing, Self::Starting, Self::Recovering, Self::Stopping];

    /// So many deaths, each kind in turn, in an order of chance.
    pub(crate) fn many(count: usize, rng: &mut Rng) -> Vec<Self> {
        let mut deaths: Vec<_> = Self::ALL.into_iter().cycle().take(count).collect();
        rng.shuffle(&mut deaths);
        deaths
    }
}

/// The address of the daemon that lives, counted.
pub(crate) type Address = watch::Sender<(usize, Option<Api>)>;

/// One folder, in which one daemon after the other lives.
pub(crate) struct Lives {
    pub(crate) folder: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) address: Address,
    pub(crate) rng: Rng,
    pub(crate) ends: Vec<End>,
}

impl Lives {
    /// Starts a daemon; its address is told when it serves, if it lives so long.
    pub(crate) fn start(&self) -> Process {
        let life = self.address.borrow().0 + 1;
        self.address.send_replace((life, None));
        let daemon = start_daemon(&self.folder, &self.settings);
        let (lines, address) = (daemon.lines(), self.address.clone());
        std::thread::spawn(move || {
            let Some(serves) = lines.address(PATIENCE) else { return };
            // A line that was printed just before the kill may be read after it.
            address.send_if_modified(|(now, api)| {
                let current = *now == life;
                *api = if current { Some(Api::new(&serves)) } else { api.take() };
                current
            });
        });
        daemon
    }

    /// Waits until the daemon serves.
    pub(crate) async fn serves(&self) -> Api {
        let serving =
            async { self.address.subscribe().wait_for(|(_, api)| api.is_some()).await.unwrap().1.clone() };
        tokio::time::timeout(PATIENCE, serving).await.expect("the daemon serves").unwrap()
    }

    /// Starts a daemon and kills it.
    pub(crate) async fn live(&mut self, death: Death) {
        let data = self.folder.join("data");
        if death == Death::Recovering && self.rng.bool() {
            // Sled's folder need not be there: a daemon may have been killed before it was made.
            let _ = std::fs::remove_dir_all(data.join("state.sled"));
        }
        let before = written(&data);
        let daemon = self.start();
        if matches!(death, Death::Committing | Death::Flushing | Death::Stopping) {
            self.serves().await;
        }
        let mut chance = |micros| Duration::from_micros(self.rng.u64(0..micros));
        let (life, then) = match death {
            Death::Anytime => (chance(900_000), Duration::ZERO),
            Death::Starting => (chance(60_000), Duration::ZERO),
            Death::Recovering => (Duration::ZERO, chance(4_000)),
            Death::Committing | Death::Flushing => (chance(500_000), chance(3_000)),
            Death::Stopping => (chance(500_000), chance(6_000)),
        };
        tokio::time::sleep(life).await;
        self.dies(daemon, (death, then), before).await;
    }

    /// Kills a daemon. `before` is what was in its folder before it was started.
    pub(crate) async fn dies(
        &mut self,
        daemon: Process,
        (death, then): (Death, Duration),
        before: Vec<Written>,
    ) {
        let data = self.folder.join("data");
        let ended = tokio::task::spawn_blocking(move || {
            match death {
                Death::Committing => wait_for_write(&data, "history.db-wal", &written(&data)),
                Death::Flushing => wait_for_write(&data, "state.sled", &written(&data)),
                Death::Recovering => wait_for_write(&data, "", &before),
                Death::Anytime | Death::Starting | Death::Stopping => {}
            }
            let from = Timestamp::now();
            if death == Death::Stopping {
                daemon.terminate();
            }
            std::thread::sleep(then);
            (daemon.kill_what_is_left(), Span { from, to: Timestamp::now() })
        });
        let (killed, span) = ended.await.unwrap();
        let served = self.address.borrow().1.is_some();
        self.ends.push(End { span, death, killed, served });
    }

    /// How many were killed, of each kind.
    pub(crate) fn killed(&self) -> BTreeMap<Death, usize> {
        let mut count = BTreeMap::new();
        for end in self.ends.iter().filter(|end| end.killed) {
            *count.entry(end.death).or_default() += 1;
        }
        count
    }
}

/// Deletes a folder that a daemon is writing to: it may make another file meanwhile.
pub(crate) fn delete_in_use(folder: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while std::fs::remove_dir_all(folder).is_err() && folder.exists() {
        assert!(Instant::now() < deadline, "{} cannot be deleted", folder.display());
    }
}

/// Waits until something in a folder whose path begins so is not as it was before.
fn wait_for_write(folder: &Path, path: &str, before: &[Written]) {
    let deadline = Instant::now() + NOTHING_WRITTEN;
    let path = folder.join(path);
    let of_interest = |files: &[Written]| -> Vec<Written> {
        let begins = |file: &&Written| file.0.to_string_lossy().starts_with(&*path.to_string_lossy());
        files.iter().filter(begins).cloned().collect()
    };
    let before = of_interest(before);
    while of_interest(&written(folder)) == before && Instant::now() < deadline {
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// A file's size, and when it was last written to.
pub(crate) type Written = (PathBuf, u64, SystemTime);

/// What is in a folder and its folders.
fn written(folder: &Path) -> Vec<Written> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        // What is gone by now was written too.
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() {
            found.extend(written(&entry.path()));
        } else {
            found.push((entry.path(), meta.len(), meta.modified().unwrap()));
        }
    }
    found.sort();
    found
}
