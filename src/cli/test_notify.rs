//! `adsum test-notify`: whether a notifier reaches those who are to be told.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::connection::ConfigFile;
use super::failure::Failure;
use super::output::{Format, Page};
use crate::actors::clock::wall_time;
use crate::app::receiver;
use crate::config::{self, Config};
use crate::domain::time::{Time, Window};
use crate::notify::{Alert, Alerts, Attempt, Body, Message, Notifier};

/// Send a test through a notifier: an alert that fires, and that it is resolved
///
/// Needs no daemon and keeps nothing. Both messages say that they are a test. Prints what the receiver answered; ends with
/// status 1 if it did not take both.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum test-notify ops --config adsum.toml
  adsum test-notify ops --config adsum.toml --json")]
pub(super) struct TestNotify {
    /// The notifier, by its name in the configuration
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    format: Format,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    notifier: String,
    messages: Vec<Sent>,
}

/// What came of one message.
#[derive(Debug, Serialize)]
struct Sent {
    /// `firing` or `resolved`.
    what: &'static str,
    /// The delivery's id: the `webhook-id`.
    id: String,
    delivered: bool,
    /// What the receiver answered, or why there was no answer.
    answer: String,
    took_ms: u64,
}

impl TestNotify {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = crate::app::load(&self.config.sources(Vec::new()))?;
        let given = named(&config, &self.name)?;
        let here = || format!("http://{}", config.server.listen);
        let base = config.server.public_url.clone().unwrap_or_else(here);
        let made = receiver(given, &base)
            .map_err(|error| Failure::usage(format!("the notifier {:?}: {error}", self.name)))?;
        let alert_id = uuid::Uuid::new_v4().to_string();
        let mut messages = Vec::new();
        for what in ["firing", "resolved"] {
            messages.push(send(&*made.notifier, what, &alert_id, &base).await);
        }
        let report = Report { notifier: self.name, messages };
        self.format.result(&report, write)?;
        if report.messages.iter().all(|sent| sent.delivered) {
            return Ok(());
        }
        Err(Failure::failed(format!("the notifier {:?} did not deliver the test", report.notifier)))
    }
}

fn named<'a>(config: &'a Config, name: &str) -> Result<&'a config::Notifier, Failure> {
    let notifiers = &config.alerting.notifiers;
    notifiers.iter().find(|notifier| notifier.name.as_str() == name).ok_or_else(|| {
        let names: Vec<&str> = notifiers.iter().map(|notifier| notifier.name.as_str()).collect();
        let known = match names.as_slice() {
            [] => "the configuration has none".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        Failure::usage(format!("there is no notifier {name:?}; {known}"))
    })
}

async fn send(notifier: &dyn Notifier, what: &'static str, alert_id: &str, base: &str) -> Sent {
    let (now, began) = (wall_time(), Instant::now());
    let message = message(what, alert_id, base, now);
    let result = notifier.deliver(&message, Attempt { number: 1, now }).await;
    let took = began.elapsed();
    let (delivered, answer) = match result {
        Ok(receipt) => (true, receipt.answer),
        Err(refusal) => (false, refusal.answer),
    };
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Sent { what, id: message.delivery, delivered, answer, took_ms }
}

/// A message that nobody takes for a real one: its rule, its channel and its condition say so.
fn message(what: &str, alert_id: &str, base: &str, now: Time) -> Message {
    let began = now.minus(Duration::from_secs(60));
    let over = what == "resolved";
    let alert = Alert {
        alert_id: alert_id.to_owned(),
        channel: "adsum-test".to_owned(),
        condition: "this is a test by adsum test-notify, and no alert".to_owned(),
        value: None,
        bound: None,
        user: None,
        since: Window { not_before: Some(began.minus(Duration::from_secs(5))), not_after: began },
        ended: over.then_some(Window { not_before: Some(now.minus(Duration::from_secs(5))), not_after: now }),
        gap: None,
        because: None,
        link: Some(format!("{base}/healthz")),
    };
    let alerts = Alerts { rule: "adsum-test".to_owned(), severity: "info".to_owned(), alerts: vec![alert] };
    let body = if over { Body::Resolved(alerts) } else { Body::Firing(alerts) };
    Message { delivery: format!("test-{}", uuid::Uuid::new_v4()), at: now, body }
}

fn write(report: &Report, page: &mut Page) {
    for Sent { what, id, delivered, answer, took_ms } in &report.messages {
        let word = if *delivered { "delivered" } else { "failed" };
        let line = format!(": {what} to {} in {took_ms} ms ({id}): {answer}", report.notifier);
        page.word_and_line(&json!(word), &line);
    }
}
