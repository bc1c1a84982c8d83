//! A service of the test's own behind the `Source` port, and an adsum that watches it in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adsum::actors::alerting::{Alerting, Editions, Silences};
use adsum::actors::clock::Clock;
use adsum::actors::handle::{Adsum, Parts, Settings, start};
use adsum::actors::judge::Judge;
use adsum::actors::source::{HereNow, Listing, Source, Trouble};
use adsum::domain::gap::GapReason;
use adsum::domain::names::{ChannelName, GroupName, UserId};
use adsum::domain::observation::Occupant;
use adsum::domain::plan::{Failure, Limits};
use adsum::domain::state::{Shown, State};
use adsum::domain::time::Time;
use adsum::domain::watch::{Policies, Policy, Target};
use adsum::history::sqlite::Sqlite;
use adsum::history::{EventQuery, History};
use adsum::states::States;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tempfile::TempDir;

use crate::flaky::{Faults, Flaky};

/// Who is where, with which state, and what goes wrong.
#[derive(Default)]
pub(crate) struct Service {
    pub(crate) channels: BTreeMap<String, BTreeMap<String, Option<serde_json::Value>>>,
    pub(crate) groups: BTreeMap<String, Vec<String>>,
    /// Every request fails like this.
    pub(crate) trouble: Option<Trouble>,
    /// An answer that holds this channel is bad.
    pub(crate) bad: Option<String>,
    /// Lists are cut after so many users unless they are asked for in pages.
    pub(crate) cut: Option<usize>,
    /// How long an answer takes.
    pub(crate) latency: Duration,
    /// The channels of every request.
    pub(crate) asked: Vec<Vec<String>>,
    /// The next answer panics.
    pub(crate) panics: bool,
}

#[derive(Clone, Default)]
pub(crate) struct FakeSource(Arc<Mutex<Service>>);

impl FakeSource {
    pub(crate) fn change(&self, change: impl FnOnce(&mut Service)) {
        change(&mut self.0.lock());
    }

    pub(crate) fn join(&self, channel: &str, user: &str) {
        self.change(|s| {
            s.channels.entry(channel.to_owned()).or_default().insert(user.to_owned(), None);
        });
    }

    pub(crate) fn leave(&self, channel: &str, user: &str) {
        self.change(|s| {
            s.channels.entry(channel.to_owned()).or_default().remove(user);
        });
    }

    pub(crate) fn requests(&self) -> usize {
        self.0.lock().asked.len()
    }
}

pub(crate) fn trouble(reason: GapReason, failure: Failure) -> Trouble {
    Trouble { reason, failure, what: "as the test wants it".to_owned() }
}

impl Service {
    fn answer(&mut self, request: &HereNow) -> Result<Vec<Listing>, Trouble> {
        let names: Vec<String> = if request.channels.is_empty() {
            self.channels
                .iter()
                .filter(|(_, users)| !users.is_empty())
                .map(|(name, _)| name.clone())
                .collect()
        } else {
            request.channels.iter().map(|name| name.as_str().to_owned()).collect()
        };
        self.asked.push(names.clone());
        assert!(!std::mem::take(&mut self.panics), "as the test wants it");
        if let Some(trouble) = &self.trouble {
            return Err(trouble.clone());
        }
        if self.bad.as_ref().is_some_and(|bad| names.contains(bad)) {
            return Err(trouble(GapReason::BadAnswer, Failure::Answer));
        }
        // As the service does, a channel without occupants is missing unless it is asked for alone.
        let listings = names.iter().map(|name| self.listing(name, request));
        Ok(listings.filter(|listing| listing.occupancy > 0 || names.len() == 1).collect())
    }

    fn listing(&self, name: &str, request: &HereNow) -> Listing {
        let nobody = BTreeMap::new();
        let users = self.channels.get(name).unwrap_or(&nobody);
        let (limit, offset) = match request.page {
            Some((limit, offset)) => (limit as usize, offset as usize),
            None => (self.cut.unwrap_or(usize::MAX), 0),
        };
        let occupants = users.iter().skip(offset).take(limit).map(|(user, state)| Occupant {
            user: UserId::new(user).unwrap(),
            state: match state {
                _ if !request.include_state => Shown::Unknown,
                None => Shown::Empty,
                Some(state) => Shown::Value(State::new(state.clone())),
            },
        });
        Listing {
            channel: name.to_owned(),
            occupancy: users.len() as u64,
            listed: request.include_uuids.then(|| occupants.collect()),
        }
    }
}

