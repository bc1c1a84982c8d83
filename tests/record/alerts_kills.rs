//! Alerts through everything that may befall adsum and whom it tells: every one that was due arrives, in order, and none
//! that was not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::alerting::{Change, arrived_as_recorded, changes, configuration, delivered, rule};
use crate::crowd::seed;
use crate::lives::{Address, Death, Lives};
use crate::process::{Process, Settings, start_origin};
use crate::receiver::{Mood, Receiver};
use crate::record::{List, WatchedChannel, until};
use crate::wire::{Span, Wire};

/// Each with a rule of its own.
const GROUPS: [&str; 10] = [
    "hall",
    "two / 2",
    "three%33",
    "4 🦀",
    "\u{202e}\u{1b}[5m",
    "<b>&amp;",
    "@here",
    "seven'7",
    "{{ 8 }}",
    "9",
];
const CHANNELS: usize = 20;
/// In each channel the alert fires, and is resolved, so often for certain.
const ROUNDS: usize = 5;
/// A presence timeout nobody meets.
const NEVER: u32 = 3600;

/// What befalls adsum, and whom it tells.
enum Blow {
    /// adsum is killed.
    Kill(Death),
    /// adsum is killed when it was just told of something and has not got an answer: it cannot know that it was taken.
    KillUnanswered,
    /// What becomes of requests from now on.
    Receiver(Mood),
    ReceiverIsKilled,
    ReceiverIsBack,
}

/// What befalls them once so many of the groups' changes, up or down, were seen. There are 100.
const BLOWS: [(usize, Blow); 23] = [
    (5, Blow::Kill(Death::Committing)),
    (12, Blow::ReceiverIsKilled),
    (18, Blow::Kill(Death::Committing)),
    (22, Blow::ReceiverIsBack),
    (26, Blow::KillUnanswered),
    (30, Blow::Receiver(Mood::Refuses("500 Internal Server Error\r\n"))),
    (35, Blow::Kill(Death::Anytime)),
    (39, Blow::Receiver(Mood::Takes)),
    (44, Blow::KillUnanswered),
    (48, Blow::Receiver(Mood::Refuses("429 Too Many Requests\r\nretry-after: 2\r\n"))),
    (53, Blow::Receiver(Mood::Takes)),
    (57, Blow::Kill(Death::Committing)),
    (61, Blow::Receiver(Mood::Hangs)),
    (64, Blow::Kill(Death::Anytime)),
    (67, Blow::ReceiverIsKilled),
    (68, Blow::Receiver(Mood::Takes)),
    (69, Blow::Kill(Death::Stopping)),
    (73, Blow::ReceiverIsBack),
    (78, Blow::KillUnanswered),
    (82, Blow::Receiver(Mood::Refuses("503 Service Unavailable\r\n"))),
    (86, Blow::Receiver(Mood::Takes)),
    (90, Blow::Kill(Death::Anytime)),
    (95, Blow::KillUnanswered),
];

/// A change of a channel's occupancy across the bound of its rule.
#[derive(Debug, Clone, Copy)]
struct Crossing {
    up: bool,
    span: Span,
    /// Whether the channel stayed so until that was certainly seen.
    held: bool,
}

type Crossings = BTreeMap<String, Vec<Crossing>>;

