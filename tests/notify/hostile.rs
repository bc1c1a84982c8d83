//! Channel names, user ids, states and links that want more than to be read.

use adsum::notify::{Alert, Body, Message};
use proptest::prelude::*;
use serde_json::json;

use crate::chat::{to_discord, to_slack};
use crate::email::mailed;
use crate::receiver::Receiver;
use crate::world::{alert, alerts, deliver, http, joined, message, webhook};

const NAMES: [&str; 12] = [
    "<!channel> <!here|x> <@U123> <#C1> <https://evil.example|lobby>",
    "@everyone @here <@1234> <@&5> <#6> [x](https://evil.example) ||x|| https://evil.example",
    "a`b``c```d*e*_f_~g~\\h",
    "lobby\r\nBcc: mallory@evil.example\r\n\r\nall is well",
    "lobby\n\nresolved: everything",
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;",
    "{{ rule }}{% for a in alerts %}",
    "\u{202e}gnp.exe\u{202c}\u{200b}\u{feff}\u{2028}\u{2029}\u{85}\u{0}\u{1b}]0;x\u{7}",
    "=?utf-8?q?=0D=0ABcc:_mallory@evil.example?=",
    "&lt;!channel&gt;",
    "> # - 1. quote\u{b}\u{c}",
    "कक्षा ñandú 房间 🙂",
];

fn about(name: &str) -> [Message; 2] {
    let hostile = Alert {
        user: Some(name.to_owned()),
        because: Some(name.to_owned()),
        condition: name.to_owned(),
        link: Some(format!("https://adsum.example/{name}")),
        ..alert(name)
    };
    let mut event = joined(name, name);
    if let Body::Event(event) = &mut event.body {
        event.state = Some(json!({name: name}));
        event.link = Some(format!("javascript:{name}"));
    }
    [message(Body::Firing(alerts(vec![hostile]))), event]
}

#[tokio::test]
async fn slack_sees_no_mention_no_foreign_link_and_no_further_line() {
    for name in NAMES {
        for message in about(name) {
            let body = to_slack(&message).await;
            let title = body["text"].as_str().unwrap();
            assert!(!title.contains(['<', '>']), "{title}");
            let text = body["blocks"][1]["text"]["text"].as_str().unwrap();
            for (at, _) in text.match_indices('<') {
                let tag = text[at..].split('>').next().unwrap();
                assert!(
                    tag.starts_with("<https://adsum.example/") && tag.ends_with("|Now and since"),
                    "{tag}"
                );
            }
            assert!(text.lines().count() <= 4, "{text}");
            assert_eq!(body["blocks"][1]["text"]["verbatim"], true);
            assert!(text.chars().filter(|c| *c == '`').count() % 2 == 0, "{text}");
        }
    }
}

#[tokio::test]
async fn discord_sees_no_mention_and_no_markup() {
    for name in NAMES {
        for message in about(name) {
            let body = to_discord(&message).await;
            assert_eq!(body["allowed_mentions"], json!({"parse": []}));
            let content = body["content"].as_str().unwrap();
            let text = body["embeds"][0]["description"].as_str().unwrap();
            for text in [content, text] {
                for mention in ["@everyone", "@here", "<@", "<#", "](https://evil", "||"] {
                    assert!(!unescaped(text).contains(mention), "{text}");
                }
                let mut own =
                    text.lines().filter(|line| !line.starts_with("[Now and since](<https://adsum.example/"));
                assert!(own.all(|line| !line.contains("https://")), "{text}");
            }
            assert!(text.lines().count() <= 4, "{text}");
        }
    }
}

