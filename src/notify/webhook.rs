//! Webhooks to programs: a `CloudEvent`, signed by Standard Webhooks.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

use super::cloud_event::{CONTENT_TYPE, cloud_event};
use super::escape::Medium;
use super::http::{HttpSettings, Post, Poster};
use super::message::{Message, is_plain_id};
use super::outcome::{Receipt, Remedy, Undelivered};
use super::signature::Keys;
use super::template::{Template, Texts};
use super::{Attempt, Notifier, SettingsError};

/// The most secrets that sign at once; each adds 47 bytes to a header.
pub const MAX_SECRETS: usize = 8;

/// One receiver of webhooks.
pub struct Webhook {
    poster: Poster,
    keys: Keys,
    source: String,
    template: Template,
}

impl Webhook {
    /// `secrets` are the receiver's, the newest first; several while it changes over. `source` is a URI reference that
    /// tells this adsum from others: the `CloudEvent`'s `source`.
    ///
    /// # Errors
    /// [`SettingsError`] says which setting is wrong.
    pub fn new(
        http: &HttpSettings,
        secrets: &[SecretString],
        source: &str,
        texts: &Texts,
    ) -> Result<Self, SettingsError> {
        if !(1..=MAX_SECRETS).contains(&secrets.len()) {
            return Err(SettingsError::Count {
                what: "secrets",
                min: 1,
                max: MAX_SECRETS,
                given: secrets.len(),
            });
        }
        Ok(Self {
            poster: Poster::new(http, |_, _| None)?,
            keys: Keys::new(secrets)?,
            source: source.to_owned(),
            template: Template::new(texts, Medium::Plain)?,
        })
    }

    fn request(&self, message: &Message, attempt: Attempt) -> Result<Post, Undelivered> {
        if !is_plain_id(&message.delivery) {
            return Err(Undelivered::new(Remedy::Fail, "the delivery's id cannot be signed"));
        }
        let event = cloud_event(message, &self.source, &self.template.render(message));
        let body = event.to_string().into_bytes();
        let timestamp = attempt.now.as_micros().div_euclid(1_000_000);
        let signature = self.keys.sign(&message.delivery, timestamp, &body);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("webhook-id", message.delivery.clone()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ] {
            let value = HeaderValue::from_str(&value).map_err(|_| {
                Undelivered::new(Remedy::Fail, "the delivery's id cannot be sent in a header")
            })?;
            headers.insert(HeaderName::from_static(name), value);
        }
        headers.insert(HeaderName::from_static("adsum-attempt"), attempt.number.into());
        Ok(Post { content_type: CONTENT_TYPE, headers, body })
    }
}

impl Notifier for Webhook {
    fn deliver<'a>(
        &'a self,
        message: &'a Message,
        attempt: Attempt,
    ) -> BoxFuture<'a, Result<Receipt, Undelivered>> {
        async move { self.poster.post(self.request(message, attempt)?, attempt.now).await }.boxed()
    }
}
