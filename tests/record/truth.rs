//! Sixty users for a minute: everything they did long enough is recorded once, with its true times inside its windows,
//! and nothing else is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::crowd::{Crowd, HOSTILE, Pace, seed};
use crate::judge::{Judge, Recorded, Verdict};
use crate::process::{PATIENCE, Settings, start_daemon, start_origin};
use crate::proxy::Proxy;
use crate::record::{Api, Gap, List, Visit, WatchedChannel, until};
use crate::tally::Tally;
use crate::wire::{Here, Wire, encoded};

/// Channels watched by name.
const NAMED: [&str; 7] = [
    "lobby",
    "room 1/a",
    "100%25 «\"'`»",
    "🦀 crabs",
    "\u{202e}backwards",
    "\u{1b}[31m\u{7}bell",
    "q?a=1&b#c+d;é",
];
/// Channels found by a pattern.
const FOUND: [&str; 3] = ["wild.one", "wild./%2F ", "wild.\u{1b}]0;x\u{7}"];
const PATTERN: &str = "wild.*";

/// How long the users act.
const ACTS: Duration = Duration::from_secs(60);

#[tokio::test]
async fn sixty_users_are_recorded_as_they_were_when_nothing_is_cached() {
    act("1s", "0s", Duration::from_secs(1), Duration::ZERO).await;
}

#[tokio::test]
async fn sixty_users_are_recorded_as_they_were_when_answers_are_cached() {
    act("5s", "3s", Duration::from_secs(5), Duration::from_secs(3)).await;
}

async fn act(interval_text: &'static str, cache_text: &'static str, interval: Duration, cache: Duration) {
    let mut rng = Rng::with_seed(seed());
    let folder = tempfile::tempdir().unwrap();
    let (_origin, origin) = start_origin(folder.path(), cache_text);
    let proxy = Proxy::start(&origin).await;
    let names: Vec<String> = NAMED.iter().chain(&FOUND).map(|&name| name.to_owned()).collect();
    let crowd = Crowd::new(&origin, ACTS);
    let _listening = crowd.listen(names.clone());
    let pace = Pace { interval, long: interval * 2 + cache };

    let mut scripts = tokio::task::JoinSet::new();
    for number in 0..60 {
        let id = format!("{number}{}", HOSTILE[number % HOSTILE.len()]);
        let user = crowd.user(id, &mut rng);
        match number {
            // Some are there before anybody looks.
            0..5 => {
                let channels = vec![names[number * 2].clone()];
                user.join(&channels[0]).await;
                scripts.spawn(user.regular(channels, pace, true));
            }
            5..12 => drop(scripts.spawn(user.regular(names.clone(), pace, false))),
            12..28 => drop(scripts.spawn(user.wander(names.clone(), pace.long, (1.1, 2.5), (0.0, 1.5)))),
            28..40 => drop(scripts.spawn(user.wander(names.clone(), interval, (0.1, 1.5), (1.0, 4.0)))),
            40..50 => {
                let channel = vec![names[number % names.len()].clone()];
                drop(scripts.spawn(user.wander(channel, interval, (0.2, 1.0), (0.05, 0.6))));
            }
            _ => drop(scripts.spawn(user.vanish(names.clone(), pace))),
        }
    }
    let watched = [&NAMED[..], &[PATTERN]].concat();
    let settings = Settings::new(&proxy.address, &watched, interval_text, cache_text);
    let daemon = start_daemon(folder.path(), &settings);
    let api = Api::new(&daemon.address(PATIENCE).expect("the daemon serves"));
    let began = Timestamp::now();
    while let Some(script) = scripts.join_next().await {
        script.expect("scripts do not fail");
    }
    let cache = SignedDuration::try_from(cache).unwrap();
    api.settled(cache).await;
    let tally = crowd.tally.lock().unwrap().clone();
    let run = Run { api, tally, cache, proxy, began, pace, wire: crowd.wire.clone() };
    run.agrees_with_the_origin().await;
    let exempt = crowd.spoilt.lock().unwrap().clone();
    eprintln!("exempt, for the machine stood still: {exempt:?}");
    assert!(exempt.len() <= 2, "the machine stands still too often to tell the truth");
    let judge =
        Judge { whole: true, tally: &run.tally, polls: &run.proxy.polls, cache, seen_by: Some(1), exempt };
    let visits: Vec<Visit> = run.api.all("/v1/visits").await;
    let (verdict, wrong) = judge.judge(&run.api.events().await, &visits);
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
    run.had_gaps_only_where_polls_were_late().await;
    run.long_stays_were_recorded(&verdict);
    run.presents_were_there_at_the_first_look(&verdict);
    run.presence_is_answered(&verdict, &mut rng).await;
    run.strangers_were_never_there().await;
    run.states_are_known(&judge, &verdict).await;
}

