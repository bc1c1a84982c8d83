//! The service: answers requests as PubNub does, out of several caches, and wrongly where the plan says so. It speaks the
//! wire's JSON to the real client, over a transport of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use adsum::domain::gap::GapReason;
use adsum::pubnub::{Answer, Error, Transport};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::plan::{Fault, Plan, SECOND};
use crate::request::{Request, What};
use crate::timeline::Timeline;
use crate::truth::{Here, Truth};

/// A request, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// Which life of adsum made it.
    pub(crate) life: usize,
    pub(crate) sent: i64,
    pub(crate) received: i64,
    pub(crate) request: Request,
    /// What a good answer said of each channel asked for, or why there was none.
    pub(crate) result: Result<Vec<Told>, GapReason>,
}

/// What a good answer said of a channel.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) channel: String,
    /// When it was true.
    pub(crate) view: i64,
    pub(crate) occupancy: usize,
    /// Every user was listed.
    pub(crate) complete: bool,
    /// The answer named the channel; others are empty.
    pub(crate) named: bool,
}

/// Everything about one channel that an answer says.
#[derive(Clone)]
struct Listed {
    channel: String,
    view: i64,
    occupancy: usize,
    users: Vec<Here>,
}

type Cache = HashMap<String, (i64, Vec<Listed>)>;

pub(crate) struct Service {
    plan: Arc<Plan>,
    truth: Arc<Truth>,
    timeline: Timeline,
    state: Arc<Mutex<State>>,
    life: usize,
}

struct State {
    dice: Dice,
    caches: Vec<Cache>,
    log: Vec<Exchange>,
}

/// What the service is, apart from who talks to it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) plan: Arc<Plan>,
    pub(crate) truth: Arc<Truth>,
    pub(crate) timeline: Timeline,
    state: Arc<Mutex<State>>,
}

impl World {
    pub(crate) fn new(plan: Plan, timeline: Timeline) -> Self {
        let truth = Arc::new(Truth::new(&plan, &mut Dice::new(plan.seed, 2)));
        let caches = vec![Cache::new(); plan.caches];
        let state = State { dice: Dice::new(plan.seed, 3), caches, log: Vec::new() };
        Self { plan: Arc::new(plan), truth, timeline, state: Arc::new(Mutex::new(state)) }
    }

    /// For one life of adsum.
    pub(crate) fn service(&self, life: usize) -> Service {
        let Self { plan, truth, timeline, state } = self.clone();
        Service { plan, truth, timeline, state, life }
    }

    pub(crate) fn log(&self) -> Vec<Exchange> {
        self.state.lock().log.clone()
    }
}

impl Transport for Service {
    fn get<'a>(&'a self, uri: &'a str, _now: u64) -> BoxFuture<'a, Result<Answer, Error>> {
        let request = Request::parse(uri);
        async move {
            let sent = self.timeline.now();
            let (answer, result) = self.answer(&request, sent).await;
            let received = self.timeline.now();
            self.state.lock().log.push(Exchange { life: self.life, sent, received, request, result });
            answer
        }
        .boxed()
    }
}

/// What goes back to the client, and what is noted of it.
type Outcome = (Result<Answer, Error>, Result<Vec<Told>, GapReason>);

impl Service {
    async fn answer(&self, request: &Request, sent: i64) -> Outcome {
        let (fault, there, back) = {
            let dice = &mut self.state.lock().dice;
            let fault = self.plan.fault(sent, request.channels(), dice);
            let fault = fault.map(|(fault, channel)| (fault, channel.map(str::to_owned)));
            let slow = match fault {
                Some((Fault::Slow(by), _)) => by,
                Some((Fault::Hang, _)) => self.plan.request_timeout,
                _ => 0,
            };
            let took = dice.int(self.plan.latency.0, self.plan.latency.1) + slow;
            let there = dice.int(0, took);
            (fault, there, took - there)
        };
        if there + back >= self.plan.request_timeout {
            pause(self.plan.request_timeout).await;
            let after = Duration::from_micros(self.plan.request_timeout.unsigned_abs());
            return (Err(Error::Timeout { after }), Err(GapReason::Timeout));
        }
        pause(there).await;
        let answer = self.now(request, fault.as_ref().map(|(fault, channel)| (*fault, channel.as_deref())));
        pause(back).await;
        answer
    }

