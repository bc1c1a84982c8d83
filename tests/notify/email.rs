//! Mails to a real server, parsed by a real parser.

use std::io::{BufRead, Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use adsum::notify::{
    Alert, Body, Email, EmailSettings, Encryption, Login, Message, Remedy, SettingsError, Texts,
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::python::{Script, certificate};
use crate::world::{alert, alerts, deliver, firing, joined, message, resolved};

fn settings(server: &Value, encryption: Encryption) -> EmailSettings {
    EmailSettings {
        server: "localhost".to_owned(),
        port: Some(u16::try_from(server["port"].as_u64().unwrap()).unwrap()),
        encryption,
        ca: Some(std::fs::read(certificate()).unwrap()),
        login: None,
        from: "adsum <adsum@example.com>".to_owned(),
        to: vec!["ops@example.com".to_owned()],
        timeout: Duration::from_secs(10),
    }
}

fn email(settings: &EmailSettings) -> Email {
    Email::new(settings, &Texts::default()).unwrap()
}

fn server(encryption: &str, more: &[&str]) -> Script {
    let certificate = certificate();
    let arguments = ["--encryption", encryption, "--certificate", certificate.to_str().unwrap()];
    Script::start("smtp.py", &[&arguments[..], more].concat())
}

/// A message as the server got it.
pub(crate) async fn mailed(message: &Message) -> Value {
    let server = server("plain", &[]);
    deliver(&email(&settings(&server.json(), Encryption::Plain)), message).await.unwrap();
    server.json()
}

fn header<'a>(mail: &'a Value, name: &str) -> Option<&'a str> {
    let headers = mail["headers"].as_array().unwrap();
    let found: Vec<_> = headers.iter().filter(|header| header[0] == name).collect();
    assert!(found.len() <= 1, "{found:?}");
    found.first().map(|header| header[1].as_str().unwrap())
}