/// A finished run.
struct Run {
    api: Api,
    wire: Wire,
    tally: Tally,
    proxy: Proxy,
    cache: SignedDuration,
    began: Timestamp,
    pace: Pace,
}

impl Run {
    /// Who is in every channel, once nobody moves any more.
    async fn agrees_with_the_origin(&self) {
        let here = self.wire.here().await;
        until("occupants are those of the origin", async || occupants(&self.api).await == here).await;
        let channels: Vec<WatchedChannel> = self.api.all("/v1/channels").await;
        let names: BTreeSet<_> = channels.iter().map(|channel| channel.channel.as_str()).collect();
        assert!(NAMED.iter().all(|&name| names.contains(name)), "{names:?}");
        assert!(here.keys().all(|name| names.contains(name.as_str())), "{names:?}");
        for channel in channels {
            let count = here.get(&channel.channel).map_or(0, Here::len);
            assert_eq!(channel.occupancy, Some(count as u64), "{channel:?}");
            assert_eq!(channel.status, "ok", "{channel:?}");
        }
    }

    /// A gap is where no poll was for three intervals.
    async fn had_gaps_only_where_polls_were_late(&self) {
        let gaps: Vec<Gap> = self.api.all("/v1/gaps").await;
        let bound = SignedDuration::try_from(self.pace.interval * 2).unwrap();
        for gap in gaps {
            let polls = self.proxy.polls.of(&gap.channel);
            let late = polls.windows(2).any(|pair| {
                let (last, next) = (pair[0].span.from, pair[1].span.to);
                bound < next.duration_since(last) && gap.from <= next && gap.to.is_none_or(|to| last <= to)
            });
            let last: Vec<_> = polls.iter().rev().take(3).collect();
            assert!(late, "{gap:?} though polls went on; the last: {last:#?}");
        }
    }

    /// Polls come often enough: hardly a stay longer than two intervals has none.
    fn long_stays_were_recorded(&self, verdict: &Verdict) {
        let long = SignedDuration::try_from(self.pace.long).unwrap();
        let (mut all, mut missed) = (0, Vec::new());
        for (place, stays) in &self.tally.stays {
            let found: BTreeSet<_> =
                verdict.get(place).into_iter().flatten().flat_map(|(_, m)| m.0..=m.1).collect();
            for (index, stay) in stays.iter().enumerate() {
                if stay.leave.is_none_or(|leave| long < leave.from.duration_since(stay.join.to)) {
                    all += 1;
                    missed.extend((!found.contains(&index)).then_some((place, stay)));
                }
            }
        }
        eprintln!("{all} long stays, {} of them not recorded", missed.len());
        assert!(all >= 20, "only {all} long stays: the scripts prove little");
        assert!(missed.len() * 10 <= all, "nobody looked while they were there: {missed:#?}");
    }

    /// Whose absence nothing proves was there when the daemon first looked.
    fn presents_were_there_at_the_first_look(&self, verdict: &Verdict) {
        let mut count = 0;
        for ((channel, user), stays) in verdict {
            for (recorded, _) in stays.iter().filter(|(recorded, _)| recorded.arrival.kind == "present") {
                count += 1;
                let first = &self.proxy.polls.of(channel)[0];
                assert!(first.span.from <= recorded.arrival.window.not_after, "{user:?}: {recorded:?}");
                let second = self.proxy.polls.of(channel).get(1).map(|poll| poll.span.from);
                let early = second.is_none_or(|second| recorded.arrival.window.not_after <= second);
                assert!(early, "present, though it was not the first look: {recorded:?}");
            }
        }
        assert!(count >= 4, "only {count} of those who were there before are present");
    }

    /// Yes within what was seen, no outside, unknown only between.
    async fn presence_is_answered(&self, verdict: &Verdict, rng: &mut Rng) {
        let end = Timestamp::now() - self.cache - SignedDuration::from_secs(1);
        let mut answers = BTreeMap::<&str, usize>::new();
        for ((channel, user), stays) in verdict {
            for (index, (recorded, _)) in stays.iter().enumerate() {
                let Some(departure) = &recorded.departure else { continue };
                let sure = (recorded.arrival.window.not_after, departure.window.not_before.unwrap());
                if let Some(middle) = between(sure.0, sure.1) {
                    let answer = self.api.presence(channel, user, Some(middle)).await;
                    assert_eq!(answer["present"], "yes", "in the middle of {recorded:?}: {answer}");
                    assert!(answer["resolution_s"].as_f64().is_some_and(|s| s > 0.0), "{answer}");
                    *answers.entry("yes").or_default() += 1;
                }
                let next = stays.get(index + 1).map(|(next, _)| next.arrival.window.not_before.unwrap());
                if let Some(after) = between(departure.window.not_after, next.unwrap_or(end)) {
                    let answer = self.api.presence(channel, user, Some(after)).await;
                    assert_eq!(answer["present"], "no", "after {recorded:?}: {answer}");
                    *answers.entry("no").or_default() += 1;
                }
            }
            for _ in 0..3 {
                let span = end.duration_since(self.began);
                let at = self.began + span.mul_f64(rng.f64());
                let answer = self.api.presence(channel, user, Some(at)).await;
                *answers.entry(self.is_true(&answer, (channel, user), at, stays)).or_default() += 1;
            }
        }
        eprintln!("presence: {answers:?}");
        assert!(answers["yes"] >= 40 && answers["no"] >= 40, "{answers:?}");
    }

