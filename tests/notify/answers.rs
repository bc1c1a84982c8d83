//! What a notifier makes of receivers that fail, hang, and say things.

use std::time::{Duration, Instant};

use adsum::notify::{MAX_ANSWER, MAX_RETRY_AFTER, Notifier, Remedy, Undelivered};
use rstest::rstest;

use crate::receiver::{Do, Receiver, answer};
use crate::world::{attempt, deliver, discord, firing, http, slack, webhook};

const RETRY: Remedy = Remedy::Retry { after: None };

fn after(seconds: u64) -> Remedy {
    Remedy::Retry { after: Some(Duration::from_secs(seconds)) }
}

async fn refused(what: Do) -> Undelivered {
    let receiver = Receiver::new(vec![what]);
    let mut settings = http(&receiver.url());
    settings.timeout = Duration::from_secs(2);
    let refused = deliver(&webhook(&settings), &firing()).await.unwrap_err();
    assert_eq!(receiver.connections(), 1, "it tries once");
    assert!(!refused.answer.contains("s3cret"), "{}", refused.answer);
    assert!(refused.answer.chars().count() <= MAX_ANSWER && !refused.answer.contains('\n'));
    refused
}

#[rstest]
#[case("301 Moved Permanently", "location: http://127.0.0.1:1/\r\n", RETRY)]
#[case("302 Found", "location: /elsewhere\r\n", RETRY)]
#[case("400 Bad Request", "", RETRY)]
#[case("401 Unauthorized", "", RETRY)]
#[case("404 Not Found", "retry-after: 5\r\n", after(5))]
#[case("408 Request Timeout", "", RETRY)]
#[case("410 Gone", "", Remedy::Disable)]
#[case("413 Content Too Large", "", Remedy::Fail)]
#[case("425 Too Early", "", RETRY)]
#[case("429 Too Many Requests", "", RETRY)]
#[case("429 Too Many Requests", "retry-after: 7\r\n", after(7))]
#[case("429 Too Many Requests", "retry-after: 86400\r\n", Remedy::Retry { after: Some(MAX_RETRY_AFTER) })]
#[case("429 Too Many Requests", "retry-after: Fri, 01 Jan 9999 00:00:00 GMT\r\n", Remedy::Retry { after: Some(MAX_RETRY_AFTER) })]
#[case("429 Too Many Requests", "retry-after: Sun, 01 Nov 2026 00:00:00 GMT\r\n", after(0))]
#[case("429 Too Many Requests", "retry-after: soon\r\n", RETRY)]
#[case("500 Internal Server Error", "", RETRY)]
#[case("503 Service Unavailable", "retry-after: 30\r\n", after(30))]
#[case("599 Odd", "", RETRY)]
#[tokio::test]
async fn each_status_says_what_to_do(#[case] status: &str, #[case] headers: &str, #[case] remedy: Remedy) {
    let refused = refused(answer(status, headers, "")).await;
    assert_eq!(refused.remedy, remedy, "{refused}");
    assert!(refused.answer.starts_with(&status[..3]), "{refused}");
}