impl Source for FakeSource {
    fn here_now(&self, request: HereNow) -> BoxFuture<'static, Result<Vec<Listing>, Trouble>> {
        let service = Arc::clone(&self.0);
        async move {
            let latency = service.lock().latency;
            tokio::time::sleep(latency).await;
            service.lock().answer(&request)
        }
        .boxed()
    }

    fn channels_of(&self, group: &GroupName) -> BoxFuture<'static, Result<Vec<String>, Trouble>> {
        let channels = self.0.lock().groups.get(group.as_str()).cloned().unwrap_or_default();
        async move { Ok(channels) }.boxed()
    }
}

pub(crate) fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

pub(crate) const INTERVAL: Duration = Duration::from_secs(5);

pub(crate) fn settings(targets: &[&str]) -> Settings {
    let policy =
        Policy { interval: INTERVAL, gap_after: 3 * INTERVAL, include_state: true, include_uuids: true };
    Settings {
        targets: targets.iter().map(|target| Target::new(target).unwrap()).collect(),
        groups: Vec::new(),
        policies: Policies { default: policy, rules: Vec::new() },
        discover_interval: Duration::from_secs(30),
        limits: Limits { channels: 100, address: 30_000, users: 20_000, cache_ttl: Duration::ZERO },
        max_requests_per_second: 1000.0,
        mark_every: Duration::from_secs(10),
        retain: Duration::from_secs(86_400),
        alerting: Alerting::default(),
    }
}

/// An adsum on a folder of its own.
pub(crate) struct World {
    pub(crate) source: FakeSource,
    pub(crate) adsum: Adsum,
    pub(crate) history: Arc<dyn History>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) folder: TempDir,
    pub(crate) settings: Settings,
}

impl World {
    pub(crate) async fn start(settings: Settings, source: FakeSource) -> Self {
        tokio::time::pause();
        let folder = crate::memory::folder();
        let faults = Arc::<Faults>::default();
        let now = Time::from_micros(1_800_000_000_000_000);
        let (adsum, history) = open(&folder, &settings, &source, &faults, now).await;
        Self { source, adsum, history, faults, folder, settings }
    }

    /// Lets virtual time pass.
    pub(crate) async fn pass(&self, seconds: f64) {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }

    /// The same folder and service, another adsum after an orderly stop.
    pub(crate) async fn restart(self, away: Duration) -> Self {
        self.adsum.stop().await;
        let now = self.adsum.now().plus(away);
        let Self { source, adsum, history, faults, folder, settings } = self;
        drop((adsum, history));
        let (adsum, history) = open(&folder, &settings, &source, &faults, now).await;
        Self { source, adsum, history, faults, folder, settings }
    }

    /// Every event so far, as `kind user`, in order.
    pub(crate) async fn events(&self) -> Vec<String> {
        let query = EventQuery { limit: 1000, ..EventQuery::default() };
        let page = self.adsum.events(query).await.unwrap();
        page.items.iter().map(|event| format!("{} {}", event.kind.as_str(), event.user)).collect()
    }
}

async fn open(
    folder: &TempDir,
    settings: &Settings,
    source: &FakeSource,
    faults: &Arc<Faults>,
    now: Time,
) -> (Adsum, Arc<dyn History>) {
    let inner = Box::new(Sqlite::open(&folder.path().join("history.db")).unwrap());
    let history: Arc<dyn History> = Arc::new(Flaky { inner, faults: Arc::clone(faults) });
    // The states are a projection: each run may begin with none.
    let states = tempfile::tempdir_in(folder.path()).unwrap().keep();
    let parts = Parts {
        source: Arc::new(source.clone()),
        history: Arc::clone(&history),
        states: Arc::new(States::open(&states).unwrap()),
        clock: Clock::starting_at(now),
    };
    (start(settings.clone(), parts).await.unwrap(), history)
}

/// A judge without rules.
pub(crate) fn judge(clock: Clock) -> Judge {
    Judge { editions: Editions::new(Alerting::default()), silences: Silences::default(), clock }
}
