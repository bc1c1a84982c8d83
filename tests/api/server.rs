//! A service of the test's own, an adsum that watches it, and its API on a free port.
//!
//! Sockets need real time, so polls are a few milliseconds apart and tests wait for what they expect.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adsum::actors::alerting::Alerting;
use adsum::actors::clock::Clock;
use adsum::actors::handle::{Adsum, Parts, Settings, start};
use adsum::actors::source::{HereNow, Listing, Source, Trouble};
use adsum::api::{Api, ApiHandle, ApiSettings};
use adsum::domain::gap::GapReason;
use adsum::domain::names::{GroupName, UserId};
use adsum::domain::observation::Occupant;
use adsum::domain::plan::{Failure, Limits};
use adsum::domain::state::{Shown, State};
use adsum::domain::watch::{Policies, Policy, Target};
use adsum::history::History;
use adsum::history::sqlite::Sqlite;
use adsum::states::States;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use crate::story;

const INTERVAL: Duration = Duration::from_millis(30);

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

type Channels = BTreeMap<String, BTreeMap<String, Option<Value>>>;

/// Who is where, with which state.
#[derive(Clone, Default)]
struct Service {
    channels: Arc<Mutex<Channels>>,
    /// Every request fails.
    broken: Arc<AtomicBool>,
}

impl Service {
    fn listing(&self, name: &str, with_state: bool) -> Listing {
        let channels = self.channels.lock().unwrap();
        let users = channels.get(name).cloned().unwrap_or_default();
        let occupant = |(user, state): (String, Option<Value>)| Occupant {
            user: UserId::new(&user).unwrap(),
            state: match state {
                _ if !with_state => Shown::Unknown,
                None => Shown::Empty,
                Some(state) => Shown::Value(State::new(state)),
            },
        };
        Listing {
            channel: name.to_owned(),
            occupancy: users.len() as u64,
            listed: Some(users.into_iter().map(occupant).collect()),
        }
    }
}

impl Source for Service {
    fn here_now(&self, request: HereNow) -> BoxFuture<'static, Result<Vec<Listing>, Trouble>> {
        if self.broken.load(Ordering::Relaxed) {
            let failure = Failure::Service { retry_after: None };
            let what = "no answer within 10s".to_owned();
            return async { Err(Trouble { reason: GapReason::Timeout, failure, what }) }.boxed();
        }
        let names: Vec<String> = if request.channels.is_empty() {
            self.channels.lock().unwrap().keys().cloned().collect()
        } else {
            request.channels.iter().map(|channel| channel.as_str().to_owned()).collect()
        };
        let alone = names.len() == 1;
        let listings: Vec<Listing> = names
            .iter()
            .map(|name| self.listing(name, request.include_state))
            .filter(|listing| alone || listing.occupancy > 0)
            .collect();
        async move { Ok(listings) }.boxed()
    }

    fn channels_of(&self, _: &GroupName) -> BoxFuture<'static, Result<Vec<String>, Trouble>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

/// An adsum with its API.
pub(crate) struct Server {
    pub(crate) adsum: Adsum,
    pub(crate) history: Arc<dyn History>,
    pub(crate) address: SocketAddr,
    pub(crate) handle: ApiHandle,
    pub(crate) running: actix_web::rt::task::JoinHandle<std::io::Result<()>>,
    service: Service,
    client: reqwest::Client,
    pub(crate) folder: TempDir,
}

impl Server {
    /// Watches `lobby`, without tokens.
    pub(crate) async fn start() -> Self {
        Self::start_with(&["lobby"], &[]).await
    }

    pub(crate) async fn start_with(targets: &[&str], tokens: &[&str]) -> Self {
        Self::start_as(settings(targets), tokens).await
    }

    /// Watches `lobby`, without tokens; with the rules of the stories, which are for other channels.
    pub(crate) async fn start_alerting() -> Self {
        Self::start_judging(story::alerting()).await
    }

    /// Watches `lobby`, without tokens; with rules.
    pub(crate) async fn start_judging(alerting: Alerting) -> Self {
        Self::start_as(Settings { alerting, ..settings(&["lobby"]) }, &[]).await
    }

    async fn start_as(settings: Settings, tokens: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let history: Arc<dyn History> = Arc::new(Sqlite::open(&folder.path().join("history.db")).unwrap());
        let service = Service::default();
        let parts = Parts {
            source: Arc::new(service.clone()),
            history: Arc::clone(&history),
            states: Arc::new(States::open(&folder.path().join("states")).unwrap()),
            clock: Clock::system(None),
        };
        let adsum = start(settings, parts).await.unwrap();
        let tokens = tokens.iter().map(|token| (*token).to_owned().into()).collect();
        let listen = "127.0.0.1:0".parse().unwrap();
        let api = Api::bind(&ApiSettings { listen, tokens }, adsum.clone()).unwrap();
        let (address, handle) = (api.local_addr(), api.handle());
        let running = actix_web::rt::spawn(api.run());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { adsum, history, address, handle, running, service, client, folder }
    }

