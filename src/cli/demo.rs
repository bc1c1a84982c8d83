//! `adsum demo`: everything at once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;

use super::failure::Failure;
use super::show::{Kind, cell, field};
use super::tail;
use super::terminal::{Terminal, Tone, print};
use crate::actors::handle::Adsum;
use crate::api::bodies::alert::AlertChangeBody;
use crate::app::{self, DemoOptions, Signals};
use crate::domain::event::{EventKind, Recorded};
use crate::domain::time::Time;
use crate::history::alerts::ChangeQuery;

/// Try adsum with no account: a server, simulated users, the daemon and its API
///
/// Prints its addresses, commands to try in another terminal, and a live log. Runs until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum demo
  adsum demo --data-dir demo-data     keeps the history, and goes on with it next time")]
pub(super) struct Demo {
    /// Where to keep the history [default: a folder that is deleted in the end]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The address of the API [default: 127.0.0.1:8080, or a free port]
    #[arg(long, value_name = "ADDRESS", value_parser = loopback)]
    listen: Option<SocketAddr>,
    /// The address of the Presence API server [default: 127.0.0.1:8090, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    origin_listen: Option<SocketAddr>,
}

/// The demo's API has no tokens.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "it must be an address and a port: 127.0.0.1:8080")?;
    address
        .ip()
        .is_loopback()
        .then_some(address)
        .ok_or("it must be a loopback address: 127.0.0.1:8080".to_owned())
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self { data_dir, listen, origin_listen } = self;
        let mut signals = Signals::listen()?;
        let mut demo = app::Demo::start(DemoOptions { data_dir, listen, origin_listen }).await?;
        greet(&demo)?;
        let adsum = demo.adsum().clone();
        let ended = tokio::select! {
            ended = demo.ended() => ended,
            () = signals.stop() => Ok(()),
            failure = log(&adsum) => Err(failure),
        };
        demo.stop(signals).await?;
        Ok(ended?)
    }
}

/// Says what runs where, and what to try.
fn greet(demo: &app::Demo) -> Result<(), Failure> {
    let terminal = Terminal::of_stdout();
    let (people, channels) = demo.crowd();
    let (data, temporary) = demo.data();
    let (api, origin) = (demo.address(), demo.origin_address());
    let kept = if temporary { " (deleted in the end; --data-dir keeps it)" } else { "" };
    // The default address need not be said.
    let server =
        if api.to_string() == DEFAULT_API { String::new() } else { format!(" --server http://{api}") };
    let key = demo.subscribe_key();
    let (rule, party, quiet) = demo.rule();
    let adsum = std::env::args().next().unwrap_or_else(|| "adsum".to_owned());
    let command = |rest: &str| terminal.paint(Tone::Strong, &format!("  {adsum} {rest}{server}"));
    for line in [
        format!("{people} simulated people in {channels} channels, observed every 2 s."),
        String::new(),
        format!("  API     http://{api}/v1/channels"),
        format!("  origin  http://{origin}   a Presence API server; subscribe key \"{key}\""),
        format!("  data    {}{kept}", data.display()),
        format!(
            "  alert   \"{rule}\" fires while more than {quiet} are in {party}: at the party there, every 40 s"
        ),
        "          (nobody is told but this log; README, \"Alerts\", says how to add a notifier)".to_owned(),
        String::new(),
        "Try in another terminal:".to_owned(),
        String::new(),
        command("who lobby"),
        command("visits --channel lobby --from -1m"),
        command("was ada.01 lobby --at -30s"),
        command("alerts"),
        command(&format!("alerts history --rule {rule}")),
        String::new(),
        "Make the origin misbehave for a minute (README: \"Make it misbehave\"):".to_owned(),
        String::new(),
        terminal.paint(Tone::Strong, &format!("  {}", misbehave(origin))),
        String::new(),
        "Ctrl-C ends it. What is recorded, as it is recorded:".to_owned(),
        String::new(),
    ] {
        print(&line)?;
    }
    Ok(())
}

/// The command that takes the origin down for a minute.
fn misbehave(origin: SocketAddr) -> String {
    let rules = r#"{"rule": [{"fault": "error", "for": "60s"}]}"#;
    format!("curl -X PUT -H 'Content-Type: application/json' -d '{rules}' http://{origin}/faults")
}

/// Where the API listens if nothing else is said; the commands ask there too.
const DEFAULT_API: &str = "127.0.0.1:8080";

/// Prints what is recorded, for as long as that makes sense.
async fn log(adsum: &Adsum) -> anyhow::Error {
    let mut committed = adsum.subscribe();
    let mut alerts = Alerts { begun: adsum.now(), after: 0 };
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        let printed = tokio::select! {
            events = committed.recv() => match events {
                Ok(events) => print_events(&events),
                Err(RecvError::Lagged(_)) => Ok(()),
                Err(RecvError::Closed) => Err(anyhow::anyhow!("adsum ended by itself")),
            },
            _ = look.tick() => alerts.print_new(adsum).await,
        };
        if let Err(error) = printed {
            return error;
        }
    }
}

fn print_events(events: &[Recorded]) -> anyhow::Result<()> {
    for event in events.iter().filter(|event| event.kind != EventKind::Settled) {
        print(&tail::line(&serde_json::to_value(event)?))?;
    }
    Ok(())
}

/// How often it is looked what became of alerts.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Most changes of alerts that are read at once.
const CHANGES: usize = 100;

/// What became of alerts since the demo began, up to what was printed.
struct Alerts {
    begun: Time,
    after: i64,
}

impl Alerts {
    async fn print_new(&mut self, adsum: &Adsum) -> anyhow::Result<()> {
        let query = ChangeQuery {
            from: Some(self.begun),
            after: self.after,
            limit: CHANGES,
            ..ChangeQuery::default()
        };
        for change in adsum.alert_history(query).await?.items {
            self.after = change.id;
            print(&alert_line(&serde_json::to_value(AlertChangeBody::from(change))?))?;
        }
        Ok(())
    }
}

/// A change of an alert as one line.
fn alert_line(change: &Value) -> String {
    let terminal = Terminal::of_stdout();
    let shown = |name, kind| cell(field(change, name), kind).paint(terminal);
    let mut line = format!(
        "{}  alert {}  {}  {}",
        shown("at", Kind::Time),
        shown("rule", Kind::Text),
        shown("change", Kind::Word),
        shown("channel", Kind::Text)
    );
    for (label, name, kind) in [
        ("occupancy", "occupancy", Kind::Text),
        ("since", "since", Kind::Window),
        ("ended", "ended", Kind::Window),
    ] {
        if !field(change, name).is_null() {
            line = format!("{line}  {label} {}", shown(name, kind));
        }
    }
    line
}
