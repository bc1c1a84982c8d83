//! `adsum tail`: events as they are recorded.

use std::io;
use std::time::Duration;

use clap::Args;
use reqwest::Response;
use serde_json::Value;

use super::daemon::{Daemon, NoAnswer};
use super::escape::escape;
use super::events::{COLUMNS, Filter};
use super::failure::Failure;
use super::json;
use super::output::Format;
use super::show::{Kind, cell, field};
use super::sse::Reader;
use super::terminal::{Terminal, print};
use crate::app::Signals;

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Follow events as a daemon records them
///
/// Prints a line for each event, with --json a line of JSON. When the connection breaks it is made again, and goes on after the
/// last event printed: none is missed, none is repeated. Ends on Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum tail
  adsum tail --channel lobby --kind join
  adsum tail --json | jq .user")]
pub(super) struct Tail {
    #[command(flatten)]
    filter: Filter,
    /// Begin after the event with this id instead of now
    #[arg(long, value_name = "ID", value_parser = header_text)]
    after: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

/// The id travels in a header.
fn header_text(text: &str) -> Result<String, &'static str> {
    let good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| text.to_owned()).ok_or("an id is visible ASCII characters")
}

impl Tail {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut signals = Signals::listen()?;
        tokio::select! {
            failure = self.follow() => Err(failure),
            () = signals.stop() => Ok(()),
        }
    }

    /// Follows until going on makes no sense.
    async fn follow(&self) -> Failure {
        let mut reader = Reader::after(self.after.clone());
        let mut wait = FIRST_WAIT;
        // Where nothing ever answered, it is better said at once.
        let mut connection = self.connect(&reader).await.map_err(Failure::from);
        loop {
            let response = match connection {
                Ok(response) => response,
                Err(failure) => return failure,
            };
            let broken = match self.copy(response, &mut reader, &mut wait).await {
                Ok(broken) => broken,
                Err(failure) => return failure,
            };
            reader.broken();
            connection = self.connect_again(&reader, broken, &mut wait).await;
        }
    }

    /// Prints the events of one connection until it breaks; says how. Other failures are for good.
    async fn copy(
        &self,
        mut response: Response,
        reader: &mut Reader,
        wait: &mut Duration,
    ) -> Result<String, Failure> {
        loop {
            let piece = match response.chunk().await {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok("the daemon closed the stream".to_owned()),
                Err(error) => return Ok(format!("{:#}", anyhow::Error::from(error.without_url()))),
            };
            *wait = FIRST_WAIT;
            for event in reader.read(&piece).map_err(anyhow::Error::from)? {
                self.print(&event.data)?;
            }
        }
    }

    /// Connects again, and again, with ever longer pauses.
    async fn connect_again(
        &self,
        reader: &Reader,
        mut broken: String,
        wait: &mut Duration,
    ) -> Result<Response, Failure> {
        loop {
            eprintln!("connection lost: {}; trying again in {wait:.1?}", escape(&broken));
            // Not everybody at once after the daemon restarts.
            tokio::time::sleep(wait.mul_f64(0.75 + fastrand::f64() / 2.0)).await;
            *wait = (*wait * 2).min(LONGEST_WAIT);
            match self.connect(reader).await {
                Ok(response) => return Ok(response),
                Err(NoAnswer { failure, may_pass: true }) => broken = failure.to_string(),
                // The question was a good one before.
                Err(NoAnswer { failure: Failure::Usage(error), .. }) => return Err(error.into()),
                Err(no_answer) => return Err(no_answer.failure),
            }
        }
    }

    async fn connect(&self, reader: &Reader) -> Result<Response, NoAnswer> {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(reader.last_id().map(|id| ("last-event-id", id)));
        self.daemon.send(&["stream"], &self.filter.query(), &headers).await
    }

    fn print(&self, data: &str) -> io::Result<()> {
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            return print(&escape(data));
        };
        if self.format.is_json() {
            return print(&json::compact(data));
        }
        print(&line(&event))
    }
}

/// An event as one line.
pub(super) fn line(event: &Value) -> String {
    let terminal = Terminal::of_stdout();
    let mut line = cell(event, Kind::Window).paint(terminal);
    for (_, name, kind) in COLUMNS {
        let value = field(event, name);
        if !value.is_null() {
            line.push_str(if name == "occupancy" { "  occupancy " } else { "  " });
            line.push_str(&cell(value, kind).paint(terminal));
        }
    }
    line
}
