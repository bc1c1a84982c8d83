//! Notifiers: how a [`Message`] reaches people and other programs. They know nothing of rules, outbox and retries:
//! each tries once and says how that ended.
//!
//! - [`Webhook`] sends a `CloudEvent`, signed by Standard Webhooks.
//! - [`Slack`] and [`Discord`] write through their incoming webhooks.
//! - [`Email`] sends over SMTP.
//!
//! All of them write a title and a text from templates ([`Texts`]), with everything from outside escaped for the medium.

mod address;
mod cloud_event;
mod discord;
mod email;
mod escape;
mod http;
mod message;
mod outcome;
mod samples;
mod signature;
mod slack;
mod template;
mod view;
mod webhook;

use futures_util::future::BoxFuture;

use crate::domain::time::Time;

pub use address::is_public;
pub use discord::Discord;
pub use email::{Email, EmailSettings, Encryption, Login, MAX_RECIPIENTS};
pub use http::HttpSettings;
pub use message::{Alert, Alerts, Blind, Body, Event, Message};
pub use outcome::{MAX_ANSWER, MAX_RETRY_AFTER, Receipt, Remedy, Undelivered};
pub use signature::Keys;
pub use slack::Slack;
pub use template::{MAX_TEMPLATE, TemplateError, Texts};
pub use webhook::{MAX_SECRETS, Webhook};

/// Delivers messages to one receiver.
pub trait Notifier: Send + Sync {
    /// Tries once to deliver a message. Takes no longer than the notifier's time-out; dropping the future gives up.
    ///
    /// The receiver may get a message of which this says that it was not delivered (the answer was lost): it is told
    /// apart by [`Message::delivery`], which is the same on every try.
    ///
    /// # Errors
    /// [`Undelivered`] says what to do about it.
    fn deliver<'a>(
        &'a self,
        message: &'a Message,
        attempt: Attempt,
    ) -> BoxFuture<'a, Result<Receipt, Undelivered>>;
}

/// One try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// 1, 2, 3 …
    pub number: u32,
    /// What time it is: it is signed with the message, so that an old one cannot be replayed.
    pub now: Time,
}

/// Why a notifier cannot be made: its settings are wrong. No secret is in it.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address is none.
    #[error(
        "the url must be an absolute http or https address without a user name, a password or a fragment"
    )]
    BadUrl,
    /// The address itself is private, which only `allow_private` allows.
    #[error("the url leads to {host}, which is no public address; allow_private = true allows it")]
    PrivateAddress {
        /// The host.
        host: String,
    },
    /// A header is one that adsum or HTTP sets, or its value is none.
    #[error("the header {name:?} is set by adsum itself, or its value holds control characters")]
    BadHeader {
        /// Its name.
        name: String,
    },
    /// A secret is none.
    #[error("the secret must be 24 to 64 bytes in base64, with or without whsec_ before it")]
    BadSecret,
    /// Too many, or none where there must be one.
    #[error("{what} must be {min} to {max}, not {given}")]
    Count {
        /// Of what.
        what: &'static str,
        /// At least.
        min: usize,
        /// At most.
        max: usize,
        /// How many there were.
        given: usize,
    },
    /// A mail address is none.
    #[error("{address:?} is no mail address")]
    BadAddress {
        /// The text.
        address: String,
    },
    /// A password would be sent so that everybody on the way can read it.
    #[error("a user name and a password are sent with STARTTLS or TLS only")]
    PlainPassword,
    /// TLS cannot be set up with the certificates.
    #[error("TLS cannot be set up: {what}")]
    Tls {
        /// What is wrong.
        what: String,
    },
    /// A template is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
}