#[rstest]
#[case("plain", Encryption::Plain, false)]
#[case("starttls", Encryption::Starttls, true)]
#[case("tls", Encryption::Tls, true)]
#[tokio::test]
async fn a_mail_arrives_with_a_text_and_the_same_in_html(
    #[case] mode: &str,
    #[case] encryption: Encryption,
    #[case] encrypted: bool,
) {
    let server = server(mode, &[]);
    let receipt = deliver(&email(&settings(&server.json(), encryption)), &firing()).await.unwrap();
    assert_eq!(receipt.answer, "250 2.0.0 taken");
    let mail = server.json();
    assert_eq!(mail["encrypted"], encrypted);
    assert_eq!((&mail["from"], &mail["to"]), (&json!("adsum@example.com"), &json!(["ops@example.com"])));
    assert_eq!((&mail["type"], &mail["defects"]), (&json!("multipart/alternative"), &json!([])));
    assert_eq!(mail["hello"], "example.com");
    assert_eq!(header(&mail, "subject"), Some("firing: crowded (warning), lobby"));
    assert_eq!(header(&mail, "from"), Some("adsum <adsum@example.com>"));
    assert_eq!(header(&mail, "message-id"), Some("<0b9e-delivery_1@example.com>"));
    assert_eq!(header(&mail, "auto-submitted"), Some("auto-generated"));
    insta::allow_duplicates! {
        insta::assert_snapshot!(mail["text"].as_str().unwrap(), @r#"
        "lobby": occupancy above 200, 240 there.
        Began between 2026-11-24 14:03:02 and 14:03:08 UTC, as PubNub knew it.
        Now and since: https://adsum.example/v1/channels/lobby?a=1&b=2
        "#);
        insta::assert_snapshot!(mail["html"].as_str().unwrap(), @r##"
        <!DOCTYPE html>
        <html><body style="font-family: sans-serif">
        <h2 style="border-left: 6px solid #d93025; padding-left: 8px">firing: crowded (warning), lobby</h2>
        <p>&quot;lobby&quot;: occupancy above 200, 240 there.<br>
        Began between 2026-11-24 14:03:02 and 14:03:08 UTC, as PubNub knew it.<br>
        Now and since: <a href="https://adsum.example/v1/channels/lobby?a=1&amp;b=2">https://adsum.example/v1/channels/lobby?a=1&amp;b=2</a></p>
        </body></html>
        "##);
    }
}

#[tokio::test]
async fn mails_about_one_alert_belong_together() {
    let other = message(Body::Firing(alerts(vec![Alert { alert_id: "other".into(), ..alert("lobby") }])));
    let mut references = Vec::new();
    for message in [firing(), resolved(), other, joined("lobby", "ada")] {
        references.push(header(&mailed(&message).await, "references").map(str::to_owned));
    }
    assert!(references[0].is_some() && references[0] == references[1] && references[1] != references[2]);
    assert_eq!(references[3], None);
}

#[tokio::test]
async fn a_login_is_used_and_a_wrong_one_is_no_use_trying_again() {
    let server = server("starttls", &["--login", "ada:correct-horse"]);
    let mut settings = settings(&server.json(), Encryption::Starttls);
    let login = |password: &str| Some(Login { user: "ada".to_owned(), password: password.into() });
    settings.login = login("correct-horse");
    deliver(&email(&settings), &firing()).await.unwrap();
    assert_eq!(server.json()["login"], "ada");
    settings.login = login("battery-staple");
    let refused = deliver(&email(&settings), &firing()).await.unwrap_err();
    assert_eq!(refused.remedy, Remedy::Fail);
    assert!(refused.answer.contains("535") && !refused.answer.contains("battery"), "{refused}");
    settings.login = None;
    let refused = deliver(&email(&settings), &firing()).await.unwrap_err();
    assert!(refused.remedy == Remedy::Fail && refused.answer.contains("530"), "{refused}");
}

#[tokio::test]
async fn a_server_whose_certificate_is_not_trusted_gets_nothing() {
    for (mode, encryption) in [("starttls", Encryption::Starttls), ("tls", Encryption::Tls)] {
        let server = server(mode, &[]);
        let mut settings = settings(&server.json(), encryption);
        settings.ca = None;
        let refused = deliver(&email(&settings), &firing()).await.unwrap_err();
        assert!(matches!(refused.remedy, Remedy::Retry { .. }), "{refused}");
        assert_eq!(server.rest(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing() {
    let server = server("plain", &[]);
    let refused =
        deliver(&email(&settings(&server.json(), Encryption::Starttls)), &firing()).await.unwrap_err();
    assert!(matches!(refused.remedy, Remedy::Retry { .. }));
    assert!(refused.answer.contains("STARTTLS is not supported"), "{refused}");
    assert_eq!(server.rest(), Vec::<String>::new());
}

#[rstest]
#[case("451 4.3.0 come back", Remedy::Retry { after: None })]
#[case("421 4.3.2 going down", Remedy::Retry { after: None })]
#[case("554 5.7.1 spam", Remedy::Fail)]
#[tokio::test]
async fn what_the_server_says_to_a_mail_decides_whether_it_is_tried_again(
    #[case] answer: &str,
    #[case] remedy: Remedy,
) {
    let server = server("plain", &["--refuse", answer]);
    let refused = deliver(&email(&settings(&server.json(), Encryption::Plain)), &firing()).await.unwrap_err();
    assert_eq!(refused.remedy, remedy);
    assert!(refused.answer.contains(&answer[..3]) && refused.answer.contains(&answer[4..]), "{refused}");
}

fn to(server: &Value, names: &[&str]) -> Email {
    let to = names.iter().map(|name| format!("{name}@example.com")).collect();
    email(&EmailSettings { to, ..settings(server, Encryption::Plain) })
}

#[tokio::test]
async fn one_bad_recipient_keeps_nobody_else_from_hearing() {
    let server = server("plain", &[]);
    let receipt = deliver(&to(&server.json(), &["ada", "unknown", "bob"]), &firing()).await.unwrap();
    assert!(
        receipt.answer.starts_with("250 2.0.0 taken; unknown@example.com: permanent error (550)"),
        "{receipt:?}"
    );
    let mail = server.json();
    assert_eq!(mail["to"], json!(["ada@example.com", "bob@example.com"]));
    assert_eq!(header(&mail, "to"), Some("ada@example.com, unknown@example.com, bob@example.com"));
}

#[tokio::test]
async fn a_recipient_who_is_late_is_tried_again_alone() {
    let server = server("plain", &[]);
    let email = to(&server.json(), &["ada", "slow", "unknown"]);
    let refused = deliver(&email, &firing()).await.unwrap_err();
    assert!(matches!(refused.remedy, Remedy::Retry { .. }) && refused.answer.contains("slow@example.com"));
    assert_eq!(server.json()["to"], json!(["ada@example.com"]));
    deliver(&email, &firing()).await.unwrap();
    assert_eq!(server.json()["to"], json!(["slow@example.com"]));
    // Another message is for all of them again.
    deliver(&email, &Message { delivery: "another".to_owned(), ..firing() }).await.unwrap();
    assert_eq!(server.json()["to"], json!(["ada@example.com", "slow@example.com"]));
}

#[tokio::test]
async fn a_mail_that_nobody_takes_fails_or_waits() {
    let server = server("plain", &[]);
    let port = server.json();
    let refused = deliver(&to(&port, &["unknown"]), &firing()).await.unwrap_err();
    assert_eq!(refused.remedy, Remedy::Fail);
    assert!(refused.answer.contains("no such user") && !refused.answer.contains('\n'), "{refused}");
    let full = to(&port, &["full", "unknown"]);
    for _ in 0..3 {
        let refused = deliver(&full, &firing()).await.unwrap_err();
        assert!(matches!(refused.remedy, Remedy::Retry { .. }), "{refused}");
    }
    assert_eq!(server.rest(), Vec::<String>::new());
}

#[tokio::test]
async fn not_even_a_server_with_a_certificate_may_talk_for_ever() {
    let server = server("tls", &["--endless"]);
    let refused = deliver(&email(&settings(&server.json(), Encryption::Tls)), &firing()).await.unwrap_err();
    assert!(matches!(refused.remedy, Remedy::Retry { .. }));
    assert!(refused.answer.contains("the server says too much"), "{refused}");
}

#[test]
fn certificates_that_are_none_are_refused() {
    for encryption in [Encryption::Tls, Encryption::Starttls] {
        let ca = Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec());
        let settings = EmailSettings { ca, ..settings(&json!({"port": 1}), encryption) };
        assert!(
            matches!(Email::new(&settings, &Texts::default()), Err(SettingsError::Tls { .. })),
            "{encryption:?}"
        );
    }
}

/// A server that says this and then nothing, or for ever.
fn rude(greeting: &'static [u8], endless: bool) -> Value {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut sent = stream.write_all(greeting);
            while endless && sent.is_ok() {
                sent = stream.write_all(&[b'x'; 8192]);
            }
            drop(stream.read_to_end(&mut Vec::new()));
        }
    });
    json!({"port": port})
}

#[rstest]
#[case(b"", false, "was not done within 2s")]
#[case(b"220 hello\r\n", false, "was not done within 2s")]
#[case(b"220 ", true, "the server says too much")]
#[case(b"220-hello\r\n", true, "too")]
#[case(b"554 go away\r\n", false, "554")]
#[case(b"HTTP/1.1 400 Bad Request\r\n\r\n", false, "response error")]
#[tokio::test]
async fn a_server_that_is_rude_is_tried_again_later(
    #[case] greeting: &'static [u8],
    #[case] endless: bool,
    #[case] why: &str,
) {
    let began = Instant::now();
    for encryption in [Encryption::Plain, Encryption::Starttls] {
        let settings = EmailSettings {
            timeout: Duration::from_secs(2),
            ..settings(&rude(greeting, endless), encryption)
        };
        let refused = deliver(&email(&settings), &firing()).await.unwrap_err();
        assert!(matches!(refused.remedy, Remedy::Retry { .. }));
        assert!(refused.answer.contains(why), "{refused}");
    }
    assert!(began.elapsed() < Duration::from_secs(12));
}

/// A server that takes a mail and never says good-bye once made it look as if it had not, so that it came again and again.
#[tokio::test]
async fn a_server_that_hangs_after_it_took_the_mail_has_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = std::io::BufReader::new(stream.try_clone().unwrap()).lines();
        stream.write_all(b"220 hello\r\n").unwrap();
        let mut in_mail = false;
        for line in lines.map_while(Result::ok) {
            match line.as_str() {
                "." => in_mail = false,
                "DATA" => in_mail = true,
                "QUIT" => continue,
                _ if in_mail => continue,
                _ => {}
            }
            stream.write_all(if in_mail { b"354 go on\r\n" } else { b"250 ok\r\n" }).unwrap();
        }
    });
    let settings = settings(&json!({"port": port}), Encryption::Plain);
    let began = Instant::now();
    assert_eq!(deliver(&email(&settings), &firing()).await.unwrap().answer, "250 ok");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[rstest]