    fn now(&self, request: &Request, fault: Option<(Fault, Option<&str>)>) -> Outcome {
        let at = self.timeline.now();
        let mut state = self.state.lock();
        let State { dice, caches, .. } = &mut *state;
        if let Some(refused) = fault.and_then(|(fault, channel)| refuse(fault, channel, request, dice)) {
            return refused;
        }
        let What::HereNow { page, uuids, .. } = &request.what else {
            let channels = self.truth.group(at);
            let body = json!({"status": 200, "payload": {"channels": channels, "group": "team"},
                "service": "channel-registry", "error": false});
            return spoiled(&body, Vec::new(), fault.map(|(fault, _)| fault), dice);
        };
        let cache = &mut caches[dice.below(self.plan.caches)];
        let fresh = cache.get(&request.url).is_some_and(|(since, _)| at - since < self.plan.cached);
        if !fresh {
            cache.insert(request.url.clone(), (at, self.look(request, at)));
        }
        let mut listed = cache[&request.url].1.clone();
        for entry in &mut listed {
            let concerned =
                fault.is_some_and(|(_, channel)| channel.is_none_or(|name| name == entry.channel));
            let fault = fault.map(|(fault, _)| fault).filter(|_| concerned);
            let still = self.truth.stands_still(&entry.channel, at - 60 * SECOND, at + 60 * SECOND);
            if fault == Some(Fault::Shuffled) && still {
                let turn = dice.below(entry.users.len());
                entry.users.rotate_left(turn);
            }
            let (limit, offset) = page.unwrap_or((usize::MAX, 0));
            let limit = if let Some(Fault::Cut(most)) = fault { limit.min(most) } else { limit };
            entry.users.drain(..offset.min(entry.users.len()));
            entry.users.truncate(limit);
            if fault == Some(Fault::Doubled) && entry.users.len() > 1 {
                entry.users.pop();
                entry.users.push(entry.users[0].clone());
            }
        }
        let told = told(request, &listed, at);
        let wrong = fault.map(|(fault, _)| fault);
        let target = fault.and_then(|(_, channel)| channel);
        let target = listed.iter().position(|entry| target.is_none_or(|name| name == entry.channel));
        let (body, bad) = wire(request, &listed, *uuids, wrong, target);
        if bad { (Ok(ok(&body)), Err(GapReason::BadAnswer)) } else { spoiled(&body, told, wrong, dice) }
    }

    /// The truth, as asked for.
    fn look(&self, request: &Request, at: i64) -> Vec<Listed> {
        let all: Vec<String> = self.plan.channels.iter().map(|(name, _)| name.clone()).collect();
        let (asked, alone) = match request.channels() {
            [] => (&all[..], false),
            names => (names, names.len() == 1),
        };
        let look = |channel: &String| {
            let users = self.truth.here(channel, at);
            Listed { channel: channel.clone(), view: at, occupancy: users.len(), users }
        };
        asked.iter().map(look).filter(|entry| alone || entry.occupancy > 0).collect()
    }
}

async fn pause(micros: i64) {
    tokio::time::sleep(Duration::from_micros(micros.unsigned_abs())).await;
}

fn ok(body: &Value) -> Answer {
    Answer { http_status: 200, retry_after: None, body: body.to_string().into_bytes() }
}

fn told(request: &Request, listed: &[Listed], at: i64) -> Vec<Told> {
    let of = |channel: &String| match listed.iter().find(|entry| entry.channel == *channel) {
        None => {
            let view = listed.first().map_or(at, |entry| entry.view);
            Told { channel: channel.clone(), view, occupancy: 0, complete: true, named: false }
        }
        Some(entry) => {
            let mut users: Vec<&str> = entry.users.iter().map(|here| here.user.as_str()).collect();
            users.sort_unstable();
            users.dedup();
            let complete = entry.occupancy == 0 || (request.lists() && users.len() == entry.occupancy);
            let (view, occupancy) = (entry.view, entry.occupancy);
            Told { channel: channel.clone(), view, occupancy, complete, named: true }
        }
    };
    request.channels().iter().map(of).collect()
}

