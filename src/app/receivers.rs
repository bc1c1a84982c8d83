//! From the notifiers of a configuration to those who are told.

use std::sync::Arc;

use thiserror::Error;

use crate::actors::alerting::Receiver;
use crate::config::{self, NotifierKind};
use crate::domain::alert::NotifierName;
use crate::notify::{
    Discord, Email, EmailSettings, Encryption, HttpSettings, Login, Notifier, SettingsError, Slack, Texts,
    Webhook,
};

/// A notifier that cannot be made.
#[derive(Debug, Error)]
#[error("the notifier {notifier:?}: {error}", notifier = notifier.as_str())]
pub struct Fault {
    /// Which.
    pub notifier: NotifierName,
    /// What is wrong with its settings. No secret is in it.
    pub error: SettingsError,
}

/// Makes every notifier. `source` tells this adsum from others, as the `source` of the `CloudEvent`s that webhooks get: where
/// the API is reached.
///
/// # Errors
/// Everything that is wrong, at once; in the order of the configuration.
pub fn receivers(notifiers: &[config::Notifier], source: &str) -> Result<Vec<Receiver>, Vec<Fault>> {
    let (mut receivers, mut faults) = (Vec::with_capacity(notifiers.len()), Vec::new());
    for notifier in notifiers {
        match receiver(notifier, source) {
            Ok(receiver) => receivers.push(receiver),
            Err(error) => faults.push(Fault { notifier: notifier.name.clone(), error }),
        }
    }
    if faults.is_empty() { Ok(receivers) } else { Err(faults) }
}

/// Makes one notifier.
///
/// # Errors
/// [`SettingsError`] says which setting is wrong.
pub fn receiver(given: &config::Notifier, source: &str) -> Result<Receiver, SettingsError> {
    let texts = texts(&given.texts);
    let mut events = Vec::new();
    let notifier: Arc<dyn Notifier> = match &given.kind {
        NotifierKind::Webhook(webhook) => {
            events.clone_from(&webhook.events);
            let http = HttpSettings { headers: webhook.headers.0.clone(), ..http(given, &webhook.http) };
            Arc::new(Webhook::new(&http, webhook.secrets.values(), source, &texts)?)
        }
        NotifierKind::Slack(slack) => Arc::new(Slack::new(&http(given, slack), &texts)?),
        NotifierKind::Discord(discord) => Arc::new(Discord::new(&http(given, discord), &texts)?),
        NotifierKind::Email(mail) => Arc::new(Email::new(&email(given, mail), &texts)?),
    };
    let at_once = usize::try_from(given.at_once).unwrap_or(usize::MAX);
    Ok(Receiver { name: given.name.clone(), notifier, at_once, events })
}

fn http(given: &config::Notifier, http: &config::Http) -> HttpSettings {
    HttpSettings {
        url: http.url.value().clone(),
        allow_private: http.allow_private,
        timeout: given.timeout,
        ca: certificates(given),
        headers: Vec::new(),
    }
}

fn email(given: &config::Notifier, email: &config::Email) -> EmailSettings {
    let login = email.login.as_ref();
    EmailSettings {
        server: email.host.clone(),
        port: Some(email.port),
        encryption: match email.tls {
            config::Encryption::StartTls => Encryption::Starttls,
            config::Encryption::Tls => Encryption::Tls,
            config::Encryption::None => Encryption::Plain,
        },
        ca: certificates(given),
        login: login
            .map(|login| Login { user: login.user.clone(), password: login.password.value().clone() }),
        from: email.from.clone(),
        to: email.to.clone(),
        timeout: given.timeout,
    }
}

fn certificates(given: &config::Notifier) -> Option<Vec<u8>> {
    given.ca.as_ref().map(|pem| pem.clone().into_bytes())
}

fn texts(given: &config::Texts) -> Texts {
    let config::Texts { title, text, event_title, event_text } = given.clone();
    Texts { title, text, event_title, event_text }
}