    /// An answer about any moment says nothing that was not so.
    fn is_true(
        &self,
        answer: &Value,
        (channel, user): (&str, &str),
        at: Timestamp,
        stays: &[(Recorded, (usize, usize))],
    ) -> &'static str {
        let truth = &self.tally.stays[&(channel.to_owned(), user.to_owned())];
        let told = format!("{user:?} in {channel:?} at {at}: {answer}\n{stays:#?}\n{truth:#?}");
        match answer["present"].as_str().unwrap() {
            "yes" => {
                let so = stays.iter().any(|(_, (first, last))| {
                    truth[*first].join.from <= at && truth[*last].leave.is_none_or(|leave| at <= leave.to)
                });
                assert!(so, "{told}");
                "yes"
            }
            "no" => {
                let seen = stays.iter().any(|(recorded, _)| {
                    recorded.arrival.window.not_after <= at
                        && recorded
                            .departure
                            .as_ref()
                            .is_none_or(|event| at <= event.window.not_before.unwrap())
                });
                assert!(!seen, "{told}");
                "no"
            }
            "unknown" => {
                assert!(answer["code"].is_string() && answer["because"].is_string(), "{told}");
                "unknown"
            }
            other => panic!("{other}: {told}"),
        }
    }

    async fn strangers_were_never_there(&self) {
        for channel in NAMED {
            for at in [
                None,
                between(
                    self.began + SignedDuration::from_secs(10),
                    Timestamp::now() - SignedDuration::from_secs(10),
                ),
            ] {
                let answer = self.api.presence(channel, "a stranger\u{1b}[0m", at).await;
                assert_eq!(answer["present"], "no", "{channel:?}: {answer}");
            }
        }
        let answer = self.api.open("/v1/users/a%20stranger", &[]).await.unwrap();
        assert_eq!(answer.status().as_u16(), 404);
    }

    /// The last state that was seen of everybody is known, also of those who left.
    async fn states_are_known(&self, judge: &Judge<'_>, verdict: &Verdict) {
        let mut expected: BTreeMap<&str, BTreeMap<&str, (Value, bool)>> = BTreeMap::new();
        for ((channel, user), stays) in verdict {
            let truth = &self.tally.stays[&(channel.clone(), user.clone())];
            let Some((recorded, (_, last))) = stays.last() else { continue };
            let leave = truth[*last].leave.map(|leave| leave.from);
            let Some((at, state)) = truth[*last].states.last() else { continue };
            if last + 1 == truth.len() && judge.seen(at.to, leave, &self.proxy.polls.of(channel)) {
                let known = (state.clone(), recorded.departure.is_none());
                expected.entry(user).or_default().insert(channel, known);
            }
        }
        assert!(expected.len() >= 6, "the scripts prove little: {expected:?}");
        for (user, channels) in expected {
            let path = format!("/v1/users/{}/state", encoded(user));
            until("the last states are known", async || {
                let known: Value = self.api.get(&path).await;
                let so = |(&channel, (state, present)): (&&str, &(Value, bool))| {
                    let known = &known["channels"][channel];
                    known["state"] == *state && known["present"] == json!(present)
                };
                let all = channels.iter().all(so);
                if !all {
                    eprintln!("{user:?}: known {known}, expected {channels:?}");
                }
                all
            })
            .await;
        }
    }
}

/// The middle of a span, if it has one that no rounding to milliseconds can miss.
fn between(from: Timestamp, to: Timestamp) -> Option<Timestamp> {
    let span = to.duration_since(from);
    (SignedDuration::from_millis(4) < span).then(|| from + span / 2)
}

/// Everybody's state in every channel with somebody in it, as the daemon tells it.
pub(crate) async fn occupants(api: &Api) -> BTreeMap<String, Here> {
    let mut all = BTreeMap::new();
    for WatchedChannel { channel, .. } in api.all("/v1/channels").await {
        let listed: List<Value> =
            api.get(&format!("/v1/channels/{}/occupants?limit=1000", encoded(&channel))).await;
        let here: Here = listed
            .items
            .iter()
            .map(|item| (item["user"].as_str().unwrap().to_owned(), item["state"].clone()))
            .collect();
        if !here.is_empty() {
            all.insert(channel, here);
        }
    }
    all
}
