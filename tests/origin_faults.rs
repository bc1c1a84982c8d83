//! The faults of the embedded origin over real HTTP: what arrives on the wire, what the client makes of it, and `/faults`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "the helpers are part of the tests"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use adsum::origin::faults::{Faults, MOST_RULES};
use adsum::origin::{Origin, OriginHandle, OriginSettings};
use adsum::pubnub::{Client, ClientConfig, Error, HereNowResult};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HOST, ORIGIN};
use rstest::rstest;
use serde_json::{Value, json};

/// A bound origin on a thread of its own.
struct Server {
    address: SocketAddr,
    http: reqwest::Client,
    stop: OriginHandle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Server {
    /// With Kim, Earline and Glen in channel `a`, Kim in `b`, and these rules.
    async fn with(rules: Value) -> Self {
        let server =
            Self::start(OriginSettings { here_now_cache: Duration::ZERO, ..OriginSettings::default() });
        for (user, channels) in [("Kim", "a,b"), ("Earline", "a"), ("Glen", "a")] {
            let answer = server.raw(&format!("/channel/{channels}/heartbeat?uuid={user}"));
            assert!(answer.body().contains("OK"), "{}", answer.body());
        }
        let (status, told) = server.put(&rules).await;
        assert_eq!(status, 200, "{told}");
        server
    }

    fn start(settings: OriginSettings) -> Self {
        let origin = Origin::bind(settings).unwrap();
        let (address, stop) = (origin.local_addr(), origin.handle());
        let thread = std::thread::spawn(|| actix_web::rt::System::new().block_on(origin.run()));
        Self { address, http: reqwest::Client::new(), stop, thread: Some(thread) }
    }

    fn client(&self) -> Client {
        let origin = format!("http://{}", self.address);
        let request_timeout = Duration::from_secs(2);
        Client::new(ClientConfig { origin, request_timeout, ..ClientConfig::new("k", "tester") }).unwrap()
    }

    async fn here_now(&self, channels: &[&str]) -> Result<HereNowResult, Error> {
        self.client().here_now().channels(channels.iter().copied()).execute().await
    }

    async fn faults(&self, method: Method, body: Option<&Value>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("http://{}/faults", self.address));
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    async fn put(&self, rules: &Value) -> (u16, Value) {
        self.faults(Method::PUT, Some(rules)).await
    }

    /// Everything that arrives after a call of the Presence service on a connection of its own.
    fn raw(&self, call: &str) -> Arrived {
        self.raw_within(call, Duration::from_secs(20))
    }

    /// The same, until nothing arrives for a while.
    fn raw_within(&self, call: &str, patience: Duration) -> Arrived {
        let mut connection = TcpStream::connect(self.address).unwrap();
        connection.set_read_timeout(Some(patience)).unwrap();
        let request =
            format!("GET /v2/presence/sub-key/k{call} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).unwrap();
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match connection.read(&mut buffer) {
                Ok(0) => return Arrived { bytes, end: None },
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                Err(error) => return Arrived { bytes, end: Some(error.kind()) },
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.stop();
        let ended = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

/// The bytes of an answer, and how the connection ended if not with a farewell.
struct Arrived {
    bytes: Vec<u8>,
    end: Option<ErrorKind>,
}

impl Arrived {
    fn split(&self) -> (String, &[u8]) {
        let at = self.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        (String::from_utf8(self.bytes[..at].to_vec()).unwrap().to_lowercase(), &self.bytes[at + 4..])
    }

    fn head(&self) -> String {
        self.split().0
    }

    fn body(&self) -> String {
        String::from_utf8_lossy(self.split().1).into_owned()
    }

    fn length(&self) -> usize {
        let head = self.head();
        let line = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        line.parse().unwrap()
    }
}

fn only(rule: Value) -> Value {
    json!({"seed": 1, "rule": [rule]})
}

/// The one channel's occupants.
fn ids(result: &HereNowResult) -> Vec<String> {
    let occupants = result.channels[0].occupants.as_ref().unwrap();
    occupants.iter().map(|occupant| occupant.uuid.clone()).collect()
}

/// What is wrong with a bad answer.
fn bad(result: Result<HereNowResult, Error>) -> String {
    match result {
        Err(Error::BadAnswer { what }) => what,
        other => panic!("{other:?}"),
    }
}

const A: &str =
    r#"{"message":"OK","occupancy":3,"service":"Presence","status":200,"uuids":["Kim","Earline","Glen"]}"#;

mod on_the_wire {
    use super::*;

    #[tokio::test]
    async fn latency_delays_an_answer_by_its_delay_and_at_most_its_jitter_more() {
        let server =
            Server::with(only(json!({"fault": "latency", "delay": "150ms", "jitter": "100ms"}))).await;
        let started = Instant::now();
        assert_eq!(ids(&server.here_now(&["a"]).await.unwrap()), ["Kim", "Earline", "Glen"]);
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(150), "{took:?}");
        let long = json!({"rule": [{"fault": "latency", "delay": "1m"}]});
        server.put(&long).await;
        let error = server.here_now(&["a"]).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn delays_add_up() {
        let delay = json!({"fault": "latency", "delay": "60ms"});
        let server = Server::with(json!({"rule": [delay, delay, delay]})).await;
        let started = Instant::now();
        server.here_now(&["a"]).await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(180));
    }

    #[tokio::test]
    async fn a_late_answer_is_as_of_its_request() {
        let server = Server::with(only(json!({"fault": "latency", "delay": "200ms"}))).await;
        let client = server.client();
        let asked = client.here_now().channels(["a"]).execute();
        let joins = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            client.heartbeat().channels(["a"]).execute().await.unwrap();
        };
        let (answer, ()) = tokio::join!(asked, joins);
        assert_eq!(ids(&answer.unwrap()), ["Kim", "Earline", "Glen"]);
        assert_eq!(server.here_now(&["a"]).await.unwrap().total_occupancy, 4);
    }

    #[tokio::test]
    async fn silence_answers_nothing_for_as_long_as_the_client_waits() {
        let server = Server::with(only(json!({"fault": "silence"}))).await;
        let arrived = server.raw_within("/channel/a", Duration::from_millis(200));
        assert_eq!((arrived.bytes.len(), arrived.end), (0, Some(ErrorKind::WouldBlock)), "not even a head");
        let error = server.here_now(&["a"]).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_drip_brings_the_whole_answer_in_pieces() {
        let server = Server::with(only(json!({"fault": "drip", "piece": 40, "pause": "50ms"}))).await;
        let started = Instant::now();
        let arrived = server.raw("/channel/a");
        assert_eq!(arrived.body(), A);
        assert!(
            started.elapsed() >= Duration::from_millis(50) * u32::try_from(A.len().div_ceil(40)).unwrap()
        );
        server.put(&only(json!({"fault": "drip", "piece": 1, "pause": "50ms"}))).await;
        let error = server.here_now(&["a"]).await.unwrap_err();
        assert!(matches!(error, Error::Unfinished { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn an_error_is_the_services_own() {
        let server = Server::with(only(json!({"fault": "error", "status": 504}))).await;
        let arrived = server.raw("/channel/a");
        assert!(arrived.head().starts_with("http/1.1 504 "), "{}", arrived.head());
        let error = server.here_now(&["a"]).await.unwrap_err();
        assert_eq!(
            error,
            Error::Service {
                http_status: 504,
                status: 504,
                message: "Gateway Timeout".into(),
                service: Some("Presence".into()),
                channels: vec![],
                channel_groups: vec![],
                retry_after: None,
            }
        );
    }

    #[tokio::test]
    async fn throttling_says_when_to_come_again() {
        let server = Server::with(only(json!({"fault": "throttle", "retry_after": "7s"}))).await;
        assert!(server.raw("/channel/a").head().contains("retry-after: 7"));
        let error = server.here_now(&["a"]).await.unwrap_err();
        assert_eq!((error.status(), error.retry_after()), (Some(429), Some(Duration::from_secs(7))));
        assert!(error.concerns_key());
    }

    #[tokio::test]
    async fn a_403_names_the_channels_of_the_rule_that_were_asked_for() {
        let server = Server::with(only(json!({"fault": "forbid", "channels": ["b", "secret.*"]}))).await;
        let error = server.here_now(&["a", "b", "secret.1"]).await.unwrap_err();
        let Error::Service { status: 403, channels, ref service, .. } = error else { panic!("{error:?}") };
        assert_eq!(
            (channels, service.as_deref()),
            (vec!["b".into(), "secret.1".into()], Some("Access Manager"))
        );
        assert_eq!(server.here_now(&["a"]).await.unwrap().total_occupancy, 3);
    }

    #[tokio::test]
    async fn a_403_for_what_names_no_channel_names_none() {
        let server = Server::with(only(json!({"fault": "forbid"}))).await;
        let error = server.here_now(&[]).await.unwrap_err();
        assert!(error.concerns_key(), "{error:?}");
    }

    #[rstest]
    #[case(200)]
    #[case(502)]
    #[tokio::test]
    async fn a_page_comes_instead_of_json(#[case] status: u16) {
        let server = Server::with(only(json!({"fault": "html", "status": status}))).await;
        let arrived = server.raw("/channel/a");
        assert!(arrived.head().starts_with(&format!("http/1.1 {status} ")), "{}", arrived.head());
        assert!(arrived.head().contains("content-type: text/html"), "{}", arrived.head());
        assert!(arrived.body().starts_with("<!DOCTYPE html>"));
        match server.here_now(&["a"]).await.unwrap_err() {
            Error::BadAnswer { what } => assert!(status == 200 && what.contains("HTML"), "{what}"),
            error => assert_eq!(error.status(), Some(502)),
        }
    }

    #[rstest]
    #[case("drop")]
    #[case("outage")]
    #[tokio::test]
    async fn a_dropped_connection_is_closed_before_a_byte_is_sent(#[case] fault: &str) {
        let server = Server::with(only(json!({ "fault": fault }))).await;
        let arrived = server.raw("/channel/a");
        assert_eq!((arrived.bytes.len(), arrived.end), (0, None));
        let error = server.here_now(&["a"]).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_reset_connection_ends_without_a_farewell() {
        let server = Server::with(only(json!({"fault": "reset"}))).await;
        let arrived = server.raw("/channel/a");
        assert_eq!((arrived.bytes.len(), arrived.end), (0, Some(ErrorKind::ConnectionReset)));
        let error = server.here_now(&["a"]).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_connection_from_before_the_rule_is_closed_once_and_the_next_is_reset() {
        let server = Server::with(json!({"rule": []})).await;
        let mut connection = TcpStream::connect(server.address).unwrap();
        let mut ask = || {
            connection.write_all(b"GET /time/0 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut buffer = [0; 4096];
            connection.read(&mut buffer).map_err(|error| error.kind())
        };
        assert!(ask().unwrap() > 0);
        server.put(&only(json!({"fault": "reset", "requests": ["time", "here_now"]}))).await;
        assert_eq!(ask(), Ok(0));
        assert_eq!(server.raw("/channel/a").end, Some(ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn connections_end_as_always_beside_a_rule_that_resets_others() {
        let server = Server::with(only(json!({"fault": "reset", "channels": ["b"]}))).await;
        let arrived = server.raw("/channel/a");
        assert_eq!((arrived.body().as_str(), arrived.end), (A, None));
    }

    #[tokio::test]
    async fn a_cut_transfer_promises_more_than_it_sends() {
        let server = Server::with(only(json!({"fault": "cut_transfer"}))).await;
        for _ in 0..8 {
            let arrived = server.raw("/channel/a");
            assert_eq!(arrived.length(), A.len());
            assert!(arrived.body().len() < A.len() && A.starts_with(&arrived.body()), "{}", arrived.body());
        }
        let what = bad(server.here_now(&["a"]).await);
        assert!(what.contains("cut off"), "{what}");
    }

    #[tokio::test]
    async fn cut_json_is_a_whole_answer_with_half_the_json() {
        let server = Server::with(only(json!({"fault": "cut_json"}))).await;
        let arrived = server.raw("/channel/a");
        assert_eq!((arrived.length(), arrived.end), (arrived.body().len(), None));
        assert!(arrived.length() < A.len() && A.starts_with(&arrived.body()), "{}", arrived.body());
        let what = bad(server.here_now(&["a"]).await);
        assert!(what.contains("cut off"), "{what}");
    }

    #[rstest]
    #[case(json!({"fault": "broken_json"}), "not JSON")]
    #[case(json!({"fault": "invalid_utf8"}), "UTF-8")]
    #[case(json!({"fault": "wrong_totals"}), "`total_")]
    #[case(json!({"fault": "low_occupancy"}), "channel \"a\" lists 3 ids for an occupancy of 2")]
    #[case(json!({"fault": "extra_ids"}), "channel \"a\" lists 4 ids for an occupancy of 3")]
    #[case(json!({"fault": "bad_id"}), "non-empty")]
    #[case(json!({"fault": "bad_id", "id": "number"}), "an occupant")]
    #[case(json!({"fault": "bad_id", "id": "null"}), "an occupant")]
    #[tokio::test]
    async fn the_client_says_what_is_wrong_with_an_answer(#[case] rule: Value, #[case] expected: &str) {
        let server = Server::with(only(rule)).await;
        let what = bad(server.here_now(&["a", "b"]).await);
        assert!(what.contains(expected), "{what}");
    }

    #[tokio::test]
    async fn a_cut_list_has_the_true_occupancy() {
        let server = Server::with(only(json!({"fault": "cut_list", "limit": 2}))).await;
        let cut = server.here_now(&["a"]).await.unwrap();
        assert_eq!((cut.total_occupancy, ids(&cut)), (3, vec!["Kim".into(), "Earline".into()]));
        let page = server.client().here_now().channels(["a"]).limit(1000).offset(1).execute().await.unwrap();
        assert_eq!((page.total_occupancy, ids(&page)), (3, vec!["Earline".into(), "Glen".into()]));
    }

    #[tokio::test]
    async fn a_list_may_have_an_id_twice_or_be_missing() {
        let server = Server::with(only(json!({"fault": "repeated_id"}))).await;
        assert_eq!(ids(&server.here_now(&["a"]).await.unwrap()), ["Kim", "Earline", "Kim"]);
        server.put(&only(json!({"fault": "no_list"}))).await;
        let result = server.here_now(&["a"]).await.unwrap();
        assert_eq!((result.total_occupancy, &result.channels[0].occupants), (3, &None));
    }

    #[tokio::test]
    async fn people_move_between_pages_and_the_first_page_is_true() {
        let server = Server::with(only(json!({"fault": "moved"}))).await;
        let client = server.client();
        let page = |offset: u32| client.here_now().channels(["a"]).limit(2).offset(offset).execute();
        let mut later = std::collections::BTreeSet::new();
        for _ in 0..16 {
            assert_eq!(ids(&server.here_now(&["a"]).await.unwrap()), ["Kim", "Earline", "Glen"]);
            assert_eq!(ids(&page(0).await.unwrap()), ["Kim", "Earline"]);
            let page = page(1).await.unwrap();
            assert_eq!(page.total_occupancy, 3);
            later.insert(ids(&page));
        }
        // Without anybody moving it would be Earline and Glen.
        assert_eq!(later, [vec!["Glen".into(), "Kim".into()], vec!["Kim".into(), "Earline".into()]].into());
    }

    #[tokio::test]
    async fn a_moved_page_is_not_kept_for_others() {
        let settings =
            OriginSettings { here_now_cache: Duration::from_secs(60), ..OriginSettings::default() };
        let server = Server::start(settings);
        for user in ["Kim", "Earline"] {
            server.raw(&format!("/channel/a/heartbeat?uuid={user}"));
        }
        let page = || server.raw("/channel/a?limit=1&offset=1").body();
        server.put(&only(json!({"fault": "moved"}))).await;
        assert!(page().contains("Kim"));
        server.faults(Method::DELETE, None).await;
        assert!(page().contains("Earline"));
    }
}

mod rules {
    use super::*;

    #[tokio::test]
    async fn only_the_channels_of_a_rule_suffer() {
        let server = Server::with(only(json!({"fault": "error", "channels": ["b"]}))).await;
        assert_eq!(server.here_now(&["a"]).await.unwrap().total_occupancy, 3);
        assert_eq!(server.here_now(&["b"]).await.unwrap_err().status(), Some(503));
        assert_eq!(server.here_now(&["a", "b"]).await.unwrap_err().status(), Some(503));
        assert_eq!(server.here_now(&[]).await.unwrap().total_occupancy, 4);
    }

    #[tokio::test]
    async fn in_an_answer_about_many_only_the_lists_of_the_rule_are_changed() {
        let server = Server::with(only(json!({"fault": "cut_list", "limit": 0, "channels": ["a"]}))).await;
        for channels in [&["a", "b"][..], &[]] {
            let result = server.here_now(channels).await.unwrap();
            let lists: Vec<usize> =
                result.channels.iter().map(|channel| channel.occupants.as_ref().unwrap().len()).collect();
            assert_eq!((result.total_occupancy, lists), (4, vec![0, 1]), "{channels:?}");
        }
    }

    #[tokio::test]
    async fn rules_are_done_one_after_the_other_and_the_first_end_counts() {
        let server = Server::with(json!({"rule": [
            {"fault": "cut_list", "limit": 2},
            {"fault": "bad_id", "channels": ["b"]},
            {"fault": "error", "status": 500, "channels": ["c"]},
            {"fault": "drop", "channels": ["c", "d"]},
        ]}))
        .await;
        assert_eq!(ids(&server.here_now(&["a"]).await.unwrap()), ["Kim", "Earline"]);
        bad(server.here_now(&["b"]).await);
        assert_eq!(server.here_now(&["c", "d"]).await.unwrap_err().status(), Some(500));
        assert!(matches!(server.here_now(&["d"]).await, Err(Error::Unreachable { .. })));
    }

    #[tokio::test]
    async fn the_world_stays_true_whatever_is_answered() {
        let server = Server::with(json!({"rule": [
            {"fault": "broken_json", "channels": ["b"], "requests": ["leave"]},
            {"fault": "error", "channels": ["a"], "requests": ["leave"]},
        ]}))
        .await;
        assert!(server.raw("/channel/b/leave?uuid=Kim").head().contains("200 ok"));
        assert!(server.raw("/channel/a/leave?uuid=Kim").head().contains("503 "));
        server.faults(Method::DELETE, None).await;
        let truth = server.here_now(&["a", "b"]).await.unwrap();
        assert_eq!(ids(&truth), ["Kim", "Earline", "Glen"], "what was refused was not carried out");
        assert_eq!(truth.total_channels, 1, "what was answered badly was");
    }

    #[tokio::test]
    async fn by_default_only_what_reads_suffers_and_an_outage_is_for_all() {
        let server = Server::with(only(json!({"fault": "drop"}))).await;
        let client = server.client();
        client.heartbeat().channels(["a"]).execute().await.unwrap();
        client.time().execute().await.unwrap();
        assert!(client.where_now().execute().await.is_err());
        assert!(client.get_state().channels(["a"]).execute().await.is_err());
        assert!(client.list_channel_group("g").execute().await.is_err());
        server.put(&only(json!({"fault": "outage"}))).await;
        assert!(client.heartbeat().channels(["a"]).execute().await.is_err());
        assert!(client.time().execute().await.is_err());
        server.put(&only(json!({"fault": "outage", "for": "1ms"}))).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        client.time().execute().await.unwrap();
    }

    #[tokio::test]
    async fn the_same_seed_and_requests_give_the_same_answers() {
        let rules = json!({"seed": 11, "rule": [
            {"fault": "error", "probability": 0.3},
            {"fault": "cut_list", "probability": 0.7},
            {"fault": "cut_json", "probability": 0.2},
        ]});
        let mut runs = Vec::new();
        for _ in 0..2 {
            let server = Server::with(rules.clone()).await;
            let answers: Vec<String> = (0..40).map(|_| server.raw("/channel/a").body()).collect();
            let (_, told) = server.faults(Method::GET, None).await;
            runs.push((answers, told["applied"].clone()));
        }
        assert_eq!(runs[0], runs[1]);
        let distinct: std::collections::BTreeSet<&String> = runs[0].0.iter().collect();
        assert!(distinct.len() > 4, "{distinct:?}");
    }

    #[tokio::test]
    async fn the_configuration_makes_it_misbehave_from_the_start() {
        let faults = Faults::read(&only(json!({"fault": "error"}))).unwrap();
        let server = Server::start(OriginSettings { faults, ..OriginSettings::default() });
        assert_eq!(server.here_now(&["a"]).await.unwrap_err().status(), Some(503));
    }
}

mod over_http {
    use super::*;

    #[tokio::test]
    async fn faults_are_told_replaced_as_a_whole_and_ended() {
        let server = Server::start(OriginSettings::default());
        let (status, none) = server.faults(Method::GET, None).await;
        assert_eq!((status, &none["rule"], &none["applied"]), (200, &json!([]), &json!([])));
        let given = json!({"seed": 7, "rule": [{"fault": "error"}, {"fault": "drop", "channels": ["x"]}]});
        let reads = json!(["here_now", "global_here_now", "where_now", "get_state", "groups"]);
        let told = json!({"seed": 7, "applied": [0, 0], "rule": [
            {"fault": "error", "status": 503, "probability": 1.0, "requests": reads, "after": "0s"},
            {"fault": "drop", "channels": ["x"], "probability": 1.0, "requests": reads, "after": "0s"},
        ]});
        assert_eq!(server.put(&given).await, (200, told.clone()));
        assert_eq!(server.faults(Method::GET, None).await, (200, told));
        server.here_now(&["a"]).await.unwrap_err();
        assert_eq!(server.faults(Method::GET, None).await.1["applied"], json!([1, 0]));
        let (_, replaced) = server.put(&json!({"seed": 8})).await;
        assert_eq!(replaced, json!({"seed": 8, "rule": [], "applied": []}));
        server.put(&given).await;
        let (status, ended) = server.faults(Method::DELETE, None).await;
        assert_eq!((status, &ended["rule"]), (200, &json!([])));
        server.here_now(&["a"]).await.unwrap();
    }

    #[tokio::test]
    async fn an_outage_does_not_lock_out_whoever_wants_to_end_it() {
        let server = Server::with(only(json!({"fault": "outage"}))).await;
        assert_eq!(server.faults(Method::GET, None).await.0, 200);
        assert_eq!(server.faults(Method::DELETE, None).await.0, 200);
        server.here_now(&["a"]).await.unwrap();
    }

    #[tokio::test]
    async fn wrong_faults_change_nothing_and_every_one_is_named() {
        let server = Server::with(only(json!({"fault": "error"}))).await;
        let before = server.faults(Method::GET, None).await;
        let wrong =
            json!({"rule": [{"fault": "drop"}, {"fault": "error", "status": 200}, {"fault": "quake"}]});
        let (status, problem) = server.put(&wrong).await;
        assert_eq!((status, &problem["code"]), (400, &json!("bad_faults")));
        assert_eq!(problem["type"], "urn:adsum:problem:bad_faults");
        assert_eq!(
            problem["findings"][0],
            json!({"key": "rule[1].status", "value": "200", "allowed": "must be a whole number from 500 to 599"})
        );
        assert_eq!(problem["findings"][1]["key"], "rule[2].fault");
        assert!(problem["detail"].as_str().unwrap().contains("rule[1].status = 200: must be"), "{problem}");
        assert_eq!(server.faults(Method::GET, None).await, before);
    }

    #[tokio::test]
    async fn as_many_rules_as_allowed_are_taken_and_one_more_is_refused() {
        let server = Server::start(OriginSettings::default());
        let rules = |count: usize| json!({"rule": vec![json!({"fault": "drop"}); count]});
        assert_eq!(server.put(&rules(MOST_RULES)).await.0, 200);
        assert_eq!(server.put(&rules(MOST_RULES + 1)).await.0, 400);
    }

    #[tokio::test]
    async fn a_body_is_json_and_not_endless() {
        let server = Server::start(OriginSettings::default());
        let put = async |body: String| {
            let request = server.http.put(format!("http://{}/faults", server.address));
            let response = request.header(CONTENT_TYPE, "application/json").body(body).send().await.unwrap();
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
            problem["code"].clone()
        };
        assert_eq!(put("{".into()).await, "bad_body");
        assert_eq!(put(String::new()).await, "bad_body");
        assert_eq!(put("[".repeat(100_000)).await, "bad_body");
        assert_eq!(put("[]".into()).await, "bad_faults");
        let padded = |length: usize| format!("[]{}", " ".repeat(length - 2));
        assert_eq!(put(padded(256 * 1024)).await, "bad_faults");
        assert_eq!(put(padded(256 * 1024 + 1)).await, "payload_too_large");
    }

    #[tokio::test]
    async fn only_this_machine_may_ask_and_no_page_of_another_site_may_change_anything() {
        let server = Server::start(OriginSettings::default());
        let url = format!("http://{}/faults", server.address);
        let code = async |request: reqwest::RequestBuilder| {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
            (status, problem["code"].as_str().unwrap_or_default().to_owned())
        };
        let refused = |status: u16, code: &str| (status, code.to_owned());
        let json = || server.http.put(&url).header(CONTENT_TYPE, "application/json").body("{}");
        for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:8090"] {
            assert_eq!(code(server.http.get(&url).header(HOST, host)).await, refused(403, "forbidden_host"));
            assert_eq!(code(json().header(HOST, host)).await, refused(403, "forbidden_host"));
        }
        for origin in ["http://evil.example", "null", "http://localhost:1"] {
            assert_eq!(code(json().header(ORIGIN, origin)).await, refused(403, "forbidden_origin"));
            let delete = server.http.delete(&url).header(ORIGIN, origin);
            assert_eq!(code(delete).await, refused(403, "forbidden_origin"));
        }
        assert_eq!(code(json().header(ORIGIN, format!("http://{}", server.address))).await, refused(200, ""));
        let text = server.http.put(&url).header(CONTENT_TYPE, "text/plain").body("{}");
        assert_eq!(code(text).await, refused(415, "unsupported_media_type"));
        assert_eq!(code(server.http.put(&url).body("{}")).await, refused(415, "unsupported_media_type"));
        assert_eq!(code(server.http.post(&url)).await, refused(405, "method_not_allowed"));
        let asked_first = server.http.request(Method::OPTIONS, &url).send().await.unwrap();
        assert_eq!(asked_first.status(), 405);
        assert_eq!(asked_first.headers()["allow"], "GET, PUT, DELETE");
        assert!(asked_first.headers().get("access-control-allow-origin").is_none());
    }
}
