//! Error answers (PROTOCOL.md 4) and answers that cannot be true.

use std::time::Duration;

use adsum::pubnub::{Client, Error, HereNow};
use rstest::rstest;
use wiremock::ResponseTemplate;

use super::{answering, client, origin};

async fn failed(status: u16, body: &str) -> Error {
    let server = answering(status, body).await;
    client(&server).here_now().channels(["c"]).execute().await.unwrap_err()
}

#[rstest]
#[case::invalid_key(
    400,
    r#"{"message":"Invalid Subscribe Key","error":true,"service":"Access Manager","status":400}"#,
    400,
    "Invalid Subscribe Key",
    true
)]
#[case::invalid_publish_key(400, r#"[0,"Invalid Key","14820999375199241"]"#, 400, "Invalid Key", true)]
#[case::feature_off_in_a_200(200, r#"{"status": 402, "error": 1, "message": "This feature is not turned on for this account. Contact support@pubnub.com to activate this feature.", "service": "Presence"}"#, 402, "This feature is not turned on for this account. Contact support@pubnub.com to activate this feature.", true)]
#[case::token_revoked(
    403,
    r#"{"error":true,"status":403,"service":"Access Manager","message":"Token is revoked"}"#,
    403,
    "Token is revoked",
    true
)]
#[case::token_expired(400, r#"{"error":{"details":[{"location":"token","locationType":"path","message":"Token is expired."}],"message":"Invalid token","source":"revoke"},"service":"Access Manager","status":400}"#, 400, "Invalid token", true)]
#[case::bad_signature(403, r#"{"status":403,"service":"Access Manager","error":{"message":"Invalid signature","source":"grant","details":[]}}"#, 403, "Invalid signature", true)]
#[case::clock_off(
    400,
    r#"{"message":"Invalid Timestamp","error":true,"service":"Access Manager","status":400}"#,
    400,
    "Invalid Timestamp",
    true
)]
#[case::state_no_json(
    400,
    r#"{"status": 400, "error": 1, "message": "Invalid JSON specified.", "service": "Presence"}"#,
    400,
    "Invalid JSON specified.",
    false
)]
#[case::limit_too_high(
    400,
    r#"{"error":1,"message":"Cannot return more than 1000 uuids at a time","service":"Presence"}"#,
    400,
    "Cannot return more than 1000 uuids at a time",
    false
)]
#[case::unknown_path(
    404,
    r#"{"message": "Not found: '/v2/x'","error": 1,"service": "Presence"}"#,
    404,
    "Not found: '/v2/x'",
    false
)]
#[case::uri_too_long(
    414,
    r#"{"status":414,"service":"Balancer","error":true,"message":"Request URI Too Long"}"#,
    414,
    "Request URI Too Long",
    false
)]
#[case::throttled(
    429,
    r#"{"status":429,"error":true,"message":"Too Many Requests","service":"Presence"}"#,
    429,
    "Too Many Requests",
    true
)]
#[case::overloaded_in_a_200(
    200,
    r#"{"status": 503, "message": "Service Unavailable", "error": 1, "service": "Presence"}"#,
    503,
    "Service Unavailable",
    false
)]
#[case::html(
    502,
    "<html>\n<title>502 Bad Gateway</title></html>",
    502,
    "<html>\\n<title>502 Bad Gateway</title></html>",
    false
)]
#[case::nothing(500, "", 500, "no message", false)]
#[case::redirect(302, "", 302, "no message", false)]
#[case::another_status_inside(500, r#"{"status":200,"message":"OK"}"#, 500, "OK", false)]
#[case::error_in_a_200(
    200,
    r#"{"error":true,"message":"nope","occupancy":0,"uuids":[]}"#,
    200,
    "nope",
    false
)]
#[case::escapes(500, r#"{"message":"a\u001b[31mb"}"#, 500, "a\\u{1b}[31mb", false)]
#[tokio::test]
async fn the_services_own_status_and_message_come_through(
    #[case] http: u16,
    #[case] body: &str,
    #[case] expected: u16,
    #[case] text: &str,
    #[case] key: bool,
) {
    let error = failed(http, body).await;
    assert_eq!((error.status(), error.concerns_key()), (Some(expected), key), "{error:?}");
    assert_eq!(error.is_retryable(), expected == 429 || expected >= 500);
    assert!(
        error.to_string().contains(&format!("(status {expected}")) && error.to_string().contains(text),
        "{error}"
    );
    let Error::Service { http_status, message, .. } = error else { panic!("{error:?}") };
    assert_eq!((http_status, message.as_str()), (http, text));
}