#[tokio::test]
async fn a_thousand_alerts_arrive_in_order_though_adsum_is_killed_ten_times_and_the_receiver_fails() {
    let mut rng = Rng::with_seed(seed());
    let folder = tempfile::tempdir().unwrap();
    let (_origin, origin) = start_origin(folder.path(), "0s");
    let mut hook = Receiver::start();
    let mut lives = Lives {
        folder: folder.path().to_owned(),
        settings: settings(&origin, &hook),
        address: watch::Sender::new((0, None)),
        rng: rng.fork(),
        ends: Vec::new(),
    };
    let daemon = lives.start();
    lives.serves().await.ready().await;

    let stage = Stage {
        wire: Wire::new(&origin),
        seen: watch::Sender::default(),
        done: watch::Sender::new(0),
        crossings: Arc::default(),
    };
    let looking = tokio::spawn(stage.clone().look(lives.address.clone()));
    let mut groups = JoinSet::new();
    for (number, group) in GROUPS.iter().enumerate() {
        groups.spawn(stage.clone().drive(names(group), is_staffed(number), rng.fork()));
    }
    let daemon = stage.befall(&mut lives, &mut hook, daemon).await;
    groups.join_all().await;
    let api = lives.serves().await;
    let deliveries = delivered(&api).await;
    looking.abort();

    let changes = changes(&api).await;
    stage.is_recorded(&changes);
    let got = hook.got();
    arrived_as_recorded(&changes, &got);
    assert!(deliveries.iter().all(|delivery| delivery["status"] == "delivered"), "{deliveries:#?}");
    let counted: u64 = deliveries.iter().map(|delivery| delivery["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, changes.len() as u64);
    let taken = got.iter().filter(|got| got.taken).count();
    eprintln!(
        "{} changes in {} messages, sent {} times and taken {taken} times",
        changes.len(),
        deliveries.len(),
        got.len()
    );
    assert!(deliveries.len() + 4 <= taken && taken + 10 <= got.len(), "little befell them");
    let unanswered = BLOWS.iter().filter(|(_, blow)| matches!(blow, Blow::KillUnanswered)).count();
    assert!(lives.killed().values().sum::<usize>() + unanswered >= 10);
    drop(daemon);
}

fn settings(origin: &str, hook: &Receiver) -> Settings {
    let channels: Vec<_> = GROUPS.iter().flat_map(|group| names(group)).collect();
    let channels: Vec<_> = channels.iter().map(String::as_str).collect();
    let mut settings = Settings::new(origin, &channels, "300ms", "0s");
    // Polls may be late on a busy machine; here only ends shall make gaps.
    settings.gap_after = Some("60s");
    let rules: Vec<_> = GROUPS
        .iter()
        .enumerate()
        .map(|(number, group)| {
            let bound = u8::from(is_staffed(number));
            rule(&format!("rule{number}"), &format!("{group}.*"), &format!("occupancy_above = {bound}"))
        })
        .collect();
    settings.more = configuration(hook, &rules);
    settings
}

/// Whether somebody is always in the channels of this group: else an alert is resolved when a channel is empty.
fn is_staffed(group: usize) -> bool {
    group.is_multiple_of(2)
}

fn names(group: &str) -> Vec<String> {
    (0..CHANNELS).map(|number| format!("{group}.{number}")).collect()
}

#[derive(Clone)]
struct Stage {
    wire: Wire,
    /// When each channel was last observed.
    seen: watch::Sender<BTreeMap<String, Timestamp>>,
    /// How many of the groups' changes, up or down, were seen.
    done: watch::Sender<usize>,
    crossings: Arc<Mutex<Crossings>>,
}

impl Stage {
    /// Looks for ever when channels were last observed, while there is a daemon.
    async fn look(self, address: Address) {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let Some(api) = address.borrow().1.clone() else { continue };
            let list: Option<List<WatchedChannel>> = api.try_get("/v1/channels?limit=1000").await;
            let Some(list) = list else { continue };
            let seen = |channel: WatchedChannel| Some((channel.channel, channel.last_observed_at?));
            self.seen.send_replace(list.items.into_iter().filter_map(seen).collect());
        }
    }

    /// Waits until channels were observed, and that is recorded, after now.
    async fn seen(&self, channels: &[String]) {
        // The first answer after now may be to a question from before; the second is not.
        for _ in 0..2 {
            let now = Timestamp::now();
            let all = |seen: &BTreeMap<String, Timestamp>| {
                channels.iter().all(|channel| seen.get(channel).is_some_and(|last| now < *last))
            };
            let mut seen = self.seen.subscribe();
            tokio::time::timeout(Duration::from_secs(180), seen.wait_for(all))
                .await
                .expect("channels are observed")
                .unwrap();
        }
    }

    /// People come to the channels of one group and go, across the bound of its rule. Somebody is always there if
    /// `staffed`.
    async fn drive(self, mut channels: Vec<String>, staffed: bool, mut rng: Rng) {
        if staffed {
            for channel in &channels {
                self.wire.heartbeat(channel, "always", NEVER).await;
            }
        }
        for round in 0..2 * ROUNDS {
            let up = round % 2 == 0;
            rng.shuffle(&mut channels);
            for channel in &channels {
                // Longer, for all of them, than a delivery waits for more.
                tokio::time::sleep(Duration::from_millis(rng.u64(..150))).await;
                if rng.u8(..10) == 0 {
                    // Perhaps seen, perhaps not.
                    for up in [up, !up] {
                        self.cross(channel, up, false).await;
                        tokio::time::sleep(Duration::from_millis(rng.u64(..500))).await;
                    }
                }
                self.cross(channel, up, true).await;
            }
            self.seen(&channels).await;
            self.done.send_modify(|done| *done += 1);
        }
    }

    async fn cross(&self, channel: &str, up: bool, held: bool) {
        let span = if up {
            self.wire.heartbeat(channel, "somebody", NEVER).await
        } else {
            self.wire.leave(channel, "somebody").await
        };
        let mut crossings = self.crossings.lock().unwrap();
        crossings.entry(channel.to_owned()).or_default().push(Crossing { up, span, held });
    }

    /// Everything that befalls adsum and the receiver; the daemon that lives in the end.
    async fn befall(&self, lives: &mut Lives, hook: &mut Receiver, mut daemon: Process) -> Process {
        let mut done = self.done.subscribe();
        for (after, blow) in BLOWS {
            let so_far = tokio::time::timeout(Duration::from_secs(300), done.wait_for(|done| after <= *done));
            so_far.await.expect("the groups go on").unwrap();
            match blow {
                Blow::Kill(death) => {
                    let then = Duration::from_micros(lives.rng.u64(..3_000));
                    lives.dies(daemon, (death, then), Vec::new()).await;
                    daemon = lives.start();
                }
                Blow::KillUnanswered => {
                    hook.set(Mood::TakesInSilence);
                    let before = hook.count();
                    until("the receiver is told something", async || before < hook.count()).await;
                    daemon.kill();
                    hook.set(Mood::Takes);
                    daemon = lives.start();
                }
                Blow::Receiver(mood) => hook.set(mood),
                Blow::ReceiverIsKilled => hook.kill(),
                Blow::ReceiverIsBack => hook.start_again(),
            }
        }
        daemon
    }

    /// The record is what happened in the channels: an alert for each crossing that was certainly seen, and none without
    /// a crossing in its window.
    fn is_recorded(&self, changes: &[Change]) {
        let crossings = self.crossings.lock().unwrap();
        let mut channels: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            channels.entry(&change.channel).or_default().push(change);
        }
        assert_eq!(channels.len(), GROUPS.len() * CHANNELS);
        for (channel, changes) in channels {
            let crossings = &crossings[channel];
            assert!(explains(&changes, crossings, false), "{channel:?}: {changes:#?}\n{crossings:#?}");
            for pair in changes.chunks(2) {
                let [fired, resolved] = pair else { panic!("{channel:?} fires still: {changes:#?}") };
                assert_eq!(fired.alert_id, resolved.alert_id, "{changes:#?}");
                assert_eq!(fired.since, resolved.since, "{changes:#?}");
                assert_eq!(resolved.why.as_deref(), Some("cleared"), "{changes:#?}");
            }
        }
        assert!(changes.len() >= 2 * ROUNDS * GROUPS.len() * CHANNELS);
    }
}

/// Whether each change is a crossing that its window admits, in order, and the alert stood as the channel did after each
/// crossing that was held. `fires` is how it stood before.
fn explains(changes: &[&Change], crossings: &[Crossing], fires: bool) -> bool {
    let Some((crossing, later)) = crossings.split_first() else { return changes.is_empty() };
    let is = |change: &Change| match change.change.as_str() {
        "firing" => crossing.up && change.since.admits(crossing.span),
        "resolved" => !crossing.up && change.ended.is_some_and(|ended| ended.admits(crossing.span)),
        _ => false,
    };
    let goes_on =
        |changes, fires| (!crossing.held || fires == crossing.up) && explains(changes, later, fires);
    let told = changes.split_first().is_some_and(|(change, rest)| is(change) && goes_on(rest, crossing.up));
    told || goes_on(changes, fires)
}
