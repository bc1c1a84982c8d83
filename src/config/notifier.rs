//! `[[notifier]]`: who is told, and how. What an address leads to and what a template says is checked by the notifiers
//! themselves when they are made, at start as well.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::{Value, ValueKind};
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::alert::read_name;
use super::files::read_text;
use super::secret::{self, Secret, SecretError, Tokens};
use super::section::Section;
use super::watch::once_each;
use crate::domain::alert::NotifierName;
use crate::domain::event::EventKind;

/// How long one delivery may take.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);

/// As Standard Webhooks recommends: 15 to 30 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// How many deliveries are under way at once.
const AT_ONCE: RangeInclusive<u32> = 1..=100;
const DEFAULT_AT_ONCE: u32 = 4;

const PORT: RangeInclusive<u32> = 1..=65_535;

/// Longest address of a webhook, in bytes.
const MAX_URL: usize = 2_048;

/// Most secrets that sign at once, while the receiver changes over to a new one.
const MAX_SECRETS: usize = 8;

/// How long a secret may be, in bytes (Standard Webhooks, "Signature scheme").
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;

/// Most headers of one's own.
const MAX_HEADERS: usize = 20;

/// Longest value of a header, in bytes.
const MAX_HEADER: usize = 4_096;

/// Most receivers of a mail.
const MAX_RECIPIENTS: usize = 50;

/// Longest mail address, in bytes (RFC 5321, section 4.5.3.1.3).
const MAX_ADDRESS: usize = 254;

/// Longest template, in bytes.
const MAX_TEMPLATE: u64 = 16 * 1024;

/// Longest file of certificates, in bytes.
const MAX_CA: u64 = 1024 * 1024;

const WEBHOOK_SECRET: &str = "\"whsec_\" and 24 to 64 bytes in base64";
const URL: &str =
    "an address that begins with \"https://\" or \"http://\", without user name, password and fragment";
const MAIL: &str = "a mail address, such as \"ops@example.com\" or \"Ops <ops@example.com>\"";

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
    Webhook {
        /// Where to.
        http: Http,
        /// What it is signed with, the newest first; at least one.
        secrets: Tokens,
        /// Headers besides adsum's own. Their values may be secret.
        headers: Headers,
        /// The presence events that are sent as well, besides alerts.
        events: Vec<EventKind>,
    },
    /// An incoming webhook of Slack.
    Slack(Http),
    /// An incoming webhook of Discord.
    Discord(Http),
    /// Mail, by SMTP.
    Email(Email),
}

/// An address that messages are posted to.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// The address. Whoever knows it may be able to write there, so it is kept as a secret.
    pub url: Secret,
    /// Whether it may lead to an address that is not of the public internet.
    pub allow_private: bool,
}

/// Headers of one's own.
#[derive(Debug, Clone, Default)]
pub struct Headers(pub Vec<(HeaderName, SecretString)>);

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        let plain = |headers: &Self| -> Vec<(HeaderName, String)> {
            headers.0.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
        };
        plain(self) == plain(other)
    }
}

/// A mail server, and who writes to whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Email {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is made safe.
    pub tls: Encryption,
    /// Who signs in, if anybody does.
    pub login: Option<Login>,
    /// The sender.
    pub from: String,
    /// The receivers, at least one.
    pub to: Vec<String>,
}

/// A user name and a password.
#[derive(Debug, Clone, PartialEq)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// How a connection to a mail server is made safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encryption {
    /// It begins plain and must become TLS before anything is said.
    #[default]
    StartTls,
    /// It is TLS from the beginning.
    Tls,
    /// Not at all.
    None,
}

impl Encryption {
    const ALL: [Self; 3] = [Self::StartTls, Self::Tls, Self::None];

    fn as_str(self) -> &'static str {
        match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }

    /// The port where this is usual.
    fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
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
            NotifierKind::Webhook { http, secrets, headers, events } => NotifierKind::Webhook {
                http: http.read_again()?,
                secrets: checked(secrets.read_again()?)?,
                headers: headers.clone(),
                events: events.clone(),
            },
            NotifierKind::Slack(http) => NotifierKind::Slack(http.read_again()?),
            NotifierKind::Discord(http) => NotifierKind::Discord(http.read_again()?),
            NotifierKind::Email(email) => NotifierKind::Email(email.read_again()?),
        };
        Ok(Self { kind, ..self.clone() })
    }
}

