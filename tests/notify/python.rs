//! The scripts beside this file, run with what tests/notify/install.sh installed.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A script that runs. It ends when its input does, at the latest with the tests.
pub(crate) struct Script {
    child: Child,
    input: Mutex<Option<ChildStdin>>,
    lines: Mutex<Receiver<String>>,
}

/// The folder of the scripts.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/notify")
}

/// A certificate for localhost that nobody but its key signed, in PEM, with the key.
pub(crate) fn certificate() -> PathBuf {
    folder().join("localhost.pem")
}

impl Script {
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Self {
        let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/notify");
        let python = std::env::var_os("ADSUM_NOTIFY").map_or_else(default, PathBuf::from).join("python");
        assert!(
            python.is_file(),
            "no {}: run `make test`, which installs what is needed with tests/notify/install.sh",
            python.display()
        );
        let mut child = Command::new(python)
            .arg(folder().join(script))
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                if line.map(|line| sender.send(line)).is_err() {
                    break;
                }
            }
        });
        Self { child, input: Mutex::new(input), lines: Mutex::new(lines) }
    }

    pub(crate) fn say(&self, line: &str) {
        writeln!(self.input.lock().unwrap().as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next line it says.
    pub(crate) fn line(&self) -> String {
        self.lines.lock().unwrap().recv_timeout(Duration::from_secs(20)).expect("the script says nothing")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Everything that it says until it has ended.
    pub(crate) fn rest(&self) -> Vec<String> {
        drop(self.input.lock().unwrap().take());
        self.lines.lock().unwrap().iter().collect()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.input.lock().unwrap().take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
