//! What one answer costs from its bytes to its changes, on the daemon's own path but for the network.

use std::hash::BuildHasher as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adsum::actors::source::{HereNow, Source};
use adsum::domain::channel::Channel;
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::observation::Observation;
use adsum::domain::time::{Moment, Time};
use adsum::pubnub::{Answer, Client, ClientConfig, Error, Transport};
use anyhow::{Context as _, anyhow, bail};
use fastrand::Rng;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde::de::IgnoredAny;

use super::crowd::{channel_name, user_name};
use super::table::{Table, quantile, time};

/// Channels in one batch, and users in each.
const BATCH: usize = 50;
const USERS: usize = 20;

const LARGE: usize = 100_000;
const NAMES: usize = 1_000_000;

pub(crate) fn run() -> anyhow::Result<()> {
    let mut table = Table::new("From an answer's bytes to its changes (medians)", &["what", "bytes", "took"]);
    unchanged(&mut table)?;
    large(&mut table)?;
    table.print();
    Ok(())
}

/// How long it takes, the median of many.
fn median(times: usize, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let since = Instant::now();
        work()?;
        took.push(since.elapsed());
    }
    Ok(quantile(&mut took, 0.5))
}

/// A batch answer whose bytes are those of the one before.
fn unchanged(table: &mut Table) -> anyhow::Result<()> {
    const TIMES: usize = 2_000;
    let channels: Vec<(String, Vec<String>)> = (0..BATCH)
        .map(|channel| (channel_name(channel), (0..USERS).map(|slot| user_name(channel, slot)).collect()))
        .collect();
    let body = batch(&channels);
    let mut service = Service::new(&channels)?;
    service.take(&body, BATCH * USERS)?;
    let took = median(TIMES, || service.take(&body, 0))?;
    let copy = median(TIMES, || {
        black_box(black_box(&body).clone());
        Ok(())
    })?;
    let took = took.saturating_sub(copy);
    let hasher = hashbrown::DefaultHashBuilder::default();
    let hash = median(TIMES, || {
        black_box(hasher.hash_one(black_box(body.as_slice())));
        Ok(())
    })?;
    let (_, users) = channels.first().context("no channel")?;
    let entry = entry(users);
    // Too short for the clock: a thousand at once.
    let skip = median(TIMES, || {
        for _ in 0..1_000 {
            serde_json::from_slice::<IgnoredAny>(black_box(entry.as_bytes()))?;
        }
        Ok(())
    })? / 1_000;
    let each = took / u32::try_from(BATCH)?;
    table.row([format!("a batch of {BATCH} × {USERS}, unchanged"), body.len().to_string(), time(took)]);
    table.row(["a hash of its bytes (foldhash)".to_owned(), body.len().to_string(), time(hash)]);
    table.row(["one channel of it".to_owned(), entry.len().to_string(), time(each)]);
    table.row(["a validating skip of that (serde_json)".to_owned(), entry.len().to_string(), time(skip)]);
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
    let (to_hash, to_skip) = (ratio(took, hash), ratio(each, skip));
    table.figure(
        "an unchanged batch at most 3 times its hash",
        &format!("{to_hash:.1} times"),
        to_hash <= 3.0,
    );
    table.figure(
        "an unchanged channel at most 1.5 times a skip",
        &format!("{to_skip:.1} times"),
        to_skip <= 1.5,
    );
    Ok(())
}

/// 100,000 of 1,000,000 names, in random order, 1 % of them others than before.
fn large(table: &mut Table) -> anyhow::Result<()> {
    let mut rng = Rng::with_seed(7);
    let mut names: Vec<usize> = (0..NAMES).collect();
    rng.shuffle(&mut names);
    let user = |number: &usize| user_name(0, *number);
    // The rest of the names is in other rosters, all over the memory.
    let others = names.iter().map(user).map(|name| UserId::new(&name)).collect::<Result<Vec<_>, _>>()?;
    let before = names.get(..LARGE).context("few names")?;
    let changed = LARGE / 200;
    let mut after = names.get(changed..LARGE + changed).context("few names")?.to_vec();
    rng.shuffle(&mut after);
    let lists = [before, &after].map(|list| list.iter().map(user).collect::<Vec<_>>());
    let bodies = lists.each_ref().map(|list| format!("{{\"status\":200,{}}}", fields(list)).into_bytes());
    let [first, _] = &lists;
    let mut service = Service::new(&[(channel_name(0), first.clone())])?;
    service.take(bodies.first().context("none")?, LARGE)?;
    let mut turn = 1;
    let took = median(30, || {
        let body = bodies.get(turn % 2).context("none")?;
        turn += 1;
        service.take(body, changed * 2)
    })?;
    black_box(others.len());
    let bytes = bodies.first().map_or(0, Vec::len);
    table.row([
        format!("parse, diff and apply {LARGE} of {NAMES} names, 1 % changed"),
        bytes.to_string(),
        time(took),
    ]);
    let [diff, apply] = [&mut service.differing, &mut service.applying].map(|took| quantile(took, 0.5));
    table.row(["of that, the diff".to_owned(), String::new(), time(diff)]);
    table.row(["of that, taking the changes".to_owned(), String::new(), time(apply)]);
    let parse_and_diff = took.saturating_sub(apply);
    let met = parse_and_diff <= Duration::from_millis(6);
    table.figure("parse + diff of 100,000 names at most 6 ms", &time(parse_and_diff), met);
    Ok(())
}

