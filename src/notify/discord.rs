//! Discord's webhooks.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::escape::Medium;
use super::http::{HttpSettings, Post, Poster};
use super::message::{Body, Message};
use super::outcome::{Receipt, Remedy, Undelivered};
use super::template::{Template, Texts};
use super::{Attempt, Notifier, SettingsError};

/// The most characters of `content` and of an embed's description (Discord's documentation of webhooks and embeds). A
/// description this long leaves room for nothing else within the 6000 of all embeds; there is nothing else.
const MAX_CONTENT: usize = 2000;
const MAX_DESCRIPTION: usize = 4096;

/// Discord's code of an error: there is no such webhook (any more).
const UNKNOWN_WEBHOOK: u64 = 10015;

/// One Discord channel.
pub struct Discord {
    poster: Poster,
    template: Template,
}

impl Discord {
    /// # Errors
    /// [`SettingsError`] says which setting is wrong.
    pub fn new(http: &HttpSettings, texts: &Texts) -> Result<Self, SettingsError> {
        let template = Template::new(texts, Medium::Discord)?;
        // Otherwise Discord says yes before it has the message, and does not say when it fails to keep it.
        Ok(Self { poster: Poster::new(http, judge)?.with("wait", "true"), template })
    }

    fn body(&self, message: &Message) -> Value {
        let texts = self.template.render(message);
        json!({
            "content": Medium::Discord.cut(&texts.title, MAX_CONTENT),
            "embeds": [{
                "description": Medium::Discord.cut(&texts.text, MAX_DESCRIPTION),
                "color": color(&message.body),
                "timestamp": message.at,
            }],
            // Nobody is mentioned, whatever the text says.
            "allowed_mentions": {"parse": []},
        })
    }
}

impl Notifier for Discord {
    fn deliver<'a>(
        &'a self,
        message: &'a Message,
        attempt: Attempt,
    ) -> BoxFuture<'a, Result<Receipt, Undelivered>> {
        self.poster.post(Post::json(&self.body(message)), attempt.now).boxed()
    }
}

/// Discord asks not to be asked again with the address of a webhook that was removed, and says with a 400 that it does not
/// like the message.
fn judge(status: StatusCode, body: &str) -> Option<Remedy> {
    let code = || serde_json::from_str::<Value>(body).ok()?.get("code")?.as_u64();
    match status {
        StatusCode::NOT_FOUND if code() == Some(UNKNOWN_WEBHOOK) => Some(Remedy::Disable),
        StatusCode::BAD_REQUEST => Some(Remedy::Fail),
        _ => None,
    }
}

/// Red, orange, green, grey.
fn color(body: &Body) -> u32 {
    match body {
        Body::Firing(_) => 0x00d9_3025,
        Body::Repeated(_) => 0x00e3_7400,
        Body::Resolved(_) => 0x001e_8e3e,
        Body::Event(_) => 0x005f_6368,
    }
}
