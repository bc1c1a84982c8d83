//! One mail: a text and the same in HTML.

use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use crate::domain::time::Time;
use crate::notify::escape::Medium;
use crate::notify::message::{Body, Message, is_plain_id};
use crate::notify::template::Rendered;

/// The mail as it goes over the wire. The error says why there is none.
///
/// Its `Message-ID` is the delivery's on every try, and mails about one alert refer to the same id, so that a reader
/// shows them together. It says of itself that no person sent it (RFC 3834), so that nobody's absence is announced to it.
pub(super) fn compose(
    message: &Message,
    from: &Mailbox,
    to: &[Mailbox],
    texts: &Rendered,
    now: Time,
) -> Result<Vec<u8>, String> {
    if !is_plain_id(&message.delivery) {
        return Err("the delivery's id cannot be put into a header".to_owned());
    }
    let domain = from.email.domain();
    let mut mail = lettre::Message::builder()
        .from(from.clone())
        .subject(texts.title.as_str())
        .date(system_time(now))
        .message_id(Some(format!("<{}@{domain}>", message.delivery)))
        .raw_header(automatic());
    for to in to {
        mail = mail.to(to.clone());
    }
    let alert = message.body.alerts().and_then(|alerts| alerts.only());
    if let Some(alert) = alert.filter(|alert| is_plain_id(&alert.alert_id)) {
        mail = mail.references(format!("<alert-{}@{domain}>", alert.alert_id));
    }
    let body = MultiPart::alternative_plain_html(texts.text.clone(), html(message, texts));
    let mail = mail.multipart(body).map_err(|error| format!("no mail can be made of it: {error}"))?;
    Ok(mail.formatted())
}

fn automatic() -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned())
}

fn system_time(time: Time) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(0))
}

/// The title and the text, with the message's own links as links.
fn html(message: &Message, texts: &Rendered) -> String {
    let ours: Vec<String> = links(&message.body).filter_map(|link| Medium::Plain.address(link)).collect();
    let lines: Vec<String> = texts.text.lines().map(|line| with_links(line, &ours)).collect();
    format!(
        "<!DOCTYPE html>\n<html><body style=\"font-family: sans-serif\">\n\
         <h2 style=\"border-left: 6px solid {}; padding-left: 8px\">{}</h2>\n<p>{}</p>\n</body></html>\n",
        color(&message.body),
        escaped(&texts.title),
        lines.join("<br>\n"),
    )
}

fn links(body: &Body) -> Box<dyn Iterator<Item = &str> + '_> {
    match body {
        Body::Event(event) => Box::new(event.link.as_deref().into_iter()),
        Body::Firing(alerts) | Body::Repeated(alerts) | Body::Resolved(alerts) => {
            Box::new(alerts.alerts.iter().filter_map(|alert| alert.link.as_deref()))
        }
    }
}

fn with_links(line: &str, links: &[String]) -> String {
    let words = line.split(' ').map(|word| {
        let text = escaped(word);
        if links.iter().any(|link| link == word) { format!("<a href=\"{text}\">{text}</a>") } else { text }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn color(body: &Body) -> &'static str {
    match body {
        Body::Firing(_) => "#d93025",
        Body::Repeated(_) => "#e37400",
        Body::Resolved(_) => "#1e8e3e",
        Body::Event(_) => "#5f6368",
    }
}
