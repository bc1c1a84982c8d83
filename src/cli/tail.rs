//! `adsum tail`: events as they are recorded.

use std::io;
use std::time::Duration;

use clap::Args;
use reqwest::Response;
use serde_json::Value;

use super::daemon::Daemon;
use super::escape::escape;
use super::events::{COLUMNS, Filter};
use super::failure::Failure;
use super::json;
use super::output::Format;
use super::show::{Kind, cell, field};
use super::sse::Reader;
use super::stop;
use super::terminal::{Terminal, print};

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
pub struct Tail {
    #[command(flatten)]
    filter: Filter,
    /// Begin after the event with this id instead of now
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

/// How a connection ended.
enum End {
    /// It broke; the next may do better.
    Broken(Failure),
    /// Going on makes no sense.
    Final(Failure),
}

impl Tail {
    pub(super) async fn run(self) -> Result<(), Failure> {
        tokio::select! {
            failure = self.follow() => Err(failure),
            stopped = stop::requested() => Ok(stopped?),
        }
    }

    /// Follows until something makes it senseless.
    async fn follow(&self) -> Failure {
        let mut reader = Reader::after(self.after.clone());
        let mut response = match self.connect(&reader).await {
            Ok(response) => response,
            // Nothing was ever there: better said at once.
            Err(End::Broken(failure) | End::Final(failure)) => return failure,
        };
        let mut wait = FIRST_WAIT;
        loop {
            let end = match self.copy(response, &mut reader, &mut wait).await {
                Ok(()) => Failure::failed("the daemon closed the stream"),
                Err(End::Broken(failure)) => failure,
                Err(End::Final(failure)) => return failure,
            };
            reader.broken();
            response = match self.reconnect(&reader, end, &mut wait).await {
                Ok(response) => response,
                Err(failure) => return failure,
            };
        }
    }

    async fn reconnect(&self, reader: &Reader, mut why: Failure, wait: &mut Duration) -> Result<Response, Failure> {
        loop {
            if let Failure::Failed(error) | Failure::Usage(error) = &why {
                let error = format!("{error:#}");
                eprintln!("connection lost: {}; trying again in {wait:.1?}", escape(&error));
            }
            // Not all at once after the daemon restarts.
            tokio::time::sleep(wait.mul_f64(0.75 + fastrand::f64() / 2.0)).await;
            *wait = (*wait * 2).min(LONGEST_WAIT);
            match self.connect(reader).await {
                Ok(response) => return Ok(response),
                Err(End::Broken(failure)) => why = failure,
                Err(End::Final(failure)) => return Err(failure),
            }
        }
    }

    async fn connect(&self, reader: &Reader) -> Result<Response, End> {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(reader.last_id().map(|id| ("last-event-id", id)));
        self.daemon.send(&["stream"], &self.filter.query(), &headers).await
    }

    /// Prints the events of one connection until it ends.
    async fn copy(&self, mut response: Response, reader: &mut Reader, wait: &mut Duration) -> Result<(), End> {
        let broken = |error: reqwest::Error| End::Broken(Failure::Failed(error.without_url().into()));
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            *wait = FIRST_WAIT;
            let events = reader.read(&piece).map_err(|error| End::Final(Failure::Failed(error.into())))?;
            for event in events {
                self.print(&event.data).map_err(|error| End::Final(error.into()))?;
            }
        }
        Ok(())
    }

    fn print(&self, data: &str) -> io::Result<()> {
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            return print(&escape(data));
        };
        if self.format.is_json() {
            return print(&json::compact(data));
        }
        let terminal = Terminal::of_stdout();
        let mut line = cell(&event, Kind::Window).paint(terminal);
        for (_, name, kind) in COLUMNS {
            let value = field(&event, name);
            if !value.is_null() {
                let label = if name == "occupancy" { "occupancy " } else { "" };
                line.push_str(&format!("  {label}{}", cell(value, kind).paint(terminal)));
            }
        }
        print(&line)
    }
}