#[tokio::test]
async fn a_403_names_its_channels_and_groups() {
    let body = r#"{"message":"Forbidden","payload":{"channels":["not-permitted-channel"]},"error":true,"service":"Access Manager","status":403}"#;
    let error = failed(403, &format!("{body}\n")).await;
    assert!(!error.concerns_key() && !error.is_retryable());
    assert_eq!(error.to_string(), "Forbidden (status 403, Access Manager; channels: not-permitted-channel)");
    let Error::Service { channels, channel_groups, service, retry_after, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!((channels, channel_groups), (vec!["not-permitted-channel".to_owned()], vec![]));
    assert_eq!((service.as_deref(), retry_after), (Some("Access Manager"), None));

    let body = r#"{"message":"Forbidden","payload":{"channel-groups":[":g1","g2",7]},"error":true,"service":"Access Manager","status":403}"#;
    let error = failed(403, body).await;
    assert!(!error.concerns_key());
    let Error::Service { channels, channel_groups, .. } = error else { panic!("{error:?}") };
    assert_eq!((channels, channel_groups), (vec![], vec!["g1".to_owned(), "g2".to_owned()]));
}

#[tokio::test]
async fn retry_after_is_handed_on() {
    let server = origin(ResponseTemplate::new(429).insert_header("Retry-After", "7")).await;
    let error = client(&server).where_now().execute().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn long_messages_and_bodies_of_errors_are_cut() {
    let error = failed(500, &format!(r#"{{"message":"{}"}}"#, "m".repeat(100_000))).await;
    assert!(error.to_string().len() < 1100);
    let error = failed(502, &"<".repeat(10_000_000)).await;
    assert!(error.to_string().len() < 200 && error.status() == Some(502), "{error}");
}

/// What is wrong with an answer to a here-now for the channel `c`.
#[rstest]
#[case::empty("", "empty")]
#[case::html("<html>hi</html>", "HTML or XML, not JSON; it reads: <html>hi</html>")]
#[case::text("OK", "not JSON")]
#[case::cut_off(r#"{"occupancy":1,"uuids":["a"#, "cut off")]
#[case::trailing(r#"{"occupancy":0,"uuids":[]} {}"#, "trailing characters")]
#[case::an_array(r#"[null,1,["a"]]"#, "expected an object")]
#[case::no_occupancy(r#"{"status":200,"uuids":[]}"#, "neither `payload` nor `occupancy`")]
#[case::null_occupancy(r#"{"occupancy":null,"uuids":[]}"#, "neither `payload` nor `occupancy`")]
#[case::negative(r#"{"occupancy":-1}"#, "-1")]
#[case::float(r#"{"occupancy":1.5}"#, "1.5")]
#[case::text_number(r#"{"occupancy":"1"}"#, "expected u64")]
#[case::huge(r#"{"occupancy":18446744073709551616}"#, "expected u64")]
#[case::exponent(r#"{"occupancy":1e400}"#, "out of range")]
#[case::twice(r#"{"occupancy":1,"occupancy":2}"#, "duplicate field `occupancy`")]
#[case::no_list(r#"{"occupancy":1,"uuids":"a"}"#, "expected a sequence")]
#[case::number_id(r#"{"occupancy":1,"uuids":[5]}"#, "expected an occupant")]
#[case::null_id(r#"{"occupancy":1,"uuids":[null]}"#, "expected an occupant")]
#[case::empty_id(r#"{"occupancy":1,"uuids":[""]}"#, "expected a non-empty text")]
#[case::empty_uuid(r#"{"occupancy":1,"uuids":[{"uuid":""}]}"#, "expected a non-empty text")]
#[case::no_uuid(r#"{"occupancy":1,"uuids":[{"state":{}}]}"#, "missing field `uuid`")]
#[case::more_than_occupancy(r#"{"occupancy":1,"uuids":["a","b"]}"#, "lists 2 ids for an occupancy of 1")]
#[case::lone_surrogate(r#"{"occupancy":1,"uuids":["\ud800"]}"#, "not JSON: unexpected end of hex escape")]
#[case::status_text(r#"{"status":"403","occupancy":0,"uuids":[]}"#, "expected u64")]
#[case::status_twice(r#"{"status":403,"status":200,"occupancy":0}"#, "duplicate field `status`")]
#[case::not_asked_about(
    r#"{"payload":{"channels":{"d":{"occupancy":1}},"total_channels":1,"total_occupancy":1}}"#,
    "channel \"d\" was not asked about"
)]
#[case::listed_twice(
    r#"{"payload":{"channels":{"c":{"occupancy":1},"c":{"occupancy":1}},"total_channels":2,"total_occupancy":2}}"#,
    "channel \"c\" is listed twice"
)]
#[case::total_channels(
    r#"{"payload":{"channels":{"c":{"occupancy":1}},"total_channels":2,"total_occupancy":1}}"#,
    "`total_channels` is 2, 1 are listed"
)]
#[case::total_occupancy(
    r#"{"payload":{"channels":{"c":{"occupancy":1}},"total_channels":1,"total_occupancy":2}}"#,
    "`total_occupancy` is 2, the channels have 1"
)]
#[case::no_total(
    r#"{"payload":{"channels":{"c":{"occupancy":1}},"total_channels":1}}"#,
    "missing field `total_occupancy`"
)]
#[case::entry_without_occupancy(
    r#"{"payload":{"channels":{"c":{"uuids":["a"]}},"total_channels":1,"total_occupancy":1}}"#,
    "missing field `occupancy`"
)]
#[case::entry_as_array(
    r#"{"payload":{"channels":{"c":[1,["a"]]},"total_channels":1,"total_occupancy":1}}"#,
    "expected an object"
)]
#[tokio::test]
async fn an_answer_that_cannot_be_true_is_refused_in_plain_words(#[case] body: &str, #[case] what: &str) {
    let error = failed(200, body).await;
    assert!(matches!(&error, Error::BadAnswer { what: said } if said.contains(what)), "{error}");
    assert!(!error.is_retryable() && !error.concerns_key());
}

