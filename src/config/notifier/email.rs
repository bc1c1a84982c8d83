//! Mail, by SMTP.

use std::ops::RangeInclusive;

use crate::config::secret::{self, Secret, SecretError};
use crate::config::section::Section;
use crate::config::watch::once_each;

const PORT: RangeInclusive<u32> = 1..=65_535;

/// Most receivers of a mail.
const MAX_RECIPIENTS: usize = 50;

/// Longest mail address, in bytes (RFC 5321, section 4.5.3.1.3).
const MAX_ADDRESS: usize = 254;

const MAIL: &str = "a mail address, such as \"ops@example.com\" or \"Ops <ops@example.com>\"";

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

    /// As written in the configuration.
    pub fn as_str(self) -> &'static str {
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

impl Email {
    pub(super) fn read_again(&self) -> Result<Self, SecretError> {
        let again =
            |login: &Login| Ok(Login { user: login.user.clone(), password: login.password.read_again()? });
        let login = self.login.as_ref().map(again).transpose()?;
        Ok(Self { login, ..self.clone() })
    }
}

pub(super) fn read(section: &mut Section<'_>) -> Option<Email> {
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
    // Brackets belong to addresses in URLs, not to the address.
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    good.then(|| bare.to_owned())
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
