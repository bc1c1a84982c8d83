//! Slack's incoming webhooks. What takes the same body, such as Mattermost, works too.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::escape::Medium;
use super::http::{HttpSettings, Post, Poster};
use super::message::Message;
use super::outcome::{Receipt, Remedy, Undelivered};
use super::template::{Rendered, Template, Texts};
use super::{Attempt, Notifier, SettingsError};

/// The most characters of a header block (Slack's Block Kit reference).
const MAX_HEADER: usize = 150;

/// The most characters of the text of a section block.
const MAX_SECTION: usize = 3000;

/// The most sections; Slack takes 50 blocks.
const MAX_SECTIONS: usize = 20;

/// One Slack channel.
pub struct Slack {
    poster: Poster,
    template: Template,
}

impl Slack {
    /// # Errors
    /// [`SettingsError`] says which setting is wrong.
    pub fn new(http: &HttpSettings, texts: &Texts) -> Result<Self, SettingsError> {
        let template = Template::new(texts, Medium::Slack)?;
        Ok(Self { poster: Poster::new(http, judge)?, template })
    }
}

impl Notifier for Slack {
    fn deliver<'a>(
        &'a self,
        message: &'a Message,
        attempt: Attempt,
    ) -> BoxFuture<'a, Result<Receipt, Undelivered>> {
        let post = Post::json(&body(&self.template.render(message)));
        self.poster.post(post, attempt.now).boxed()
    }
}

/// Slack says with a 404 that the webhook was removed, and with a 400 that it does not like the message.
fn judge(status: StatusCode, body: &str) -> Option<Remedy> {
    match (status, body.trim()) {
        (StatusCode::NOT_FOUND, "no_service" | "no_team") => Some(Remedy::Disable),
        (StatusCode::BAD_REQUEST, _) => Some(Remedy::Fail),
        _ => None,
    }
}

/// `text` is what phones show; the blocks are the message. `verbatim` keeps Slack from finding links and names by itself.
fn body(texts: &Rendered) -> Value {
    let title = Medium::Slack.cut(&texts.title, MAX_HEADER);
    let header = json!({"type": "header", "text": {"type": "plain_text", "text": title, "emoji": false}});
    let sections = sections(&texts.text)
        .into_iter()
        .map(|text| json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}}));
    let blocks: Vec<Value> = std::iter::once(header).chain(sections).collect();
    json!({"text": texts.title, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

/// `text` in pieces that Slack takes, parted between lines.
fn sections(text: &str) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = Medium::Slack.cut(line, MAX_SECTION);
        let full = sections.len() == MAX_SECTIONS;
        match sections.last_mut() {
            Some(section) if units(section) + 1 + units(&line) <= MAX_SECTION => {
                section.push('\n');
                section.push_str(&line);
            }
            // An empty section is refused.
            _ if line.trim().is_empty() => {}
            Some(section) if full => {
                "… the rest is left out.".clone_into(section);
                break;
            }
            _ => sections.push(line),
        }
    }
    sections
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_parted_into_sections_that_slack_takes(lines in prop::collection::vec(".{0,300}", 0..200)) {
            let text = lines.join("\n");
            let sections = sections(&text);
            prop_assert!(sections.len() <= MAX_SECTIONS);
            for section in &sections {
                prop_assert!(!section.trim().is_empty() && units(section) <= MAX_SECTION);
            }
        }
    }

    #[test]
    fn lines_stay_whole_and_in_order() {
        let lines: Vec<String> = (0..100).map(|n| format!("{n} {}", "x".repeat(200))).collect();
        assert_eq!(sections(&lines.join("\n")).join("\n"), lines.join("\n"));
    }
}
