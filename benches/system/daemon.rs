//! The real `adsum run`, with a configuration, a folder and an API of its own.

use std::fmt::Write as _;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::crowd::{Crowd, channel_name};
use super::process::Process;

/// How long it may take to be ready, or to have seen a crowd for the first time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// What is set of the configuration. Everything else is as shipped.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) origin: String,
    pub(crate) channels: usize,
    pub(crate) batch: usize,
    pub(crate) interval: Duration,
    /// Found by a discovery a minute, because so many names are too long for a configuration.
    pub(crate) by_pattern: bool,
}

pub(crate) struct Daemon {
    pub(crate) process: Process,
    pub(crate) folder: PathBuf,
    pub(crate) api: Api,
}

/// A folder on the disk that the build uses; `/tmp` may be memory.
pub(crate) fn folder() -> anyhow::Result<TempDir> {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("cannot make a folder")
}

impl Daemon {
    /// Starts it and waits until it is ready; gives how long that took too.
    pub(crate) fn start(folder: &Path, watch: &Watch) -> anyhow::Result<(Self, Duration)> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let config = folder.join("adsum.toml");
        std::fs::write(&config, toml(folder, watch, port))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_adsum"));
        command.arg("run").arg("--config").arg(&config).current_dir(folder).env("ADSUM_LOG", "warn");
        command.stderr(File::options().create(true).append(true).open(folder.join("adsum.log"))?);
        let since = Instant::now();
        let process = Process::start("adsum run", &mut command)?;
        let mut daemon = Self { process, folder: folder.to_owned(), api: Api::new(port)? };
        daemon.wait("ready", || Duration::from_millis(2), |api| Ok(api.get("/readyz").is_ok()))?;
        Ok((daemon, since.elapsed()))
    }

    /// Waits for something. What the daemon wrote to its log is in the error if it ends meanwhile.
    fn wait(
        &mut self,
        what: &str,
        pause: impl Fn() -> Duration,
        is_so: impl Fn(&Api) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let since = Instant::now();
        while !is_so(&self.api)? {
            if let Err(error) = self.process.check() {
                bail!("{error}; its log: {}", self.log());
            }
            if since.elapsed() > PATIENCE {
                bail!("adsum was not {what} within {PATIENCE:?}; its log: {}", self.log());
            }
            std::thread::sleep(pause());
        }
        Ok(())
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("adsum.log")).unwrap_or_default();
        log.chars().take(2000).collect()
    }

    /// Waits until everybody was seen once, but for one of each channel who may just be away.
    pub(crate) fn wait_for_users(&mut self, crowd: Crowd) -> anyhow::Result<()> {
        let away = if crowd.changes > 0.0 { crowd.channels } else { 0 };
        let users = (crowd.channels * crowd.users - away) as f64;
        let seen = move |api: &Api| Ok(api.metric("adsum_events_total", "present")? >= users);
        self.wait("aware of everybody", || Duration::from_millis(200), seen)
    }

    /// Waits until it has so many channels, with who is in them.
    pub(crate) fn wait_for_channels(&mut self, channels: usize) -> anyhow::Result<()> {
        let there = move |api: &Api| Ok(api.metric("adsum_channels", "")? >= channels as f64);
        self.wait("watching all channels", || Duration::from_millis(20), there)
    }

    /// Commits so far, and how long they took together.
    pub(crate) fn commits(&self) -> anyhow::Result<(f64, f64)> {
        let of = |what| self.api.metric(&format!("adsum_history_commit_seconds_{what}"), "");
        Ok((of("count")?, of("sum")?))
    }

    /// Waits until so many channel-polls were counted.
    pub(crate) fn wait_for_polls(&mut self, polls: u64) -> anyhow::Result<()> {
        let polled = move |api: &Api| Ok(api.counted("adsum_channel_polls_total")? >= polls);
        self.wait("done polling", || Duration::from_millis(200), polled)
    }

    /// Ends it in order, and checks that its history has as many events as it had told of.
    pub(crate) fn end_with(self, told: u64) -> anyhow::Result<u64> {
        let file = self.history();
        self.process.end()?;
        let rows = rows(&file, "events")?;
        if rows < told {
            bail!("adsum told of {told} events, its history has {rows}");
        }
        Ok(rows)
    }

    pub(crate) fn history(&self) -> PathBuf {
        history_in(&self.folder)
    }
}

pub(crate) fn history_in(folder: &Path) -> PathBuf {
    folder.join("data/history.db")
}

/// How many rows a table has.
pub(crate) fn rows(file: &Path, table: &str) -> anyhow::Result<u64> {
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let rows: i64 = database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
    Ok(u64::try_from(rows)?)
}

fn toml(folder: &Path, watch: &Watch, port: u16) -> String {
    let requests = watch.channels as f64 / watch.batch as f64 / watch.interval.as_secs_f64();
    // Some more than is needed: what is late is made good.
    let most = (requests * 1.2).ceil().clamp(20.0, 10_000.0);
    let mut channels = String::new();
    if watch.by_pattern {
        channels.push_str("\"*\"");
    }
    for channel in (0..watch.channels).filter(|_| !watch.by_pattern) {
        let _ = write!(channels, "\"{}\",", channel_name(channel));
    }
    format!(
        "[pubnub]\nsubscribe_key = \"adsum\"\norigin = \"{}\"\nmax_requests_per_second = {most}\n\
         channels_per_request = {}\ncache_ttl = \"0s\"\nmax_answer = \"256MiB\"\n\
         [watch]\nchannels = [{channels}]\ninterval = \"{}ms\"\ninclude_state = false\ndiscover_interval = \"60s\"\n\
         [history]\nurl = \"sqlite:{}\"\n[state]\npath = \"{}\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n",
        watch.origin,
        watch.batch,
        watch.interval.as_millis(),
        history_in(folder).display(),
        folder.join("data/state.sled").display(),
    )
}

/// The API of a daemon, asked from a plain thread.
pub(crate) struct Api {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    pub(crate) url: String,
}

impl Api {
    fn new(port: u16) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Nothing runs here between two questions, so a connection that adsum closes meanwhile is noticed too late.
        let idle = Duration::from_secs(1);
        let client =
            reqwest::Client::builder().no_proxy().tls_certs_only([]).pool_idle_timeout(idle).build()?;
        Ok(Self { runtime, client, url: format!("http://127.0.0.1:{port}") })
    }

    pub(crate) fn get(&self, path: &str) -> anyhow::Result<String> {
        self.runtime.block_on(async {
            let answer = self.client.get(format!("{}{path}", self.url)).send().await?;
            let (status, text) = (answer.status(), answer.text().await?);
            if !status.is_success() {
                bail!("{path}: {status}: {text}");
            }
            Ok(text)
        })
    }

    /// A metric, summed over its labels.
    pub(crate) fn counted(&self, metric: &str) -> anyhow::Result<u64> {
        Ok(self.metric(metric, "")? as u64)
    }

    /// The same, of the lines with this text among their labels.
    pub(crate) fn metric(&self, metric: &str, label: &str) -> anyhow::Result<f64> {
        let text = self.get("/metrics")?;
        let of_it = |line: &&str| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let lines = text.lines().filter(of_it).filter(|line| line.contains(label));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }
}
