//! `[[notifier]]`: who is told, and how.

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
use crate::notify::{SettingsError, TemplateError};

pub use email::{Email, Encryption, Login};
pub use webhook::{Headers, Http, Webhook};

/// How long one delivery may take.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);

/// As Standard Webhooks recommends: 15 to 30 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// How many deliveries are under way at once.
const AT_ONCE: RangeInclusive<u32> = 1..=100;
const DEFAULT_AT_ONCE: u32 = 4;

/// Makes a notifier, to see whether it can be made: what an address leads to, what a template says and whether
/// certificates are any is checked there.
pub type Trial<'a> = &'a dyn Fn(&Notifier) -> Result<(), SettingsError>;

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

impl Texts {
    /// The template that is called so.
    fn of(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "title" => Some(&mut self.title),
            "text" => Some(&mut self.text),
            "event_title" => Some(&mut self.event_title),
            "event_text" => Some(&mut self.event_text),
            _ => None,
        }
    }
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

    /// Takes away what is wrong, so that what else is wrong can be seen. Whether there was anything to take away.
    fn without(&mut self, error: &SettingsError) -> bool {
        match (error, &mut self.kind) {
            (SettingsError::Template(TemplateError { name, .. }), _) => {
                self.texts.of(name).and_then(Option::take).is_some()
            }
            (SettingsError::Tls { .. }, _) => self.ca.take().is_some(),
            (
                SettingsError::PrivateAddress { .. },
                NotifierKind::Webhook(Webhook { http, .. })
                | NotifierKind::Slack(http)
                | NotifierKind::Discord(http),
            ) => !std::mem::replace(&mut http.allow_private, true),
            _ => false,
        }
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

pub(super) fn read(
    mut section: Section<'_>,
    taken: &mut HashSet<NotifierName>,
    trial: Trial<'_>,
) -> Option<Notifier> {
    let before = section.found();
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
    let notifier = name.zip(kind).map(|(name, kind)| Notifier {
        name,
        kind,
        texts,
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        at_once: at_once.unwrap_or(DEFAULT_AT_ONCE),
        ca,
    });
    // What is wrong already would only be found again.
    if let Some(notifier) = notifier.as_ref().filter(|_| section.found() == before) {
        make(&section, notifier.clone(), trial);
    }
    section.finish();
    notifier
}

/// Refuses what the notifier itself finds wrong when it is made: one thing after the other, as if those before were right.
fn make(section: &Section<'_>, mut notifier: Notifier, trial: Trial<'_>) {
    while let Err(error) = trial(&notifier) {
        let key = key_of(section, &notifier, &error);
        section.refuse(key, error.to_string());
        if !notifier.without(&error) {
            return;
        }
    }
}

/// The key that an error is about.
fn key_of(section: &Section<'_>, notifier: &Notifier, error: &SettingsError) -> &'static str {
    let given = |key, file_key| if section.has(file_key) { file_key } else { key };
    match error {
        SettingsError::BadUrl | SettingsError::PrivateAddress { .. } => given("url", "url_file"),
        SettingsError::BadHeader { .. } => "headers",
        SettingsError::BadSecret => given("secret", "secret_file"),
        SettingsError::BadAddress { address } => match &notifier.kind {
            NotifierKind::Email(email) if email.from == *address => "from",
            _ => "to",
        },
        SettingsError::PlainPassword => "tls",
        SettingsError::Tls { .. } => "ca_file",
        SettingsError::Count { .. } => "name",
        SettingsError::Template(error) => match error.name {
            "title" => given("title", "title_file"),
            "text" => given("text", "text_file"),
            "event_title" => given("event_title", "event_title_file"),
            _ => given("event_text", "event_text_file"),
        },
    }
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