#[tokio::test]
async fn occupancies_that_overflow_do_not_add_up() {
    let max = u64::MAX;
    let body = format!(
        r#"{{"payload":{{"channels":{{"a":{{"occupancy":{max}}},"b":{{"occupancy":2}}}},"total_channels":2,"total_occupancy":1}}}}"#
    );
    let server = answering(200, &body).await;
    let error = client(&server).here_now().execute().await.unwrap_err();
    assert!(error.to_string().contains("`total_occupancy` is 1, the channels have"), "{error}");
}

#[tokio::test]
async fn a_flat_answer_to_more_than_one_channel_has_no_owner() {
    let server = answering(200, r#"{"occupancy":1,"uuids":["a"]}"#).await;
    let asks: [fn(HereNow) -> HereNow; 3] =
        [|ask| ask, |ask| ask.channels(["a", "b"]), |ask| ask.channels(["a"]).channel_groups(["g"])];
    for ask in asks {
        let error = ask(client(&server).here_now()).execute().await.unwrap_err();
        assert!(error.to_string().contains("no `payload`"), "{error}");
    }
}

#[tokio::test]
async fn invalid_utf8_is_refused() {
    let body = b"{\"occupancy\":1,\"uuids\":[\"\xff\"]}".to_vec();
    let server = origin(ResponseTemplate::new(200).set_body_raw(body, "application/json")).await;
    let error = client(&server).here_now().channels(["c"]).execute().await.unwrap_err();
    assert!(error.to_string().contains("not UTF-8 from byte 25 on"), "{error}");
}

#[tokio::test]
async fn an_excerpt_shows_the_place_and_is_short() {
    let body = format!(r#"{{"occupancy":9000,"uuids":[{} 7, "after"]}}"#, r#""filler","#.repeat(1000));
    let error = failed(200, &body).await.to_string();
    assert!(error.contains(r#" 7, "after"]}"#), "{error}");
    assert!(error.chars().count() < 300, "{error}");
}

#[rstest]
#[case(r#"{"payload":{"channels":["a",""]}}"#)]
#[case(r#"{"payload":{"channels":["a",1]}}"#)]
#[case(r#"{"payload":{"channels":{"a":1}}}"#)]
#[case(r#"{"payload":{}}"#)]
#[case(r#"{"payload":[["a"]]}"#)]
#[case(r"{}")]
#[case("[]")]
#[tokio::test]
async fn a_list_of_channels_that_is_none_is_refused(#[case] body: &str) {
    let server = answering(200, body).await;
    let client = client(&server);
    assert!(matches!(client.where_now().execute().await, Err(Error::BadAnswer { .. })));
    assert!(matches!(client.list_channel_group("g").execute().await, Err(Error::BadAnswer { .. })));
}

#[rstest]
#[case(r#"{"payload":{"a":1},"channel":"other"}"#, "\"other\" was not asked about")]
#[case(r#"{"payload":{"channels":{"other":{}}}}"#, "\"other\" was not asked about")]
#[case(r#"{"payload":{"a":1}}"#, "missing field `channels`")]
#[case(r#"{"payload":{"channels":{"c":{},"c":{"a":1}}}}"#, "\"c\" is listed twice")]
#[case(r#"{"payload":{"channels":["c"]}}"#, "expected an object")]
#[case(r#"{"channel":"c"}"#, "missing field `payload`")]
#[tokio::test]
async fn a_state_that_belongs_to_nobody_asked_is_refused(#[case] body: &str, #[case] what: &str) {
    let server = answering(200, body).await;
    let error = client(&server).get_state().channels(["c"]).execute().await.unwrap_err();
    assert!(matches!(&error, Error::BadAnswer { what: said } if said.contains(what)), "{error}");
}

#[tokio::test]
async fn no_timetoken_is_no_time() {
    for body in ["[]", "[1,2]", "[-1]", r#"["1"]"#, "17", "{}"] {
        let server = answering(200, body).await;
        let error = client(&server).time().execute().await.unwrap_err();
        assert!(matches!(error, Error::BadAnswer { .. }), "{body}: {error}");
    }
}

#[tokio::test]
async fn an_acknowledgement_must_be_an_object() {
    let server = answering(200, "[1]").await;
    let c: Client = client(&server);
    assert!(matches!(c.leave().channels(["c"]).execute().await, Err(Error::BadAnswer { .. })));
}