impl Http {
    fn read_again(&self) -> Result<Self, SecretError> {
        let url = self.url.read_again()?;
        match url.file() {
            Some(file) if !is_url(url.value()) => Err(unusable(file, "an address")),
            _ => Ok(Self { url, ..self.clone() }),
        }
    }
}

impl Email {
    fn read_again(&self) -> Result<Self, SecretError> {
        let again =
            |login: &Login| Ok(Login { user: login.user.clone(), password: login.password.read_again()? });
        let login = self.login.as_ref().map(again).transpose()?;
        Ok(Self { login, ..self.clone() })
    }
}

fn unusable(file: &Path, wanted: &'static str) -> SecretError {
    SecretError::Unusable { file: file.to_owned(), wanted }
}

/// The secrets of a file, if all of them sign webhooks.
fn checked(secrets: Tokens) -> Result<Tokens, SecretError> {
    match secrets.file() {
        Some(file) if !all_sign(&secrets) => {
            Err(unusable(file, "1 to 8 secrets, each a line: \"whsec_\" and 24 to 64 bytes in base64"))
        }
        _ => Ok(secrets),
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
        KindName::Webhook => read_webhook(&mut section),
        KindName::Slack => read_http(&mut section).map(NotifierKind::Slack),
        KindName::Discord => read_http(&mut section).map(NotifierKind::Discord),
        KindName::Email => read_email(&mut section).map(NotifierKind::Email),
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
    let path: PathBuf = section.path(key)?;
    let why = |error| section.refuse(key, format!("the file {} cannot be read: {error}", path.display()));
    read_text(&path, limit).map_err(why).ok()
}

fn read_webhook(section: &mut Section<'_>) -> Option<NotifierKind> {
    let http = read_http(section);
    let given = if section.has("secret_file") { "secret_file" } else { "secret" };
    let secrets = secret::several(section, "secret", "secret_file");
    match &secrets {
        Some(secrets) if secrets.is_empty() => {
            section.refuse("secret", format!("secret or secret_file must be set: {WEBHOOK_SECRET}"));
        }
        Some(secrets) if !all_sign(secrets) => {
            section.refuse(
                given,
                format!("must be {WEBHOOK_SECRET}; in a file a line for each of up to {MAX_SECRETS}"),
            );
        }
        _ => {}
    }
    let headers = read_headers(section);
    let kinds = [EventKind::Join, EventKind::Leave, EventKind::State];
    let events = if section.has("events") {
        let event = |text: &str| kinds.into_iter().find(|kind| kind.as_str() == text);
        let allowed = "\"join\", \"leave\" or \"state\"";
        section.list("events", allowed, |text| event(text).ok_or_else(|| format!("must be {allowed}")))
    } else {
        Some(Vec::new())
    };
    Some(NotifierKind::Webhook {
        http: http?,
        secrets: secrets?,
        headers: headers?,
        events: once_each(events?),
    })
}

fn read_http(section: &mut Section<'_>) -> Option<Http> {
    let given = if section.has("url_file") { "url_file" } else { "url" };
    if !section.has("url") && !section.has("url_file") {
        section.refuse("url", format!("url or url_file must be set: {URL}"));
    }
    let url = secret::one(section, "url", "url_file");
    if url.as_ref().is_some_and(|url| !is_url(url.value())) {
        section.refuse(given, format!("must be {URL}; at most {MAX_URL} bytes"));
    }
    let allow_private = section.boolean("allow_private");
    Some(Http { url: url?, allow_private: allow_private.unwrap_or(false) })
}

fn is_url(text: &SecretString) -> bool {
    let text = text.expose_secret();
    let good = |url: reqwest::Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    };
    text.len() <= MAX_URL && reqwest::Url::parse(text).is_ok_and(good)
}

fn all_sign(secrets: &Tokens) -> bool {
    let signs = |secret: &SecretString| {
        let encoded = secret.expose_secret().strip_prefix("whsec_");
        let bytes = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
        bytes.is_some_and(|bytes| SECRET_BYTES.contains(&bytes.len()))
    };
    (1..=MAX_SECRETS).contains(&secrets.values().len()) && secrets.values().iter().all(signs)
}

/// A table of names and values. The values are in no finding.
fn read_headers(section: &mut Section<'_>) -> Option<Headers> {
    let Some(value) = section.whatever("headers") else { return Some(Headers::default()) };
    let ValueKind::Table(table) = value.kind else {
        section.refuse_inside("headers", "", None, "must be a table of names and values".to_owned());
        return None;
    };
    if table.len() > MAX_HEADERS {
        section.refuse_inside("headers", "", None, format!("must not be more than {MAX_HEADERS}"));
    }
    let mut table: Vec<(String, Value)> = table.into_iter().collect();
    table.sort_by(|(one, _), (other, _)| one.cmp(other));
    let count = table.len();
    let mut headers = Vec::with_capacity(count);
    for (name, value) in table {
        match header(&name, &value) {
            Ok(header) => headers.push(header),
            Err(why) => section.refuse_inside("headers", &name, None, why),
        }
    }
    (headers.len() == count).then_some(Headers(headers))
}

