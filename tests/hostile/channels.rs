//! Channels whose answers are bad in every way there is, beside a good one, all asked for together.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::answers::{entry, flat, http, many, ok};
use crate::daemon::Daemon;
use crate::origin::{Origin, Question, Reply};

/// What a daemon that hears no good answer longer than a mebibyte may take, in MiB.
const PEAK_MIB: u64 = 150;

/// What is bad about a channel.
enum Spoils {
    /// Its entry: the JSON, and the occupancy that totals count.
    Entry(String, u128),
    /// Every answer that it is asked for in.
    Answer(Reply),
}

/// A bad channel, why it is in a gap, and what is said of it.
struct Case {
    name: &'static str,
    spoils: Spoils,
    reason: &'static str,
    says: &'static str,
}

fn bad_entry(name: &'static str, entry: impl Into<String>, occupancy: u128, says: &'static str) -> Case {
    Case { name, spoils: Spoils::Entry(entry.into(), occupancy), reason: "bad_answer", says }
}

fn bad(name: &'static str, reply: Reply, says: &'static str) -> Case {
    Case { name, spoils: Spoils::Answer(reply), reason: "bad_answer", says }
}

fn entries() -> Vec<Case> {
    let deep = format!(
        r#"{{"occupancy":1,"uuids":[{{"uuid":"u","state":{}{}}}]}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let long_id = entry(&["u".repeat(1_000_000)]);
    vec![
        bad_entry("more-ids", r#"{"occupancy":1,"uuids":["u","v"]}"#, 1, "2 ids for an occupancy of 1"),
        bad_entry("empty-id", r#"{"occupancy":1,"uuids":[""]}"#, 1, "a non-empty text"),
        bad_entry("empty-uuid", r#"{"occupancy":1,"uuids":[{"uuid":""}]}"#, 1, "a non-empty text"),
        bad_entry("number-id", r#"{"occupancy":1,"uuids":[7]}"#, 1, "integer `7`"),
        bad_entry("no-id", r#"{"occupancy":1,"uuids":[{"state":{}}]}"#, 1, "missing field `uuid`"),
        bad_entry("null-id", r#"{"occupancy":1,"uuids":[null]}"#, 1, "null"),
        bad_entry("long-id", long_id, 1, "must not be longer than"),
        bad_entry("lone-surrogate", r#"{"occupancy":1,"uuids":["\ud800"]}"#, 1, "surrogate"),
        bad_entry("text-count", r#"{"occupancy":"1","uuids":["u"]}"#, 1, "invalid type: string"),
        bad_entry("negative-count", r#"{"occupancy":-1,"uuids":[]}"#, 0, "-1"),
        bad_entry("half-count", r#"{"occupancy":1.5,"uuids":["u"]}"#, 1, "floating point"),
        bad_entry("endless-count", r#"{"occupancy":1e400,"uuids":["u"]}"#, 1, "number out of range"),
        bad_entry(
            "uncountable",
            r#"{"occupancy":18446744073709551615}"#,
            u128::from(u64::MAX),
            "no list of users",
        ),
        bad_entry(
            "too-many",
            r#"{"occupancy":5000000000,"uuids":[]}"#,
            5_000_000_000,
            "an occupancy of 5000000000",
        ),
        bad_entry("no-list", r#"{"occupancy":3}"#, 3, "no list of users"),
        bad_entry("list-of-keys", r#"{"occupancy":1,"uuids":{"u":1}}"#, 1, "expected a sequence"),
        bad_entry("no-count", r#"{"uuids":["u"]}"#, 1, "occupancy"),
        bad_entry("two-counts", r#"{"occupancy":1,"occupancy":0,"uuids":[]}"#, 0, "duplicate field"),
        bad_entry("deep", deep, 1, "recursion limit"),
    ]
}

fn answers() -> Vec<Case> {
    let elsewhere = |name: &str| (name.to_owned(), entry(&["u".to_owned()]));
    let twice = [elsewhere("twice"), elsewhere("twice")];
    vec![
        bad("not-utf8", ok(b"{\"occupancy\":1,\"uuids\":[\"\xff\"]}"), "not UTF-8 from byte 25 on"),
        bad("marked", ok("\u{feff}{\"occupancy\":0,\"uuids\":[]}"), "not JSON"),
        bad("nul", ok(b"\0\0\0\0"), "not JSON"),
        bad("page", ok("<html><body>Please log in</body></html>"), "HTML or XML"),
        bad("empty", ok(""), "empty"),
        bad("half", ok(r#"{"occupancy":1,"uuids":["u""#), "cut off"),
        bad("list", ok(r#"[1,"uuids"]"#), "expected an object"),
        bad("depths", ok("[".repeat(900_000)), "invalid type: sequence"),
        bad("elsewhere", ok(many(&[elsewhere("other")], 1, 1)), "was not asked about"),
        bad("twice", ok(many(&twice, 2, 2)), "listed twice"),
        bad("total", ok(many(&[elsewhere("total")], 1, 2)), "`total_occupancy` is 2, the channels have 1"),
        bad("channels", ok(many(&[elsewhere("channels")], 7, 1)), "`total_channels` is 7, 1 are listed"),
    ]
}

/// Answers that do not end, or are none.
fn transports() -> Vec<Case> {
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}\r\n").into_bytes();
    let endless = |begin: Vec<u8>, again: Vec<u8>| Reply::Endless { begin, again, pause: Duration::ZERO };
    let drip = Reply::Endless {
        begin: head("Content-Length: 1000\r\n"),
        again: b" ".to_vec(),
        pause: Duration::from_millis(50),
    };
    let chunk = format!("10000\r\n{}\r\n", "[".repeat(0x10000)).into_bytes();
    let Reply::Bytes(redirect) = http("302 Found", "Location: /v2/presence/elsewhere\r\n", b"") else {
        panic!()
    };
    let case = |name, reply, reason, says| Case { name, spoils: Spoils::Answer(reply), reason, says };
    vec![
        bad("endless", endless(head("Transfer-Encoding: chunked\r\n"), chunk), "longer than"),
        bad("gigabytes", endless(head("Content-Length: 10000000000\r\n"), vec![b' '; 65_536]), "longer than"),
        bad("bomb", bomb(), "longer than"),
        bad(
            "cut",
            Reply::Bytes([head("Content-Length: 99\r\n"), b"{\"occupancy\"".to_vec()].concat()),
            "cut off after 12",
        ),
        bad(
            "no-chunk",
            Reply::Bytes([head("Transfer-Encoding: chunked\r\n"), b"zz\r\n".to_vec()].concat()),
            "cut off",
        ),
        bad("redirect", Reply::Bytes(redirect), "status 302"),
        case("drip", drip, "timeout", "did not end within 500ms"),
        case("silent", Reply::Silence, "timeout", "no answer within 500ms"),
        case(
            "early",
            endless(Vec::new(), b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()),
            "timeout",
            "no answer within",
        ),
        case(
            "headers",
            endless(head("")[..17].to_vec(), b"X-More: and more\r\n".repeat(1_000)),
            "unreachable",
            "unreachable",
        ),
        case(
            "long-header",
            endless(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 65_536]),
            "unreachable",
            "unreachable",
        ),
        case("no-http", Reply::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), "unreachable", "unreachable"),
        case("hangs-up", Reply::Bytes(Vec::new()), "unreachable", "unreachable"),
        case(
            "long-length",
            Reply::Bytes(head("Content-Length: 99999999999999999999\r\n")),
            "unreachable",
            "unreachable",
        ),
        case("broken", http("500 Oops", "", b"\x1b[31m\0oops"), "server_error", "status 500"),
        case("gone", http("410 Gone", "", b"[]"), "refused", "status 410"),
    ]
}

/// A gzip member that unpacks to 256 KiB of spaces, and to as many again, and again.
fn bomb() -> Reply {
    let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n";
    let begin = [head.as_slice(), b"\x1f\x8b\x08\0\0\0\0\0\0\xff"].concat();
    // One block of DEFLATE that is not the last, byte for byte: a space, and distances of one.
    let block = [
        b"\xec\xc1\x31\x01\0\0\0\xc2\xa0\x2a\xeb\x9f\xd2\xdb\x0e\x40\x01".as_slice(),
        &[0; 253],
        b"\xbc\x01\0\0\xff\xff",
    ];
    Reply::Endless { begin, again: block.concat(), pause: Duration::ZERO }
}

/// Answers about the good channel, in which these are, and about the bad ones.
fn behaviour(cases: Arc<Vec<Case>>, good: Arc<Mutex<Vec<String>>>) -> impl Fn(&Question) -> Reply {
    move |question| {
        let Question::HereNow { channels, offset: None } = question else { panic!("{question:?}") };
        let mut entries = Vec::new();
        let mut total = 0;
        for name in channels {
            match cases.iter().find(|case| case.name == name).map(|case| &case.spoils) {
                Some(Spoils::Answer(reply)) => return reply.clone(),
                Some(Spoils::Entry(entry, occupancy)) => {
                    entries.push((name.clone(), entry.clone()));
                    total += occupancy;
                }
                None => {
                    let users = good.lock().unwrap();
                    entries.push((name.clone(), entry(&users)));
                    total += users.len() as u128;
                }
            }
        }
        match entries.as_slice() {
            [(_, alone)] => ok(flat(alone)),
            entries => ok(many(entries, entries.len(), total)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_channels_asked_for_together_with_a_good_one_do_not_blind_it() {
    let daemon = watching("").await;
    for case in daemon.cases.iter() {
        daemon.suffers(case, async |channel| channel["polls"][case.reason].as_u64() > Some(1)).await;
    }
    daemon.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_channel_has_a_gap_with_its_reason_and_the_log_says_what_was_wrong() {
    let daemon = watching("channels_per_request = 1").await;
    for case in daemon.cases.iter() {
        daemon.suffers(case, async |channel| channel["gap"]["reason"] == case.reason).await;
    }
    daemon.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_missing_from_its_own_answer_is_not_empty() {
    let origin = Origin::start(|_| ok(flat(&entry(&["ada".to_owned()])))).await;
    let mut daemon = Daemon::start(&origin, "", "channels = [\"lobby\"]\ninterval = \"100ms\"");
    daemon.tells("present ada lobby").await;
    origin.behave(|_| ok(many(&[], 0, 0)));
    daemon
        .until("lobby is in a gap", async || daemon.channel("lobby").await["gap"]["reason"] == "bad_answer")
        .await;
    assert_eq!(daemon.events().await, ["present ada lobby"]);
    let asked = origin.count(|_| true);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let more = origin.count(|_| true) - asked;
    assert!(more < 10, "it was asked for {more} times in a second: there is no back-off");
    origin.behave(|_| ok(flat(r#"{"occupancy":0,"uuids":[]}"#)));
    daemon.tells("leave ada lobby").await;
    daemon.is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_asks_to_be_left_alone_for_ages_is_obeyed_and_the_gap_says_why() {
    for (status, wait, reason) in [
        ("429 Too Many Requests", "1000000000000000000", "throttled"),
        ("429 Too Many Requests", "Fri, 01 Jan 9999 00:00:00 GMT", "throttled"),
        ("503 Service Unavailable", "99999999999999999999999", "server_error"),
    ] {
        let refusal = http(status, &format!("Retry-After: {wait}\r\n"), b"{}");
        let origin = Origin::start(move |_| refusal.clone()).await;
        let mut daemon = Daemon::start(&origin, "", "channels = [\"lobby\"]\ninterval = \"100ms\"");
        daemon
            .until("lobby is in a gap", async || daemon.channel("lobby").await["gap"]["reason"] == reason)
            .await;
        assert_eq!(origin.count(|_| true) == 1, reason == "throttled", "{wait}");
        daemon.is_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_asks_to_be_left_alone_does_not_silence_the_others() {
    let refusal = http("503 Service Unavailable", "Retry-After: 1000000000000000000\r\n", b"{}");
    let good = flat(&entry(&["ada".to_owned()]));
    let origin = Origin::start(move |question| match question {
        Question::HereNow { channels, .. } if *channels == ["busy"] => refusal.clone(),
        _ => ok(&good),
    })
    .await;
    let watch = "channels = [\"busy\", \"lobby\"]\ninterval = \"100ms\"";
    let daemon = Daemon::start(&origin, "channels_per_request = 1", watch);
    daemon.tells("present ada lobby").await;
    daemon
        .until("busy is in a gap", async || daemon.channel("busy").await["gap"]["reason"] == "server_error")
        .await;
    assert_eq!(daemon.channel("lobby").await["status"], "ok");
    assert_eq!(
        origin.count(|asked| matches!(asked, Question::HereNow { channels, .. } if *channels == ["busy"])),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_were_not_asked_for_are_not_recorded() {
    let origin = Origin::start(|_| ok(flat(&entry(&["ada".to_owned(), "bob".to_owned()])))).await;
    let watch = "channels = [\"lobby\"]\ninterval = \"100ms\"\ninclude_uuids = false\ninclude_state = false";
    let mut daemon = Daemon::start(&origin, "", watch);
    daemon
        .until("they were counted", async || {
            daemon.channel("lobby").await["polls"]["count"].as_u64() > Some(2)
        })
        .await;
    assert_eq!(daemon.channel("lobby").await["occupancy"], 2);
    assert_eq!(daemon.events().await, Vec::<String>::new());
    daemon.is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_alone_say_nothing_of_the_states_that_were_asked_for() {
    let with_state = r#"{"occupancy":1,"uuids":[{"uuid":"ada","state":{"mood":"ok"}}]}"#;
    let origin = Origin::start(move |_| ok(flat(with_state))).await;
    let mut daemon = Daemon::start(&origin, "", "channels = [\"lobby\"]\ninterval = \"100ms\"");
    daemon.tells("present ada lobby").await;
    let polls = async || daemon.channel("lobby").await["polls"]["complete"].as_u64().unwrap();
    origin.behave(|_| ok(flat(&entry(&["ada".to_owned()]))));
    let before = polls().await;
    daemon.until("it was asked again", async || polls().await > before + 3).await;
    origin.behave(move |_| ok(flat(with_state)));
    let before = polls().await;
    daemon.until("it was asked again", async || polls().await > before + 3).await;
    assert_eq!(daemon.events().await, ["present ada lobby"], "no state was seen to change");
    daemon.is_sound().await;
}

/// A daemon that watches a good channel among all the bad ones.
struct Watching {
    daemon: Daemon,
    cases: Arc<Vec<Case>>,
    good: Arc<Mutex<Vec<String>>>,
    _origin: Origin,
}

async fn watching(pubnub: &str) -> Watching {
    let cases: Arc<Vec<Case>> =
        Arc::new(entries().into_iter().chain(answers()).chain(transports()).collect());
    let good = Arc::new(Mutex::new(vec!["ada".to_owned()]));
    let origin = Origin::start(behaviour(Arc::clone(&cases), Arc::clone(&good))).await;
    let names: Vec<_> = cases.iter().map(|case| format!("{:?}", case.name)).collect();
    let watch = format!("channels = [\"good\", {}]\ninterval = \"200ms\"", names.join(", "));
    let pubnub = format!("request_timeout = \"500ms\"\nmax_answer = \"1MiB\"\n{pubnub}");
    let daemon = Daemon::start(&origin, &pubnub, &watch);
    daemon.tells("present ada good").await;
    good.lock().unwrap().push("bob".to_owned());
    daemon.tells("join bob good").await;
    Watching { daemon, cases, good, _origin: origin }
}

impl Watching {
    /// The channel is in a gap, and something else holds of it, and the log says what is wrong.
    async fn suffers(&self, case: &Case, holds: impl AsyncFn(&Value) -> bool) {
        let daemon = &self.daemon;
        let until = format!("{} suffers from {}", case.name, case.reason);
        daemon
            .until(&until, async || {
                let channel = daemon.channel(case.name).await;
                channel["status"] == "gap" && holds(&channel).await
            })
            .await;
        let about = format!("asked for \\\"{}\\\" alone", case.name);
        let until = format!("it is said of {} that {:?}", case.name, case.says);
        daemon
            .until(&until, async || {
                daemon.log().lines().any(|line| line.contains(case.says) && line.contains(&about))
            })
            .await;
    }

    /// The good channel is still observed, nothing but what was true of it is recorded, and the daemon is well.
    async fn ends_well(mut self) {
        self.good.lock().unwrap().remove(0);
        self.daemon.tells("leave ada good").await;
        let events = self.daemon.events().await;
        assert_eq!(events, ["present ada good", "join bob good", "leave ada good"]);
        for line in self.daemon.log().lines() {
            assert!(line.chars().count() < 2_000 && !line.contains(char::is_control), "{line:?}");
        }
        self.daemon.is_sound().await;
        let peak = self.daemon.peak_mib();
        assert!(peak < PEAK_MIB, "it took {peak} MiB");
    }
}