#[tokio::test]
async fn any_2xx_is_a_receipt_whatever_follows_it() {
    for what in [
        answer("200 OK", "", "thanks"),
        answer("202 Accepted", "", ""),
        Do::Break("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbro"),
        Do::Endless("HTTP/1.1 200 OK\r\n\r\n"),
    ] {
        let receiver = Receiver::new(vec![what]);
        let receipt = deliver(&webhook(&http(&receiver.url())), &firing()).await.unwrap();
        assert!(receipt.answer.starts_with("20"), "{receipt:?}");
        assert_eq!(receiver.got().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Receiver::answering("200 OK");
    let location = format!("location: {}\r\n", target.url());
    let refused = refused(answer("307 Temporary Redirect", &location, "")).await;
    assert_eq!(refused.answer, "307 Temporary Redirect (redirects are not followed)");
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_receiver_that_hangs_costs_no_more_than_the_time_out() {
    for what in [Do::Hang, Do::Endless("HTTP/1.1 200 OK\r\nx: ")] {
        let began = Instant::now();
        let refused = refused(what).await;
        assert_eq!(refused.remedy, RETRY, "{refused}");
        assert!(began.elapsed() < Duration::from_secs(8));
    }
}

#[rstest]
#[case(Do::Close)]
#[case(Do::Break(""))]
#[case(Do::Break("HTTP/1.1 200 O"))]
#[case(Do::Break("SSH-2.0-OpenSSH_9.6\r\n\r\n"))]
#[case(Do::Break("HTTP/1.1 999 \u{1b}[31m\r\n\r\n"))]
#[tokio::test]
async fn a_connection_that_breaks_is_worth_another_try(#[case] what: Do) {
    let refused = refused(what).await;
    assert_eq!(refused.remedy, RETRY, "{refused}");
}

#[tokio::test]
async fn nobody_listening_is_worth_another_try() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let notifier = webhook(&http(&format!("http://127.0.0.1:{port}/?key=s3cret")));
    let refused = deliver(&notifier, &firing()).await.unwrap_err();
    assert_eq!(refused.remedy, RETRY);
    assert!(refused.answer.contains("refused") && !refused.answer.contains("s3cret"), "{refused}");
}

#[tokio::test]
async fn what_the_receiver_says_is_repeated_in_one_bounded_line() {
    let said = format!("no such room\r\nSet-Cookie: x\u{1b}[31m\u{202e}{}", "y".repeat(10_000));
    let refused = refused(answer("400 Bad Request", "", &said)).await;
    assert!(
        refused
            .answer
            .starts_with("400 Bad Request: no such room\\u{d}\\u{a}Set-Cookie: x\\u{1b}[31m\\u{202e}yyy")
    );
    assert!(refused.answer.ends_with('…'));
}

#[tokio::test]
async fn an_endless_refusal_is_read_only_at_its_beginning() {
    let began = Instant::now();
    let refused = refused(Do::Endless("HTTP/1.1 500 Internal Server Error\r\n\r\n")).await;
    assert!(began.elapsed() < Duration::from_secs(2), "it did not wait for the end");
    assert!(refused.answer.starts_with("500 Internal Server Error: xxx"));
}

#[tokio::test]
async fn it_gets_through_once_the_receiver_recovers_with_the_same_id_on_every_try() {
    let script = vec![
        answer("500 Oops", "", ""),
        Do::Close,
        answer("429 Slow", "retry-after: 1\r\n", ""),
        answer("200 OK", "", ""),
    ];
    let receiver = Receiver::new(script);
    let notifier = webhook(&http(&receiver.url()));
    let mut outcomes = Vec::new();
    for number in 1..=4 {
        let attempt = adsum::notify::Attempt { number, ..attempt() };
        outcomes.push(notifier.deliver(&firing(), attempt).await.is_ok());
    }
    assert_eq!(outcomes, [false, false, false, true]);
    let got = receiver.got();
    let said = |name: &str| got.iter().map(|got| got.header(name).to_owned()).collect::<Vec<_>>();
    assert_eq!(said("webhook-id"), ["0b9e-delivery_1"; 3]);
    assert_eq!(said("adsum-attempt"), ["1", "3", "4"]);
}

#[rstest]
#[case("404 Not Found", "no_service", Remedy::Disable)]
#[case("404 Not Found", "channel_not_found", RETRY)]
#[case("410 Gone", "channel_is_archived", Remedy::Disable)]
#[case("400 Bad Request", "invalid_payload", Remedy::Fail)]
#[case("429 Too Many Requests", "rate_limited", RETRY)]
#[tokio::test]
async fn slack_says_in_its_own_words_that_a_webhook_is_gone(
    #[case] status: &str,
    #[case] body: &str,
    #[case] remedy: Remedy,
) {
    let receiver = Receiver::new(vec![answer(status, "", body)]);
    let refused = deliver(&slack(&receiver.url()), &firing()).await.unwrap_err();
    assert_eq!((refused.remedy, refused.answer), (remedy, format!("{status}: {body}")));
}

#[rstest]
#[case("404 Not Found", r#"{"message": "Unknown Webhook", "code": 10015}"#, Remedy::Disable)]
#[case("404 Not Found", r#"{"message": "404: Not Found", "code": 0}"#, RETRY)]
#[case("404 Not Found", "<html>", RETRY)]
#[tokio::test]
async fn discord_says_in_its_own_words_that_a_webhook_is_gone(
    #[case] status: &str,
    #[case] body: &str,
    #[case] remedy: Remedy,
) {
    let receiver = Receiver::new(vec![answer(status, "", body)]);
    let refused = deliver(&discord(&receiver.url()), &firing()).await.unwrap_err();
    assert_eq!(refused.remedy, remedy);
}
