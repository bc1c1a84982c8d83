//! E-mail over SMTP: with STARTTLS, with TLS from the start, or, on purpose, without either.

mod bounded;
mod mail;
mod smtp;
mod tls;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use lettre::message::Mailbox;
use parking_lot::Mutex;
use secrecy::SecretString;

use self::smtp::{Handed, Smtp};
use super::escape::Medium;
use super::message::Message;
use super::outcome::{Receipt, Remedy, Undelivered};
use super::template::{Template, Texts};
use super::{Attempt, Notifier, SettingsError};

/// The most recipients of one notifier.
pub const MAX_RECIPIENTS: usize = 50;

/// So many messages that only some recipients have are remembered; beyond that all are forgotten, and a retry may reach
/// somebody twice.
const MAX_PARTIAL: usize = 1000;

/// How mails are sent.
#[derive(Debug, Clone)]
pub struct EmailSettings {
    /// The host of the mail server: a name, or an address.
    pub server: String,
    /// Its port; the usual one of the encryption if there is none.
    pub port: Option<u16>,
    /// How the connection is kept private.
    pub encryption: Encryption,
    /// The only certificates to trust, in PEM; those of the system where there are none.
    pub ca: Option<Vec<u8>>,
    /// Who adsum is to the server, if it asks.
    pub login: Option<Login>,
    /// The sender: `adsum@example.com` or `adsum <adsum@example.com>`.
    pub from: String,
    /// The recipients: 1 to [`MAX_RECIPIENTS`].
    pub to: Vec<String>,
    /// How long one delivery may take.
    pub timeout: Duration,
}

/// How the connection to a mail server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS after STARTTLS, port 587. A server without it gets no mail.
    Starttls,
    /// TLS from the start, port 465.
    Tls,
    /// None, port 25: for a server on the same machine or network.
    Plain,
}

/// A user name and a password.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// The recipients on one mail server.
pub struct Email {
    smtp: Smtp,
    from: Mailbox,
    to: Vec<Mailbox>,
    template: Template,
    /// Which recipients, by their place, need no more of a message: they have it, or will never take it.
    partial: Mutex<HashMap<String, BTreeSet<usize>>>,
}

impl Email {
    /// # Errors
    /// [`SettingsError`] says which setting is wrong.
    pub fn new(settings: &EmailSettings, texts: &Texts) -> Result<Self, SettingsError> {
        let given = settings.to.len();
        if !(1..=MAX_RECIPIENTS).contains(&given) {
            return Err(SettingsError::Count { what: "recipients", min: 1, max: MAX_RECIPIENTS, given });
        }
        let from = mailbox(&settings.from)?;
        let to = settings.to.iter().map(|to| mailbox(to)).collect::<Result<_, _>>()?;
        Ok(Self {
            smtp: Smtp::new(settings, &from)?,
            from,
            to,
            template: Template::new(texts, Medium::Plain)?,
            partial: Mutex::default(),
        })
    }

    async fn send(&self, message: &Message, attempt: Attempt) -> Result<Receipt, Undelivered> {
        let mail = mail::compose(message, &self.from, &self.to, &self.template.render(message), attempt.now)
            .map_err(|what| Undelivered::new(Remedy::Fail, &what))?;
        let done = self.partial.lock().get(&message.delivery).cloned().unwrap_or_default();
        let open = self.to.iter().enumerate().filter(|(at, _)| !done.contains(at));
        let open: Vec<(usize, &lettre::Address)> = open.map(|(at, mailbox)| (at, &mailbox.email)).collect();
        self.conclude(message, done, self.smtp.hand_over(&self.from.email, &open, &mail).await?)
    }

    /// What one attempt at the recipients still open comes to.
    fn conclude(
        &self,
        message: &Message,
        mut done: BTreeSet<usize>,
        handed: Handed,
    ) -> Result<Receipt, Undelivered> {
        let somebody = !(handed.taken.is_empty() && done.is_empty());
        done.extend(handed.taken.into_iter().chain(handed.refused));
        let mut partial = self.partial.lock();
        if handed.later.is_empty() {
            partial.remove(&message.delivery);
            return if somebody {
                Ok(Receipt::new(&handed.answer))
            } else {
                Err(Undelivered::new(Remedy::Fail, &handed.answer))
            };
        }
        if partial.len() >= MAX_PARTIAL {
            partial.clear();
        }
        partial.insert(message.delivery.clone(), done);
        Err(Undelivered::retry(&handed.answer))
    }
}

impl Notifier for Email {
    fn deliver<'a>(
        &'a self,
        message: &'a Message,
        attempt: Attempt,
    ) -> BoxFuture<'a, Result<Receipt, Undelivered>> {
        self.send(message, attempt).boxed()
    }
}

/// An address in ASCII, so that every server takes it, with or without a name before it.
fn mailbox(text: &str) -> Result<Mailbox, SettingsError> {
    let mailbox = text.parse::<Mailbox>().ok().filter(|mailbox| {
        let address: &str = mailbox.email.as_ref();
        address.is_ascii() && !text.chars().any(char::is_control)
    });
    mailbox.ok_or_else(|| SettingsError::BadAddress { address: text.to_owned() })
}