/// The body, and whether an entry of it is bad.
fn wire(
    request: &Request,
    listed: &[Listed],
    uuids: bool,
    fault: Option<Fault>,
    target: Option<usize>,
) -> (Value, bool) {
    let mut bad = false;
    let entries: Vec<(String, Value)> = listed
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            let wrong = fault.filter(|_| target == Some(index));
            let (value, spoiled) = entry_on_the_wire(request, entry, uuids, wrong);
            bad |= spoiled;
            (entry.channel.clone(), value)
        })
        .collect();
    if request.channels().len() == 1 {
        let mut body = entries.into_iter().next().map_or_else(|| json!({"occupancy": 0}), |(_, value)| value);
        body["status"] = json!(200);
        body["message"] = json!("OK");
        body["service"] = json!("Presence");
        return (body, bad);
    }
    let occupancy: u64 = entries.iter().map(|(_, entry)| entry["occupancy"].as_u64().unwrap()).sum();
    let wrong = fault == Some(Fault::WrongTotals);
    let body = json!({"status": 200, "message": "OK", "service": "Presence", "payload": {
        "total_channels": entries.len(),
        "total_occupancy": occupancy + u64::from(wrong),
        "channels": entries.into_iter().collect::<serde_json::Map<_, _>>(),
    }});
    (body, bad || wrong)
}

fn entry_on_the_wire(request: &Request, entry: &Listed, uuids: bool, fault: Option<Fault>) -> (Value, bool) {
    if !uuids {
        return (json!({"occupancy": entry.occupancy}), false);
    }
    let id = |here: &Here| match (request.with_state(), here.state) {
        (false, _) => json!(here.user),
        (true, 0) => json!({"uuid": here.user}),
        (true, state) => json!({"uuid": here.user, "state": {"n": state}}),
    };
    let mut list: Vec<Value> = entry.users.iter().map(id).collect();
    let mut occupancy = entry.occupancy;
    let spoiled = match fault {
        Some(Fault::NoList) if occupancy > 0 => return (json!({"occupancy": occupancy}), true),
        Some(Fault::TooMany | Fault::WrongTotals) if request.channels().len() == 1 && !list.is_empty() => {
            occupancy = list.len() - 1;
            true
        }
        Some(Fault::TooMany) if !list.is_empty() => {
            occupancy = list.len() - 1;
            true
        }
        Some(Fault::EmptyId) if !list.is_empty() => {
            list[0] = if request.with_state() { json!({"uuid": ""}) } else { json!("") };
            true
        }
        Some(Fault::NumberForId) if !list.is_empty() => {
            list[0] = json!(17);
            true
        }
        _ => false,
    };
    (json!({"occupancy": occupancy, "uuids": list}), spoiled)
}

/// The answer, spoiled as a whole if the fault does that.
fn spoiled(body: &Value, told: Vec<Told>, fault: Option<Fault>, dice: &mut Dice) -> Outcome {
    let mut answer = ok(body);
    match fault {
        Some(Fault::CutShort) => answer.body.truncate(dice.below(answer.body.len())),
        Some(Fault::Malformed) => answer.body.insert(1, b'}'),
        Some(Fault::Html) => {
            answer.body = b"<!DOCTYPE html><html><body>Sign in to the hotel</body></html>".to_vec();
        }
        Some(Fault::NotUtf8) => answer.body.insert(dice.below(answer.body.len()), 0xff),
        _ => return (Ok(answer), Ok(told)),
    }
    (Ok(answer), Err(GapReason::BadAnswer))
}

/// No answer, or an error, where that is the fault.
fn refuse(fault: Fault, channel: Option<&str>, request: &Request, dice: &mut Dice) -> Option<Outcome> {
    let error = |http_status: u16, retry_after: Option<u64>, body: Value| {
        let body = body.to_string().into_bytes();
        let answer = Answer { http_status, retry_after: retry_after.map(Duration::from_secs), body };
        Some((Ok(answer), Err(fault.reason().unwrap())))
    };
    match fault {
        Fault::Dropped => {
            let what = "connection reset".to_owned();
            Some((Err(Error::Unreachable { what }), Err(GapReason::Unreachable)))
        }
        Fault::ServerError(status) => error(status, None, json!("<html>Bad gateway</html>")),
        Fault::Throttled(after) => error(
            429,
            after,
            json!({"status": 429, "error": true, "message": "Too many requests", "service": "Balancer"}),
        ),
        Fault::Forbidden if !request.channels().is_empty() => {
            let named = channel.map_or_else(|| dice.pick(request.channels()).clone(), str::to_owned);
            error(
                403,
                None,
                json!({"status": 403, "error": true, "message": "Forbidden", "service": "Access Manager",
                    "payload": {"channels": [named]}}),
            )
        }
        Fault::Forbidden | Fault::KeyForbidden => error(
            403,
            None,
            json!({"status": 403, "error": true, "message": "Forbidden", "service": "Access Manager"}),
        ),
        _ => None,
    }
}