    pub(crate) fn enter(&self, channel: &str, user: &str, state: Option<Value>) {
        let mut channels = self.service.channels.lock().unwrap();
        channels.entry(channel.to_owned()).or_default().insert(user.to_owned(), state);
    }

    /// Whether requests fail from now on.
    pub(crate) fn broken(&self, broken: bool) {
        self.service.broken.store(broken, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self, channel: &str, user: &str) {
        self.service.channels.lock().unwrap().get_mut(channel).unwrap().remove(user);
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// The JSON of a good answer.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    /// Asks until the answer is as expected.
    pub(crate) async fn json_until(&self, path: &str, expected: impl Fn(&Value) -> bool) -> Value {
        let began = std::time::Instant::now();
        loop {
            let response = self.get(path).await;
            let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            if expected(&body) {
                return body;
            }
            assert!(began.elapsed() < PATIENCE, "{path} still answers {body}");
            actix_web::rt::time::sleep(INTERVAL / 3).await;
        }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.request(Method::POST, path).header("Content-Type", "application/json");
        request.body(body.to_string()).send().await.unwrap()
    }

    /// Silences what is asked for, by somebody for some reason; gives the silence's number.
    pub(crate) async fn silence(&self, asked: &Value) -> i64 {
        let mut asked = asked.clone();
        asked["author"] = "ada".into();
        asked["reason"] = "a fair".into();
        let made = self.post("/v1/silences", &asked).await;
        assert_eq!(made.status(), StatusCode::CREATED, "{asked}");
        let made: Value = serde_json::from_slice(&made.bytes().await.unwrap()).unwrap();
        made["id"].as_i64().unwrap()
    }

    /// A cursor of the list of silences.
    pub(crate) async fn silences_cursor(&self) -> String {
        for _ in 0..2 {
            self.silence(&serde_json::json!({ "rule": "crowded", "for": "1h" })).await;
        }
        self.json("/v1/silences?limit=1").await["next"].as_str().unwrap().to_owned()
    }

    /// The values of a field of all items of a list, which is read page by page; `path` has a query.
    pub(crate) async fn pages(&self, path: &str, field: &str) -> Vec<Value> {
        let (mut values, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.json(&format!("{path}{after}")).await;
            let items = page["items"].as_array().unwrap();
            values.extend(items.iter().map(|item| item[field].clone()));
            let Some(next) = page["next"].as_str() else { return values };
            assert!(!items.is_empty(), "{path}{after} is empty and goes on");
            after = format!("&after={next}");
        }
    }

    /// The channel has been seen by whoever asks: from now on who enters joins.
    pub(crate) async fn observed(&self, channel: &str) {
        self.json_until(&format!("/v1/channels/{channel}"), |channel| channel["status"] == "ok").await;
    }

    /// A user who joins for the nth time and leaves.
    pub(crate) async fn joined_again(&self, channel: &str, user: &str, nth: usize) {
        let seen = |kind: &'static str| {
            let path = format!("/v1/events?channel={channel}&user={user}&kind={kind}");
            async move {
                self.json_until(&path, |events| {
                    events["items"].as_array().is_some_and(|items| items.len() == nth)
                })
                .await
            }
        };
        self.enter(channel, user, None);
        seen("join").await;
        self.leave(channel, user);
        seen("leave").await;
    }

    /// So many users, each joined and seen again since, in this order.
    pub(crate) async fn joined(&self, channel: &str, users: &[&str]) {
        for user in users {
            self.enter(channel, user, None);
            let path = format!("/v1/events?channel={channel}&user={user}&kind=join");
            self.json_until(&path, |events| events["items"].as_array().is_some_and(|items| items.len() == 1))
                .await;
        }
    }
}

fn settings(targets: &[&str]) -> Settings {
    let policy = Policy { interval: INTERVAL, gap_after: PATIENCE, include_state: true, include_uuids: true };
    Settings {
        targets: targets.iter().map(|target| Target::new(target).unwrap()).collect(),
        groups: Vec::new(),
        policies: Policies { default: policy, rules: Vec::new() },
        discover_interval: INTERVAL,
        limits: Limits { channels: 100, address: 30_000, users: 20_000, cache_ttl: Duration::ZERO },
        max_requests_per_second: 1000.0,
        mark_every: Duration::from_secs(1),
        retain: Duration::from_secs(86_400),
        alerting: Alerting::default(),
    }
}

/// The JSON of an error, which must be a problem with this status and code.
pub(crate) async fn problem(response: Response, status: u16, code: &str) -> Value {
    let url = response.url().to_string();
    assert_eq!(response.status(), status, "{url}");
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{url}");
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!((&body["code"], &body["status"]), (&code.into(), &status.into()), "{url}: {body}");
    assert_eq!(body["type"], format!("urn:adsum:problem:{code}"), "{url}");
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{url}: {body}");
    body
}
