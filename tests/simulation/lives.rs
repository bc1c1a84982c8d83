//! The lives of one adsum: the real client, poller, actors and history, in virtual time, with everything that the plan does
//! to them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adsum::actors::alerting::Alerting;
use adsum::actors::clock::Clock;
use adsum::actors::handle::{Adsum, Parts, PresenceAnswer, Settings, start};
use adsum::domain::alert::{Matcher, RuleName, Silence};
use adsum::domain::answer::Present;
use adsum::domain::event::Recorded;
use adsum::domain::names::{ChannelName, GroupName, UserId};
use adsum::domain::plan::Limits;
use adsum::domain::time::Time;
use adsum::domain::watch::{Policies, Policy, Rule, Target};
use adsum::history::History;
use adsum::history::sqlite::{Sqlite, verify};
use adsum::pubnub::{Client, ClientConfig};
use adsum::states::States;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::broadcast::error::RecvError;

use crate::dice::Dice;
use crate::flaky::Flaky;
use crate::memory;
use crate::plan::{Act, Kind, Plan, SECOND};
use crate::record::Record;
use crate::rules::{self, Taken};
use crate::service::{Exchange, Told as Said, World};
use crate::storage::{Crash, Noted, Storage};
use crate::timeline::{Scale, Timeline};
use crate::truth::user_id;

/// The daemon refuses to start if the wall clock is further behind the record than this.
const CLOCK_BEHIND: Duration = Duration::from_secs(5);

/// What a life left behind, for the judge.
pub(crate) struct Past {
    pub(crate) world: World,
    pub(crate) scale: Scale,
    /// Events that were visible, in the order in which they became so.
    pub(crate) visible: Vec<Recorded>,
    /// Answers about settled moments.
    pub(crate) answers: Vec<Told>,
    pub(crate) record: Record,
    /// The same questions at the end.
    pub(crate) asked_again: Vec<PresenceAnswer>,
    /// Every request.
    pub(crate) log: Vec<Exchange>,
    /// By channel: which requests said something good of it, and where in their answer.
    said: HashMap<String, Vec<(usize, usize)>>,
    /// When adsum was up.
    pub(crate) lives: Vec<Life>,
    /// Every gap as it was committed, in order.
    pub(crate) noted: Vec<Noted>,
    /// When commits panicked, in true time.
    pub(crate) panics: Vec<i64>,
    /// The deliveries that receivers took, in order.
    pub(crate) taken: Vec<String>,
    /// What `adsum verify` found in the history after each life.
    pub(crate) unsound: Vec<String>,
}

/// One life of adsum, in true time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// When the record showed at its beginning that adsum was last certainly running.
    pub(crate) alive: Option<Time>,
}

/// Later pages of a list say nothing by themselves.
fn said(log: &[Exchange]) -> HashMap<String, Vec<(usize, usize)>> {
    let mut said: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
    for (number, exchange) in log.iter().enumerate().filter(|(_, exchange)| !exchange.request.is_later_page())
    {
        for (place, told) in exchange.result.iter().flatten().enumerate() {
            said.entry(told.channel.clone()).or_default().push((number, place));
        }
    }
    said
}

impl Past {
    /// Good answers about a channel, in the order in which they arrived.
    pub(crate) fn good<'a>(&'a self, channel: &'a str) -> impl Iterator<Item = (&'a Exchange, &'a Said)> {
        self.said.get(channel).into_iter().flatten().filter_map(|(number, place)| {
            let exchange = &self.log[*number];
            Some((exchange, exchange.result.as_ref().ok()?.get(*place)?))
        })
    }

    /// Why a channel is watched.
    pub(crate) fn kind(&self, channel: &str) -> Kind {
        self.world.plan.channels.iter().find(|(name, _)| name == channel).unwrap().1
    }

    /// Whether the wall clock was set, or the machine slept, in a span.
    pub(crate) fn was_set(&self, from: i64, to: i64) -> bool {
        self.world.plan.acts.iter().any(|(at, act)| match act {
            Act::Sleep(span) => *at <= to && at + span >= from,
            Act::SetClock(_) => *at <= to && *at >= from,
            _ => false,
        })
    }

    /// For how long the machine slept.
    pub(crate) fn slept(&self) -> i64 {
        let slept = self.world.plan.acts.iter();
        slept.map(|(_, act)| if let Act::Sleep(span) = act { *span } else { 0 }).sum()
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) channel: String,
    pub(crate) user: String,
    pub(crate) answer: PresenceAnswer,
}

enum End {
    /// Another life begins then.
    Until(i64),
    Over(Box<Record>, Vec<PresenceAnswer>),
}

struct Lives {
    world: World,
    storage: Arc<Storage>,
    folder: TempDir,
    scale: Scale,
    visible: Arc<Mutex<Vec<Recorded>>>,
    answers: Vec<Told>,
    dice: Dice,
    lived: Vec<Life>,
    births: usize,
    taken: Taken,
    /// The acts done.
    done: usize,
}