#[tokio::test]
async fn a_mail_gets_no_further_header_recipient_or_element() {
    for name in NAMES {
        for message in about(name) {
            let mail = mailed(&message).await;
            assert_eq!(mail["to"], json!(["ops@example.com"]));
            let headers: Vec<&str> = mail["headers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|header| header[0].as_str().unwrap())
                .collect();
            for header in &headers {
                let known = [
                    "from",
                    "to",
                    "subject",
                    "date",
                    "message-id",
                    "references",
                    "auto-submitted",
                    "mime-version",
                    "content-type",
                ];
                assert!(known.contains(header), "{headers:?}");
            }
            assert_eq!(mail["defects"], json!([]));
            let html = mail["html"].as_str().unwrap();
            let tags: Vec<&str> = html.split('<').skip(1).map(|tag| tag.split('>').next().unwrap()).collect();
            for tag in tags {
                let ours = ["!DOCTYPE html", "html", "/html", "/body", "/h2", "p", "/p", "br", "/a"]
                    .contains(&tag)
                    || tag.starts_with("body style=\"font-family")
                    || tag.starts_with("h2 style=\"border-left")
                    || (tag.starts_with("a href=\"https://adsum.example/") && tag.matches('"').count() == 2);
                assert!(ours, "{tag} in {html}");
            }
            assert!(mail["text"].as_str().unwrap().trim().lines().count() <= 4);
        }
    }
}

#[tokio::test]
async fn a_webhook_carries_every_name_as_it_is_in_its_data() {
    for name in NAMES {
        let [alert, event] = about(name);
        let receiver = Receiver::answering("200 OK");
        let notifier = webhook(&http(&receiver.url()));
        deliver(&notifier, &alert).await.unwrap();
        deliver(&notifier, &event).await.unwrap();
        let [alert, event] = [0, 1].map(|at| receiver.got()[at].json());
        assert_eq!(alert["data"]["alerts"][0]["channel"], name);
        assert_eq!(event["data"]["state"], json!({name: name}));
        for event in [alert, event] {
            let subject = event["subject"].as_str().unwrap();
            assert!(!subject.chars().any(char::is_control), "{subject:?}");
            assert!(!event["data"]["title"].as_str().unwrap().chars().any(char::is_control));
        }
    }
}

#[tokio::test]
async fn scripts_of_the_world_stay_readable() {
    let body = to_slack(&message(Body::Firing(alerts(vec![alert("कक्षा ñandú 房间 🙂")])))).await;
    assert_eq!(body["text"], "firing: crowded (warning), कक्षा ñandú 房间 🙂");
}

/// `text` without what Discord shows literally because of a backslash.
fn unescaped(text: &str) -> String {
    let mut rest = text.chars();
    let mut out = String::new();
    while let Some(c) = rest.next() {
        if c == '\\' && rest.clone().next().is_some_and(|c| c.is_ascii_punctuation()) {
            rest.next();
            out.push('\u{0}');
        } else {
            out.push(c);
        }
    }
    out
}

/// Punctuation that means something somewhere, control characters, and the rest of Unicode.
fn name() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            prop::sample::select("<>&@#!|`*_~\\[]()\"'\r\n\t:/{}%; ".chars().collect::<Vec<_>>()),
            any::<char>(),
            prop::char::range('a', 'z'),
        ],
        1..80,
    )
    .prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_name_escapes_in_any_chat(name in name()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for message in about(&name) {
            let body = runtime.block_on(to_slack(&message));
            prop_assert!(!body["text"].as_str().unwrap().contains(['<', '>', '\n']));
            let text = body["blocks"][1]["text"]["text"].as_str().unwrap();
            prop_assert!(text.matches('<').all(|_| true) && text.matches('<').count() <= 1, "{}", text);
            prop_assert!(!text.contains("<!") && !text.contains("<@") && !text.contains("<#"), "{}", text);
            let body = runtime.block_on(to_discord(&message));
            let content = unescaped(body["content"].as_str().unwrap());
            let plain = content.chars().all(|c| !c.is_ascii_punctuation() || "(),:".contains(c));
            prop_assert!(plain, "{}", content);
            let control = content.chars().any(|c| c.is_control() && c != '\u{0}');
            prop_assert!(!control, "{}", content);
        }
    }
}
