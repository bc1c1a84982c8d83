//! Real adsum processes: started with settings, killed when they go out of scope, their logs shown when a test fails.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long anything that must happen may take on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running `adsum`, with its standard error in a file.
pub(crate) struct Process {
    child: Child,
    lines: Lines,
    log: PathBuf,
    /// Whether its log is worth showing when the test fails.
    shown: bool,
}

impl Process {
    /// Starts `adsum` with arguments, in a folder that also gets its log.
    pub(crate) fn start(folder: &Path, name: &str, arguments: &[&str]) -> Self {
        Self::spawn(folder, name, Command::new(env!("CARGO_BIN_EXE_adsum")).args(arguments))
    }

    /// The same, where a file that grows beyond what is allowed is an error and not the end. `limit` is in the shell's
    /// blocks.
    pub(crate) fn start_limited(folder: &Path, name: &str, limit: &str, arguments: &[&str]) -> Self {
        let script = r#"trap "" XFSZ; ulimit -S -f "$0"; exec "$@""#;
        let mut command = Command::new("sh");
        Self::spawn(
            folder,
            name,
            command.args(["-c", script, limit, env!("CARGO_BIN_EXE_adsum")]).args(arguments),
        )
    }

    fn spawn(folder: &Path, name: &str, command: &mut Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("ADSUM")) {
            command.env_remove(key);
        }
        let mut child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
        Self { child, lines: Lines(Arc::new(Mutex::new(lines))), log, shown: true }
    }

    /// What it prints.
    pub(crate) fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// The address it says it serves, if it lives to say so.
    pub(crate) fn address(&self, patience: Duration) -> Option<String> {
        self.lines.address(patience)
    }

    /// Everything it logged so far (with what earlier processes of this name logged).
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Ends it as an operator does.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Has it read its configuration again.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Ends it as a power cut does.
    pub(crate) fn kill(self) {
        let log = self.log.clone();
        let killed = self.kill_what_is_left();
        assert!(killed, "it ended by itself:\n{}", std::fs::read_to_string(log).unwrap());
    }

    /// The same where it may have ended by itself meanwhile, as it was told to; whether it had not.
    pub(crate) fn kill_what_is_left(mut self) -> bool {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        let killed = status.signal() == Some(9);
        self.shown = !killed && !status.success();
        assert!(!self.shown, "it failed by itself ({status}):\n{}", self.log());
        killed
    }

    /// Allows its files to grow no larger than this, or to any size.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let done = Command::new("prlimit")
            .args(["--pid", &self.child.id().to_string(), &format!("--fsize={limit}:")])
            .status()
            .expect("prlimit is there, of util-linux");
        assert!(done.success());
    }

    /// How much memory it uses, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it lives");
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            if Instant::now() > until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The lines of a standard output.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Mutex<Receiver<String>>>);

impl Lines {
    /// The address that is printed as the one being served.
    pub(crate) fn address(&self, patience: Duration) -> Option<String> {
        let until = Instant::now() + patience;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            let line = self.0.lock().unwrap().recv_timeout(left).ok()?;
            if let Some((_, rest)) = line.split_once("http://") {
                return Some(rest.split(['/', ' ']).next()?.to_owned());
            }
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.shown && std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let last: Vec<_> = log.lines().rev().take(80).collect();
            eprintln!("---- {}", self.log.display());
            last.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// `text` as a TOML string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap().replace('\u{7f}', "\\u007f")
}

/// An origin process of its own: its address.
pub(crate) fn start_origin(folder: &Path, here_now_cache: &str) -> (Process, String) {
    let file = folder.join("origin.toml");
    std::fs::write(
        &file,
        format!("[origin]\nlisten = \"127.0.0.1:0\"\nhere_now_cache = \"{here_now_cache}\"\n"),
    )
    .unwrap();
    let process = Process::start(folder, "origin", &["origin", "--config", file.to_str().unwrap()]);
    let address = process.address(PATIENCE).expect("the origin serves");
    (process, address)
}

/// What a daemon is told.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) origin: String,
    pub(crate) channels: Vec<String>,
    pub(crate) interval: &'static str,
    pub(crate) cache_ttl: &'static str,
    pub(crate) gap_after: Option<&'static str>,
    pub(crate) mark_every: &'static str,
    pub(crate) listen: String,
    /// What follows in the section `server`, and the sections after it.
    pub(crate) more: String,
}

impl Settings {
    pub(crate) fn new(
        origin: &str,
        channels: &[&str],
        interval: &'static str,
        cache_ttl: &'static str,
    ) -> Self {
        Self {
            origin: origin.to_owned(),
            channels: channels.iter().map(|&name| name.to_owned()).collect(),
            interval,
            cache_ttl,
            gap_after: None,
            mark_every: "1s",
            listen: "127.0.0.1:0".to_owned(),
            more: String::new(),
        }
    }

    /// The same as a configuration file; paths are relative to the daemon's folder.
    pub(crate) fn toml(&self) -> String {
        let channels: Vec<_> = self.channels.iter().map(|name| quoted(name)).collect();
        format!(
            "[pubnub]\nsubscribe_key = \"{key}\"\norigin = \"http://{origin}\"\ncache_ttl = \"{ttl}\"\nmax_requests_per_second = 1000\n\
             [watch]\nchannels = [{channels}]\ninterval = \"{interval}\"\ndiscover_interval = \"{interval}\"\n{gap_after}\
             [history]\nurl = \"sqlite:data/history.db\"\nmark_every = \"{mark}\"\n\
             [state]\npath = \"data/state.sled\"\n[server]\nlisten = \"{listen}\"\n{more}",
            key = crate::wire::KEY,
            origin = self.origin,
            ttl = self.cache_ttl,
            channels = channels.join(", "),
            interval = self.interval,
            gap_after = self.gap_after.map(|time| format!("gap_after = \"{time}\"\n")).unwrap_or_default(),
            mark = self.mark_every,
            listen = self.listen,
            more = self.more,
        )
    }
}

/// Starts a daemon on a folder.
pub(crate) fn start_daemon(folder: &Path, settings: &Settings) -> Process {
    let file = written(folder, settings);
    Process::start(folder, "daemon", &["run", "--config", &file])
}

/// The same with [`Process::start_limited`].
pub(crate) fn start_limited_daemon(folder: &Path, settings: &Settings, limit: &str) -> Process {
    let file = written(folder, settings);
    Process::start_limited(folder, "daemon", limit, &["run", "--config", &file])
}

/// Writes the configuration that a daemon on a folder reads; where that is.
pub(crate) fn written(folder: &Path, settings: &Settings) -> String {
    let file = folder.join("daemon.toml");
    std::fs::write(&file, settings.toml()).unwrap();
    file.to_str().unwrap().to_owned()
}