/// Lives through the plan.
pub(crate) fn live(plan: Plan) -> Past {
    let seed = plan.seed;
    let timeline = Timeline::new(0);
    let world = World::new(plan, timeline.clone());
    let storage = Arc::new(Storage::new(timeline));
    let folder = memory::folder();
    let mut lives = Lives {
        world,
        storage,
        folder,
        scale: Scale::default(),
        visible: Arc::default(),
        answers: Vec::new(),
        dice: Dice::new(seed, 4),
        lived: Vec::new(),
        births: 0,
        taken: Taken::default(),
        done: 0,
    };
    let states = Arc::new(States::open(&lives.folder.path().join("states")).unwrap());
    let (mut born, mut unsound) = (0, Vec::new());
    loop {
        fastrand::seed(lives.dice.seed());
        let end = actix::System::with_tokio_rt(virtual_time).block_on(lives.one(born, &states));
        unsound.extend(verified(&lives.folder.path().join("history.db")));
        match end {
            End::Until(at) => born = at,
            End::Over(record, asked_again) => {
                let Lives { world, scale, visible, answers, lived, taken, storage, .. } = lives;
                let (visible, log, taken) = (visible.lock().clone(), world.log(), taken.all());
                let ((noted, panics), said, record) = (storage.noted(), said(&log), *record);
                return Past {
                    world,
                    scale,
                    visible,
                    answers,
                    record,
                    asked_again,
                    log,
                    said,
                    lives: lived,
                    noted,
                    panics,
                    taken,
                    unsound,
                };
            }
        }
    }
}

/// What breaks the laws of a history, in words.
fn verified(history: &Path) -> Vec<String> {
    let found = verify(history, &mut |_| ()).unwrap();
    found.broken.iter().map(|breach| format!("{breach:?}")).collect()
}

/// A runtime whose clock stands still from the first instant on, so that the same seed always gives the same times.
fn virtual_time() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

fn micros(span: i64) -> Duration {
    Duration::from_micros(span.unsigned_abs())
}

pub(crate) fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn settings(plan: &Plan, alerting: Alerting) -> Settings {
    let of = |kind| plan.channels.iter().filter(move |(_, of)| *of == kind).map(|(name, _)| name.as_str());
    let mut targets: Vec<&str> = of(Kind::Named).chain(of(Kind::CountOnly)).collect();
    if of(Kind::Discovered).next().is_some() {
        targets.push("room.*");
    }
    let groups = of(Kind::InGroup).next().map(|_| GroupName::new("team").unwrap());
    let default = Policy {
        interval: micros(plan.interval),
        gap_after: micros(3 * plan.interval),
        include_state: plan.include_state,
        include_uuids: true,
    };
    let count_only = Rule {
        channels: vec![Target::new("count.*").unwrap()],
        policy: Policy { include_uuids: false, ..default },
    };
    Settings {
        targets: targets.into_iter().map(|target| Target::new(target).unwrap()).collect(),
        groups: groups.into_iter().collect(),
        policies: Policies { default, rules: vec![count_only] },
        discover_interval: micros(plan.discover_interval),
        limits: Limits { channels: 100, address: 30_000, users: 20_000, cache_ttl: micros(plan.cache_ttl) },
        max_requests_per_second: 1000.0,
        mark_every: Duration::from_secs(10),
        retain: Duration::from_secs(365 * 86_400),
        alerting,
    }
}