#[case("ada")]
#[case("ada@")]
#[case("ada@example.com\r\nBcc: mallory@evil.example")]
#[case("ada\r\nBcc: x <ada@example.com>")]
#[case("ada@example.com, bob@example.com")]
#[case("ädä@example.com")]
#[case("")]
fn what_is_no_mail_address_is_refused(#[case] address: &str) {
    let good = settings(&json!({"port": 1}), Encryption::Plain);
    for settings in [
        EmailSettings { from: address.to_owned(), ..good.clone() },
        EmailSettings { to: vec![address.to_owned()], ..good.clone() },
    ] {
        let error =
            Email::new(&settings, &Texts::default()).err().unwrap_or_else(|| panic!("{address:?} is taken"));
        assert!(matches!(error, SettingsError::BadAddress { .. }));
    }
}

#[test]
fn a_password_is_not_sent_in_the_clear() {
    let login = Some(Login { user: "ada".to_owned(), password: "s3cret".into() });
    let settings = EmailSettings { login, ..settings(&json!({"port": 1}), Encryption::Plain) };
    let error = Email::new(&settings, &Texts::default()).err().unwrap();
    assert!(matches!(error, SettingsError::PlainPassword));
    assert!(!format!("{settings:?} {error}").contains("s3cret"));
}

#[test]
fn recipients_are_counted() {
    let good = settings(&json!({"port": 1}), Encryption::Plain);
    for (count, taken) in [(0, false), (1, true), (50, true), (51, false)] {
        let settings = EmailSettings { to: vec!["ada@example.com".to_owned(); count], ..good.clone() };
        assert_eq!(Email::new(&settings, &Texts::default()).is_ok(), taken, "{count}");
    }
}
