//! Templates of users.

use std::time::{Duration, Instant};

use adsum::notify::{Body, MAX_TEMPLATE, Message, SettingsError, Slack, Texts, Webhook};
use rstest::rstest;

use crate::receiver::Receiver;
use crate::world::{SECRET, alert, alerts, deliver, firing, http, joined, message};

fn title(template: &str) -> Texts {
    Texts { title: Some(template.to_owned()), ..Texts::default() }
}

fn text(template: &str) -> Texts {
    Texts { text: Some(template.to_owned()), ..Texts::default() }
}

fn made(url: &str, texts: &Texts) -> Result<Webhook, String> {
    Webhook::new(&http(url), &[SECRET.into()], "urn:a", texts).map_err(|error| match error {
        SettingsError::Template(error) => error.to_string(),
        other => panic!("{other}"),
    })
}

async fn data(texts: &Texts, message: &Message) -> (String, String) {
    let receiver = Receiver::answering("200 OK");
    deliver(&made(&receiver.url(), texts).unwrap(), message).await.unwrap();
    let data = &receiver.got()[0].json()["data"];
    (data["title"].as_str().unwrap().to_owned(), data["text"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_template_of_the_user_takes_the_place_of_ours() {
    let texts = Texts {
        title: Some("{{ severity|upper }}\n {{ alerts[0].channel }}".to_owned()),
        text: Some("{% for a in alerts %}{{ a.channel|name }} {{ a.since.not_after }} {{ a.link|link('see') }}\n{% endfor %}".to_owned()),
        event_title: Some("{{ user }}!".to_owned()),
        event_text: Some("{{ kind }} {{ state }}".to_owned()),
    };
    let (title, text) = data(&texts, &firing()).await;
    assert_eq!(title, "WARNING lobby");
    assert_eq!(
        text,
        "\"lobby\" 2026-11-24T14:03:07.250Z see: https://adsum.example/v1/channels/lobby?a=1&b=2"
    );
    assert_eq!(data(&texts, &joined("lobby", "ada")).await, ("ada!".into(), r#"join {"mood":"ok"}"#.into()));
}

#[rstest]
#[case("{{ rul }}", "there is no rul")]
#[case("{% if kind == 'never' %}{{ rul }}{% endif %}", "there is no rul")]
#[case("{{ event.user }}", "there is no event")]
#[case("{{ rule.name }}", "there is no rule.name")]
#[case("{{ alerts[0].chanel }}", "undefined value")]
#[case(
    "{% for a in alerts %}{% if a.gap is not none %}{{ a.gap.raeson }}{% endif %}{% endfor %}",
    "undefined value"
)]
#[case("{{ alerts[7].channel }}", "undefined value")]
#[case("{{ rule", "syntax error")]
#[case("{% for a in alerts %}", "syntax error")]
#[case("{% include 'title' %}", "syntax error")]
#[case("{{ rule|nosuch }}", "unknown filter")]
#[case("{{ rule|safe }}", "unknown filter")]
#[case("{{ nosuch() }}", "there is no nosuch")]
#[case("ok\nok\n{{ rule + 1 }}", "(line 3)")]
#[case("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "fuel")]
#[case("{{ 'x' * 1000000000 }}", "fuel")]
#[case("{% set a = 'xxxxxxxxxxxxxxxx' %}{% set b = a * 10000 %}{% set c = b * 10000 %}{{ c }}", "fuel")]
fn a_template_that_cannot_work_is_refused_at_once(#[case] template: &str, #[case] why: &str) {
    let began = Instant::now();
    for (name, texts) in [("title", title(template)), ("text", text(template))] {
        let error = made("http://127.0.0.1:1", &texts).err().unwrap_or_else(|| panic!("{template} is taken"));
        assert!(error.contains(why) && error.starts_with(&format!("the template {name}: ")), "{error}");
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_template_about_events_sees_no_alerts() {
    let texts = Texts { event_text: Some("{{ alerts }}".to_owned()), ..Texts::default() };
    assert_eq!(
        made("http://127.0.0.1:1", &texts).err().unwrap(),
        "the template event_text: there is no alerts"
    );
}

#[test]
fn an_endless_template_is_refused_by_its_length() {
    let error = made("http://127.0.0.1:1", &text(&"x".repeat(MAX_TEMPLATE + 1))).err().unwrap();
    assert_eq!(error, format!("the template text: longer than {MAX_TEMPLATE} bytes"));
    assert!(made("http://127.0.0.1:1", &text(&"x".repeat(MAX_TEMPLATE))).is_ok());
}

/// Checked against samples, a template may still meet a message that it cannot write.
#[tokio::test]
async fn where_a_template_fails_after_all_our_words_take_its_place() {
    let texts = text("{{ 100 // (alerts[0].value - 7 if alerts[0].value is not none else 1) }}");
    let mut odd = alert("lobby");
    odd.value = Some(7);
    let (_, text) = data(&texts, &message(Body::Firing(alerts(vec![odd])))).await;
    assert!(text.starts_with("\"lobby\": occupancy above 200, 7 there."), "{text}");
    let (_, text) = data(&texts, &firing()).await;
    assert_eq!(text, "0");
}

#[tokio::test]
async fn a_long_text_is_cut_and_a_title_is_one_line() {
    let (title, _) = data(&title("{% for n in range(1000) %}{{ rule }}\r\n{% endfor %}"), &firing()).await;
    assert!(title.encode_utf16().count() == 250 && title.ends_with('…') && !title.contains('\n'));
    let (_, text) = data(&text("{% for n in range(9000) %}{{ rule }} {% endfor %}"), &firing()).await;
    assert_eq!(text.encode_utf16().count(), 20_000);
}

#[tokio::test]
async fn a_template_may_mention_people_on_purpose() {
    let receiver = Receiver::answering("200 OK");
    let texts = text("<!here> *{{ rule }}* {{ alerts[0].channel }}");
    let slack = Slack::new(&http(&receiver.url()), &texts).unwrap();
    deliver(&slack, &message(Body::Firing(alerts(vec![alert("<!channel>")])))).await.unwrap();
    let body = receiver.got()[0].json();
    assert_eq!(body["blocks"][1]["text"]["text"], "<!here> *crowded* &lt;!channel&gt;");
}