impl Lives {
    async fn one(&mut self, born: i64, states: &Arc<States>) -> End {
        self.world.timeline.go_on(born);
        self.births += 1;
        let sqlite = Box::new(Sqlite::open(&self.folder.path().join("history.db")).unwrap());
        let history: Arc<dyn History> = Arc::new(Flaky { inner: sqlite, faults: Arc::clone(&self.storage) });
        let adsum = loop {
            if let Some(adsum) = self.begin(&history, states).await {
                break adsum;
            }
            // Whoever looks after adsum starts it again.
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        self.watch_events(&adsum);
        let end = self.through_the_plan(&adsum).await;
        let now = self.world.timeline.now();
        self.lived.iter_mut().last().unwrap().to = now;
        if let Some(away) = end {
            End::Until(self.world.timeline.now() + away)
        } else {
            let record = Record::read(&adsum, &history, &self.world, &self.scale).await;
            let mut asked_again = Vec::new();
            for told in &self.answers {
                asked_again.push(ask_again(&adsum, &told.channel, &told.user, told.answer.at).await);
            }
            adsum.stop().await;
            End::Over(Box::new(record), asked_again)
        }
    }

    async fn begin(&mut self, history: &Arc<dyn History>, states: &Arc<States>) -> Option<Adsum> {
        let newest = history.newest().unwrap();
        let timeline = &self.world.timeline;
        if let Some(behind) = newest.map(|newest| newest.since(timeline.wall_time()))
            && behind > CLOCK_BEHIND
        {
            // adsum refuses to start, so the clock is set right.
            timeline.set_wall(i64::try_from(behind.as_micros()).unwrap());
        }
        let clock = Clock::with_wall(newest, timeline.wall());
        let service = self.world.service(self.births - 1);
        let client = Client::with_transport(ClientConfig::new("sub-c-simulated", "adsum"), service).unwrap();
        let parts = Parts {
            source: Arc::new(client),
            history: Arc::clone(history),
            states: Arc::clone(states),
            clock,
        };
        let adsum = start(settings(&self.world.plan, self.alerting()), parts).await.ok()?;
        let from = self.world.timeline.now();
        self.scale.note(from, adsum.now());
        self.lived.push(Life { from, to: i64::MAX, alive: newest });
        Some(adsum)
    }

    /// As the configuration has it.
    fn alerting(&self) -> Alerting {
        let World { plan, timeline, .. } = &self.world;
        let mut dice = Dice::new(plan.seed, 10 + self.births as u64);
        rules::alerting(&plan.rules, &self.taken, &mut dice, (timeline.clone(), plan.still_from))
    }

    /// Sees what everybody sees.
    fn watch_events(&self, adsum: &Adsum) {
        let mut events = adsum.subscribe();
        let visible = Arc::clone(&self.visible);
        actix::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(committed) => visible.lock().extend(committed.iter().cloned()),
                    Err(RecvError::Closed) => return,
                    Err(RecvError::Lagged(_)) => panic!("the test is too slow"),
                }
            }
        });
    }

    /// `None` at the end of the plan, otherwise for how long adsum is away.
    async fn through_the_plan(&mut self, adsum: &Adsum) -> Option<i64> {
        let plan = Arc::clone(&self.world.plan);
        let timeline = self.world.timeline.clone();
        let storage = Arc::clone(&self.storage);
        while let Some((at, act)) = plan.acts.get(self.done) {
            tokio::select! {
                away = storage.crashed() => return Some(away),
                () = timeline.sleep_until(*at) => {}
            }
            self.done += 1;
            match act {
                Act::Stop(away) => {
                    tokio::select! {
                        away = storage.crashed() => return Some(away),
                        () = adsum.stop() => return Some(*away),
                    }
                }
                Act::Crash(away) => return Some(*away),
                act => self.perform(act, adsum).await,
            }
            self.scale.note(timeline.now(), adsum.now());
        }
        tokio::select! {
            away = storage.crashed() => return Some(away),
            () = timeline.sleep_until(plan.end) => {}
        }
        None
    }

    async fn perform(&mut self, act: &Act, adsum: &Adsum) {
        let timeline = &self.world.timeline;
        match act {
            Act::Stop(_) | Act::Crash(_) => {}
            Act::CrashAtCommit { after, away } => {
                self.storage.crash_at_commit(Crash { after: *after, away: *away });
            }
            Act::Sleep(span) => timeline.suspend(*span),
            Act::SetClock(by) => timeline.set_wall(*by),
            Act::HistoryFails(span) => self.storage.unavailable_until(timeline.now() + span),
            Act::CommitPanics { after } => self.storage.panic_at_commit(*after),
            // Refused while the history cannot be written, which is all right.
            Act::Unwatch(name) => drop(adsum.unwatch(&Target::new(name).unwrap()).await),
            Act::Watch(name) => drop(adsum.watch(Target::new(name).unwrap()).await),
            Act::ReadAgain => adsum.set_alerting(self.alerting()),
            Act::Silence { rule, span } => self.silence(adsum, rule, *span).await,
            Act::Ask => self.ask(adsum).await,
        }
    }

    /// Refused while the history cannot be written.
    async fn silence(&self, adsum: &Adsum, rule: &str, span: i64) {
        let (rule, now) = (Some(RuleName::new(rule).unwrap()), adsum.now());
        let matcher = Matcher { rule, channel: None, severity: None };
        let silence = Silence::new(matcher, now, now.plus(micros(span)), "ada", "a test").unwrap();
        drop(adsum.add_silence(silence).await);
    }

    async fn ask(&mut self, adsum: &Adsum) {
        let plan = &self.world.plan;
        let now = self.world.timeline.now();
        let (channel, _) = self.dice.pick(&plan.channels).clone();
        let user = user_id(self.dice.below(plan.users));
        let at = self.scale.shown(self.dice.int((now - 120 * SECOND).max(-SECOND), now)).min(adsum.now());
        let answer = adsum.presence(&self::channel(&channel), &UserId::new(&user).unwrap(), Some(at)).await;
        let answer = answer.unwrap();
        if answer.answer.present != Present::Unknown {
            self.answers.push(Told { channel, user, answer });
        }
    }
}

/// Asks again.
pub(crate) async fn ask_again(adsum: &Adsum, channel: &str, user: &str, at: Time) -> PresenceAnswer {
    adsum.presence(&self::channel(channel), &UserId::new(user).unwrap(), Some(at)).await.unwrap()
}