fn fields(users: &[String]) -> String {
    format!("\"occupancy\":{},\"uuids\":[\"{}\"]", users.len(), users.join("\",\""))
}

fn entry(users: &[String]) -> String {
    format!("{{{}}}", fields(users))
}

fn batch(channels: &[(String, Vec<String>)]) -> Vec<u8> {
    let entries: Vec<String> =
        channels.iter().map(|(name, users)| format!("\"{name}\":{}", entry(users))).collect();
    let (count, total) = (channels.len(), channels.iter().map(|(_, users)| users.len()).sum::<usize>());
    let body = format!(
        r#"{{"status":200,"message":"OK","payload":{{"channels":{{{}}},"total_channels":{count},"total_occupancy":{total}}}}}"#,
        entries.join(",")
    );
    body.into_bytes()
}

/// Answers with the bytes it was given last.
struct Given(Arc<Mutex<Vec<u8>>>);

impl Transport for Given {
    fn get<'a>(&'a self, _: &'a str, _: u64) -> BoxFuture<'a, Result<Answer, Error>> {
        let body = std::mem::take(&mut *self.0.lock());
        async move { Ok(Answer { http_status: 200, retry_after: None, body }) }.boxed()
    }
}

/// The daemon's way from an answer to a roster.
struct Service {
    client: Client,
    given: Arc<Mutex<Vec<u8>>>,
    names: Vec<ChannelName>,
    rosters: Vec<Channel>,
    now: Time,
    /// How long it took each time to work out changes, and to take them.
    differing: Vec<Duration>,
    applying: Vec<Duration>,
}

impl Service {
    fn new(channels: &[(String, Vec<String>)]) -> anyhow::Result<Self> {
        let given = Arc::new(Mutex::new(Vec::new()));
        let config = ClientConfig::new("bench", "bench");
        let client = Client::with_transport(config, Given(Arc::clone(&given)))?;
        let names = channels.iter().map(|(name, _)| ChannelName::new(name)).collect::<Result<Vec<_>, _>>()?;
        let now = Time::from_micros(0);
        let begin = |name: &ChannelName| Channel::begin(name.clone(), Duration::from_secs(60), now);
        let rosters = names.iter().map(begin).collect();
        Ok(Self { client, given, names, rosters, now, differing: Vec::new(), applying: Vec::new() })
    }

    /// One poll, with so many events.
    fn take(&mut self, body: &[u8], events: usize) -> anyhow::Result<()> {
        *self.given.lock() = body.to_vec();
        let channels = self.names.clone();
        let request = HereNow { channels, include_state: false, include_uuids: true, page: None };
        // The answer is there at once, so there is nothing to wait for.
        let answer = Source::here_now(&self.client, request).now_or_never();
        let answer = answer.context("the answer was waited for")?.map_err(|trouble| anyhow!(trouble.what))?;
        self.now = self.now.plus(Duration::from_secs(1));
        let moment = Moment::of_request(self.now, self.now, Duration::ZERO);
        let mut found = 0;
        for (listing, channel) in answer.into_iter().zip(&mut self.rosters) {
            let seen = Observation::new(moment, listing.occupancy, listing.listed)?;
            let since = Instant::now();
            if channel.repeats(&seen).ok().context("stale")? {
                channel.confirm(&seen);
                continue;
            }
            let changes = channel.observe(&seen).ok().context("stale")?.context("no changes")?;
            self.differing.push(since.elapsed());
            found += changes.events.len();
            let since = Instant::now();
            channel.apply(&seen, &changes);
            self.applying.push(since.elapsed());
        }
        if found != events {
            bail!("{found} events where {events} happened");
        }
        Ok(())
    }
}
