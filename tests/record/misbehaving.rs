//! The origin misbehaves in every way it can: nothing false is recorded, and once it behaves again all agrees.

use std::time::Duration;

use fastrand::Rng;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::crowd::{Crowd, HOSTILE, Pace, seed};
use crate::judge::Judge;
use crate::process::{PATIENCE, Settings, start_daemon, start_origin};
use crate::proxy::Proxy;
use crate::record::{Api, Gap, Visit, until};
use crate::truth::occupants;

const CHANNELS: [&str; 5] = ["lobby", "room 1/a", "🦀 crabs", "wild.one", "wild.two"];

/// How long the users act, and the origin misbehaves.
const ACTS: Duration = Duration::from_secs(40);

/// Only what the daemon asks suffers: the users' own requests must do what the tally says.
fn faults(seed: u64) -> Value {
    let rule = |fault: &str, probability: f64, more: Value| {
        let mut rule =
            json!({"fault": fault, "probability": probability, "requests": ["here_now", "global_here_now"]});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    };
    let rules = [
        rule("latency", 1.0, json!({"delay": "10ms", "jitter": "300ms"})),
        rule("cut_list", 0.2, json!({})),
        rule("repeated_id", 0.05, json!({})),
        rule("extra_ids", 0.03, json!({})),
        rule("low_occupancy", 0.03, json!({})),
        rule("bad_id", 0.03, json!({"id": "number"})),
        rule("no_list", 0.03, json!({})),
        rule("wrong_totals", 0.03, json!({})),
        rule("error", 0.08, json!({"status": 503})),
        rule("throttle", 0.02, json!({"retry_after": "1s"})),
        rule("forbid", 0.02, json!({"channels": ["lobby"]})),
        rule("drop", 0.04, json!({})),
        rule("reset", 0.03, json!({})),
        rule("html", 0.03, json!({"status": 200})),
        rule("cut_transfer", 0.03, json!({})),
        rule("cut_json", 0.03, json!({})),
        rule("broken_json", 0.02, json!({})),
        rule("invalid_utf8", 0.02, json!({})),
    ];
    json!({"seed": seed, "rule": rules})
}

#[tokio::test]
async fn nothing_false_is_recorded_while_the_origin_misbehaves() {
    let mut rng = Rng::with_seed(seed());
    let folder = tempfile::tempdir().unwrap();
    let (_origin, origin) = start_origin(folder.path(), "0s");
    let control = format!("http://{origin}/faults");
    let http = reqwest::Client::new();
    let set = http.put(&control).header("content-type", "application/json");
    let set = set.body(faults(rng.u64(..1 << 50)).to_string()).send().await.unwrap();
    assert!(set.status().is_success(), "{}", set.text().await.unwrap());

    let proxy = Proxy::start(&origin).await;
    let names: Vec<String> = CHANNELS.iter().map(|&name| name.to_owned()).collect();
    let crowd = Crowd::new(&origin, ACTS);
    let interval = Duration::from_secs(1);
    let pace = Pace { interval, long: interval * 4 };
    let mut scripts = tokio::task::JoinSet::new();
    for number in 0..30 {
        let user = crowd.user(format!("{number}{}", HOSTILE[number % HOSTILE.len()]), &mut rng);
        match number {
            0..10 => drop(scripts.spawn(user.regular(names.clone(), pace, false))),
            _ => drop(scripts.spawn(user.wander(names.clone(), interval, (0.3, 4.0), (0.2, 4.0)))),
        }
    }
    let settings = Settings::new(&proxy.address, &["lobby", "room 1/a", "🦀 crabs", "wild.*"], "1s", "0s");
    let daemon = start_daemon(folder.path(), &settings);
    let api = Api::new(&daemon.address(PATIENCE).expect("the daemon serves"));
    while let Some(script) = scripts.join_next().await {
        script.expect("scripts do not fail");
    }
    let in_force: Value =
        serde_json::from_str(&http.get(&control).send().await.unwrap().text().await.unwrap()).unwrap();
    eprintln!("each rule has hit so many requests: {}", in_force["applied"]);
    let hit = in_force["applied"].as_array().unwrap().iter().filter(|count| count.as_u64() > Some(0)).count();
    assert!(hit >= 12, "too few faults happened: {}", in_force["applied"]);
    http.delete(&control).send().await.unwrap();

    let here = crowd.wire.here().await;
    until("occupants are those of the origin", async || occupants(&api).await == here).await;
    api.settled(SignedDuration::ZERO).await;
    let tally = crowd.tally.lock().unwrap().clone();
    let exempt = crowd.spoilt.lock().unwrap().clone();
    let judge = Judge {
        whole: false,
        tally: &tally,
        polls: &proxy.polls,
        cache: SignedDuration::ZERO,
        seen_by: None,
        exempt,
    };
    let visits: Vec<Visit> = api.all("/v1/visits").await;
    let events = api.events().await;
    let (_, wrong) = judge.judge(&events, &visits);
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(events.len() > 50, "{} events: something was recorded all the same", events.len());
    let gaps: Vec<Gap> = api.all("/v1/gaps").await;
    eprintln!("{} events, {} visits, {} gaps", events.len(), visits.len(), gaps.len());
    assert!(gaps.iter().all(|gap| gap.to.is_some()), "all is well again: {gaps:?}");
}