fn header(name: &str, value: &Value) -> Result<(HeaderName, SecretString), String> {
    const OURS: [&str; 8] = [
        "host",
        "connection",
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "te",
        "upgrade",
    ];
    let header = HeaderName::try_from(name).map_err(|_| "is no name of a header".to_owned())?;
    let own = header.as_str();
    if OURS.contains(&own) || own.starts_with("webhook-") || own.starts_with("adsum-") {
        return Err("adsum itself says what this header is".to_owned());
    }
    match &value.kind {
        ValueKind::String(text) if text.len() <= MAX_HEADER && HeaderValue::from_str(text).is_ok() => {
            Ok((header, SecretString::from(text.as_str())))
        }
        _ => Err(format!("must be a text of at most {MAX_HEADER} bytes without control characters")),
    }
}

fn read_email(section: &mut Section<'_>) -> Option<Email> {
    for key in ["host", "from", "to"] {
        if !section.has(key) {
            section.refuse(key, "must be set".to_owned());
        }
    }
    let host = section.text("host", "the name or the IP address of a mail server", host);
    let tls = section.choice("tls", &Encryption::ALL, Encryption::as_str);
    let tls = if section.has("tls") { tls } else { Some(Encryption::default()) };
    let port = section.number("port", &PORT).and_then(|port| u16::try_from(port).ok());
    let login = read_login(section, tls);
    let from = section.text("from", MAIL, mail);
    let to = section.list("to", MAIL, |text| mail(text).ok_or_else(|| format!("must be {MAIL}")));
    if to.as_ref().is_some_and(|to| !(1..=MAX_RECIPIENTS).contains(&to.len())) {
        section.refuse("to", format!("must be 1 to {MAX_RECIPIENTS} addresses"));
    }
    let tls = tls?;
    Some(Email { host: host?, port: port.unwrap_or(tls.port()), tls, login, from: from?, to: once_each(to?) })
}

/// `None` where nobody signs in, or where it is wrong: then there is a finding.
fn read_login(section: &mut Section<'_>, tls: Option<Encryption>) -> Option<Login> {
    let allowed = "a user name of 1 to 320 bytes";
    let user = section.text("user", allowed, |text| {
        ((1..=320).contains(&text.len()) && !text.chars().any(char::is_control)).then(|| text.to_owned())
    });
    let password = secret::one(section, "password", "password_file");
    let has_password = section.has("password") || section.has("password_file");
    if !section.has("user") && !has_password {
        return None;
    }
    if !section.has("user") {
        section.refuse("user", "must be set where there is a password".to_owned());
    }
    if !has_password {
        section.refuse("password", "password or password_file must be set where there is a user".to_owned());
    }
    if tls == Some(Encryption::None) {
        section.refuse(
            "tls",
            "must not be \"none\" where there is a password: everybody on the way could read it".to_owned(),
        );
    }
    Some(Login { user: user?, password: password? })
}

fn host(text: &str) -> Option<String> {
    let good = text.len() <= 253
        && reqwest::Url::parse(&format!("smtp://{text}/")).is_ok_and(|url| {
            url.host_str() == Some(text)
                && url.port().is_none()
                && url.username().is_empty()
                && url.path() == "/"
        });
    good.then(|| text.to_owned())
}

/// A mail address, with or without a name before it. How it may look in detail the mail library knows; here it is made
/// sure that it is one address and one line.
fn mail(text: &str) -> Option<String> {
    let (name, address) = match text.strip_suffix('>') {
        Some(text) => text.rsplit_once('<')?,
        None => ("", text),
    };
    let (local, domain) = address.rsplit_once('@')?;
    let plain = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"<>()[],;:\\\"@".contains(c))
    };
    let quoted = name.trim().strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    let (name, forbidden) = quoted.map_or((name, "<>,;:@\\\""), |name| (name, "\\\""));
    let named = !name.chars().any(|c| c.is_control() || forbidden.contains(c));
    (address.len() <= MAX_ADDRESS && plain(local) && plain(domain) && named).then(|| text.to_owned())
}
