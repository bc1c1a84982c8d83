//! What alerts would do, in words.

use std::time::Duration;

use crate::config::alerting::Alerting;
use crate::config::{Email, Http, Notifier, NotifierKind, Server, Texts, Webhook, duration};
use crate::domain::alert::{Condition, OnGap, Rule};
use crate::domain::watch::Target;

/// A line for each rule and each notifier, and notes about what is probably not meant so.
pub(super) fn describe(alerting: &Alerting, server: &Server, lines: &mut Vec<String>) {
    lines.extend(alerting.rules.iter().map(rule));
    lines.extend(alerting.notifiers.iter().map(notifier));
    let idle = alerting.notifiers.iter().filter(|notifier| !is_told(notifier, &alerting.rules));
    lines.extend(
        idle.map(|notifier| format!("Note: notifier {} is told of nothing.", quoted(&notifier.name))),
    );
    if alerting.notifiers.is_empty() {
        return;
    }
    match &server.public_url {
        Some(url) => lines.push(format!("Links in messages begin with {url}.")),
        None => lines.push(
            "Note: links in messages lead to where the API listens, which is of use on this machine only: set \
             server.public_url."
                .to_owned(),
        ),
    }
}

fn is_told(notifier: &Notifier, rules: &[Rule]) -> bool {
    let of_events =
        matches!(&notifier.kind, NotifierKind::Webhook(Webhook { events, .. }) if !events.is_empty());
    of_events || rules.iter().any(|rule| rule.notify.contains(&notifier.name))
}

fn rule(rule: &Rule) -> String {
    let channels: Vec<&str> = rule.channels.iter().map(Target::as_str).collect();
    let (holds, clear) = condition(&rule.condition);
    let gap = match (&rule.condition, rule.on_gap) {
        (Condition::Unobserved, _) => "",
        (_, OnGap::Keep) => "; a gap leaves it as it is",
        (_, OnGap::Fire) => "; a gap counts as that",
        (_, OnGap::Resolve) => "; a gap ends it",
    };
    format!(
        "Alert {} ({}) for {channels:?}: fires once {holds}{}; over once {clear}{}{gap}. {}.",
        quoted(&rule.name),
        rule.severity.as_str(),
        lasting(rule.hold_for),
        lasting(rule.keep_firing_for),
        told(rule)
    )
}

/// When it holds, and when it is clear.
fn condition(condition: &Condition) -> (String, String) {
    match condition {
        Condition::OccupancyAbove { bound, clear_below } => {
            (format!("more than {bound} are there"), format!("fewer than {clear_below} are"))
        }
        Condition::OccupancyBelow { bound, clear_above } => {
            (format!("fewer than {bound} are there"), format!("more than {clear_above} are"))
        }
        Condition::UserPresent { user } => {
            (format!("user {:?} is there", user.as_str()), "a complete list lacks the user".to_owned())
        }
        Condition::UserAbsent { user } => {
            (format!("a complete list lacks user {:?}", user.as_str()), "the user is there".to_owned())
        }
        Condition::Unobserved => ("the channel is in a gap".to_owned(), "it is observed again".to_owned()),
    }
}

fn lasting(span: Duration) -> String {
    if span.is_zero() { String::new() } else { format!(" for {}", duration::text(span)) }
}

fn told(rule: &Rule) -> String {
    if rule.notify.is_empty() {
        return "Tells nobody: it is in the API alone".to_owned();
    }
    let names: Vec<String> = rule.notify.iter().map(quoted).collect();
    let again = rule.repeat_every.map(|every| format!(", again every {}", duration::text(every)));
    let end = if rule.send_resolved { ", and when it is over" } else { ", not when it is over" };
    format!("Tells {}{}{end}", names.join(", "), again.unwrap_or_default())
}

fn notifier(notifier: &Notifier) -> String {
    let texts = if notifier.texts == Texts::default() { "" } else { ", with templates of its own" };
    let ca = if notifier.ca.is_some() { ", trusting only the certificates of ca_file" } else { "" };
    format!(
        "Notifier {}: {}{texts}{ca}; {} at once, {} each.",
        quoted(&notifier.name),
        kind(&notifier.kind),
        notifier.at_once,
        duration::text(notifier.timeout)
    )
}

fn kind(kind: &NotifierKind) -> String {
    match kind {
        NotifierKind::Webhook(Webhook { http, secrets, headers, events }) => {
            let secrets = match secrets.values().len() {
                1 => "a secret".to_owned(),
                secrets => format!("{secrets} secrets"),
            };
            let headers = match headers.0.len() {
                0 => String::new(),
                1 => ", with a header".to_owned(),
                headers => format!(", with {headers} headers"),
            };
            let events: Vec<&str> = events.iter().map(|kind| kind.as_str()).collect();
            let events = if events.is_empty() {
                String::new()
            } else {
                format!(", also for events {}", events.join(", "))
            };
            format!("webhook {}, signed with {secrets}{headers}{events}", at(http))
        }
        NotifierKind::Slack(http) => format!("Slack {}", at(http)),
        NotifierKind::Discord(http) => format!("Discord {}", at(http)),
        NotifierKind::Email(email) => mail(email),
    }
}

/// The rest of the address is a secret.
fn at(http: &Http) -> String {
    let private = if http.allow_private { " (private addresses allowed)" } else { "" };
    format!("at {}{private}", http.server())
}

fn mail(email: &Email) -> String {
    let Email { host, port, tls, login, from, to } = email;
    let login = login.as_ref().map(|login| format!(" as user {:?}", login.user)).unwrap_or_default();
    format!("mail from {from:?} to {to:?} through {host}:{port} ({}){login}", tls.as_str())
}

fn quoted(name: &impl ToString) -> String {
    format!("{:?}", name.to_string())
}
