//! `[[notifier]]`: who is told, and how. What an address leads to and what a template says is checked by the notifiers
//! themselves when they are made, at start as well.

mod email;
mod webhook;

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::alert::read_name;
use super::files::read_text;
use super::secret::SecretError;
use super::section::Section;
use crate::domain::alert::NotifierName;

pub use email::{Email, Encryption, Login};
pub use webhook::{Headers, Http, Webhook};

/// How long one delivery may take.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);

/// As Standard Webhooks recommends: 15 to 30 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// How many deliveries are under way at once.
const AT_ONCE: RangeInclusive<u32> = 1..=100;
const DEFAULT_AT_ONCE: u32 = 4;

/// Longest template, in bytes.
const MAX_TEMPLATE: u64 = 16 * 1024;

/// Longest file of certificates, in bytes.
const MAX_CA: u64 = 1024 * 1024;

/// Who is told, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Notifier {
    /// Its name.
    pub name: NotifierName,
    /// How, with what that needs.
    pub kind: NotifierKind,
    /// Templates that take the place of adsum's own.
    pub texts: Texts,
    /// How long one delivery may take.
    pub timeout: Duration,
    /// How many deliveries are under way at once.
    pub at_once: u32,
    /// The only certificates to trust, in PEM; `None`: those of the system.
    pub ca: Option<String>,
}

/// How somebody is told.
#[derive(Debug, Clone, PartialEq)]
pub enum NotifierKind {
    /// A webhook: a `CloudEvent`, signed by Standard Webhooks.
    Webhook(Webhook),
    /// An incoming webhook of Slack.
    Slack(Http),
    /// An incoming webhook of Discord.
    Discord(Http),
    /// Mail, by SMTP.
    Email(Email),
}

/// Templates that take the place of adsum's own. `None`: adsum's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// The title of messages about alerts.
    pub title: Option<String>,
    /// Their text.
    pub text: Option<String>,
    /// The title of messages about presence events.
    pub event_title: Option<String>,
    /// Their text.
    pub event_text: Option<String>,
}

impl Notifier {
    /// The same with every secret as its file has it now.
    ///
    /// # Errors
    ///
    /// The first file that cannot be used any more.
    pub fn read_secrets_again(&self) -> Result<Self, SecretError> {
        let kind = match &self.kind {
            NotifierKind::Webhook(webhook) => NotifierKind::Webhook(webhook.read_again()?),
            NotifierKind::Slack(http) => NotifierKind::Slack(http.read_again()?),
            NotifierKind::Discord(http) => NotifierKind::Discord(http.read_again()?),
            NotifierKind::Email(email) => NotifierKind::Email(email.read_again()?),
        };
        Ok(Self { kind, ..self.clone() })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KindName {
    Webhook,
    Slack,
    Discord,
    Email,
}

impl KindName {
    const ALL: [Self; 4] = [Self::Webhook, Self::Slack, Self::Discord, Self::Email];

    fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Email => "email",
        }
    }
}

pub(super) fn read(mut section: Section<'_>, taken: &mut HashSet<NotifierName>) -> Option<Notifier> {
    let name = read_name(&mut section, taken, NotifierName::new);
    if !section.has("kind") {
        section.refuse("kind", "must be set".to_owned());
    }
    // Without a kind it is not known which other keys there are.
    let kind = section.choice("kind", &KindName::ALL, KindName::as_str)?;
    let texts = read_texts(&mut section, kind);
    let timeout = section.duration("timeout", &TIMEOUT);
    let at_once = section.number("at_once", &AT_ONCE);
    let ca = file(&mut section, "ca_file", MAX_CA);
    let kind = match kind {
        KindName::Webhook => webhook::read(&mut section).map(NotifierKind::Webhook),
        KindName::Slack => webhook::read_http(&mut section).map(NotifierKind::Slack),
        KindName::Discord => webhook::read_http(&mut section).map(NotifierKind::Discord),
        KindName::Email => email::read(&mut section).map(NotifierKind::Email),
    };
    section.finish();
    Some(Notifier {
        name: name?,
        kind: kind?,
        texts,
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        at_once: at_once.unwrap_or(DEFAULT_AT_ONCE),
        ca,
    })
}

fn read_texts(section: &mut Section<'_>, kind: KindName) -> Texts {
    let mut texts = Texts {
        title: template(section, "title", "title_file"),
        text: template(section, "text", "text_file"),
        ..Texts::default()
    };
    if kind == KindName::Webhook {
        texts.event_title = template(section, "event_title", "event_title_file");
        texts.event_text = template(section, "event_text", "event_text_file");
    }
    texts
}

fn template(section: &mut Section<'_>, key: &'static str, file_key: &'static str) -> Option<String> {
    let allowed = format!("a template of at most {MAX_TEMPLATE} bytes");
    let fits = |text: &str| u64::try_from(text.len()).is_ok_and(|length| length <= MAX_TEMPLATE);
    let given = section.text(key, &allowed, |text| fits(text).then(|| text.to_owned()));
    let read = file(section, file_key, MAX_TEMPLATE);
    if section.has(key) && section.has(file_key) {
        section.refuse(file_key, format!("give {key} or {file_key}, not both"));
    }
    given.or(read)
}

/// The text of the file that a key names.
fn file(section: &mut Section<'_>, key: &'static str, limit: u64) -> Option<String> {
    let path = section.path(key)?;
    let why = |error| section.refuse(key, format!("the file {} cannot be read: {error}", path.display()));
    read_text(&path, limit).map_err(why).ok()
}
