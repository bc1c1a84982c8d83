//! Processes that are measured: what they cost by the kernel's account, and the lines they say.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Ticks a second in `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;

/// How long a process may take to end once it is asked to.
const TO_END: Duration = Duration::from_secs(60);

/// A child that ends with its parent's interest in it.
pub(crate) struct Process {
    pub(crate) name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts a program that says and hears lines.
    pub(crate) fn start(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.with_context(|| format!("cannot start {name}: {command:?}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        Ok(Self { name: name.to_owned(), child, input, output })
    }

    /// Starts this program in another role.
    pub(crate) fn role(role: &str, words: &[impl AsRef<OsStr>]) -> anyhow::Result<Self> {
        Self::start(role, Command::new(std::env::current_exe()?).args(["role", role]).args(words))
    }

    /// The next line it says.
    pub(crate) fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let output = self.output.as_mut().context("no output")?;
        if output.read_line(&mut line)? == 0 {
            bail!("{} ended: {}", self.name, self.child.wait()?);
        }
        Ok(line)
    }

    /// Says a line to it and gives its answer.
    pub(crate) fn ask(&mut self, question: &str) -> anyhow::Result<String> {
        let input = self.input.as_mut().context("no input")?;
        writeln!(input, "{question}").with_context(|| format!("{} does not listen", self.name))?;
        self.line()
    }

    /// The processor time it has taken, all its threads.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = self.proc("stat")?;
        // The second field is in parentheses and may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("no stat")?;
        let ticks: f64 =
            fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        Ok(Duration::from_secs_f64(ticks / TICKS))
    }

    /// The memory it occupies, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        std::fs::read_to_string(&path).with_context(|| format!("{} is gone ({path})", self.name))
    }

    /// Whether it still runs; an error says how it ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended: {status}", self.name),
            None => Ok(()),
        }
    }

    /// Ends it in order (SIGTERM) and waits for it.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().context("cannot start kill")?;
        let since = Instant::now();
        while self.child.try_wait()?.is_none() {
            if since.elapsed() > TO_END {
                bail!("{} did not end within {TO_END:?}", self.name);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines on stdin, for a role: a thread reads them.
pub(crate) fn lines_of_stdin() -> tokio::sync::mpsc::UnboundedReceiver<String> {
    let (tell, lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
