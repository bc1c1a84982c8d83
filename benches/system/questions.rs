//! Questions about any moment, as the history grows. The answers are known.

use std::time::{Duration, Instant};

use adsum::history::sqlite::Sqlite;
use anyhow::bail;
use fastrand::Rng;
use serde_json::Value;

use super::crowd::Crowd;
use super::daemon::{Api, Daemon, Watch, folder, history_in};
use super::filling::{Filling, Known};
use super::origin::Origin;
use super::recorder::began;
use super::setting;
use super::table::{Table, number, quantile, time};

/// 1,000 channels of 100 users, and 10 of 10,000.
const SMALL: (usize, usize) = (1_000, 100);
const LARGE: (usize, usize) = (10, 10_000);

const USERS: usize = 100_000;

/// Changes in one step of five seconds.
const CHANGES: usize = 8_000;

/// Questions of each kind.
const QUESTIONS: usize = 2_000;

struct Answered {
    events: u64,
    /// Median and 99th percentile of each kind.
    occupants: [Duration; 2],
    presence: [Duration; 2],
}

pub(crate) fn run() -> anyhow::Result<()> {
    let most = setting::number("BENCH_EVENTS", 10_000_000);
    let sizes = [100_000, 1_000_000, 10_000_000].into_iter().filter(|size| *size <= most);
    let mut answered = Vec::new();
    for events in sizes {
        answered.push(ask_at(events)?);
    }
    let columns = ["events", "occupants?at median", "p99", "presence?at median", "p99"];
    let title = format!("Questions about random moments, {QUESTIONS} of each, over HTTP");
    let mut table = Table::new(title, &columns);
    for Answered { events, occupants, presence } in &answered {
        let times = occupants.iter().chain(presence).map(|took| time(*took));
        table.row([number(*events)].into_iter().chain(times));
    }
    let (Some(first), Some(last)) = (answered.first(), answered.last()) else { bail!("nothing was asked") };
    for (what, first, last) in
        [("occupants?at", first.occupants, last.occupants), ("presence", first.presence, last.presence)]
    {
        let ([_, few], [median, many]) = (first, last);
        table.figure(&format!("{what} median under 2 ms"), &time(median), median < Duration::from_millis(2));
        table.figure(&format!("{what} p99 under 10 ms"), &time(many), many < Duration::from_millis(10));
        let flat = many <= few.mul_f64(1.5) || many < Duration::from_millis(1);
        let grown = format!("{:.2} times", many.as_secs_f64() / few.as_secs_f64());
        table.figure(
            &format!("{what} p99 at most 1.5 times that of the shortest history, or under 1 ms"),
            &grown,
            flat,
        );
    }
    table.print();
    Ok(())
}

fn ask_at(events: u64) -> anyhow::Result<Answered> {
    let folder = folder()?;
    let mut rooms = vec![SMALL.1; SMALL.0];
    rooms.extend(vec![LARGE.1; LARGE.0]);
    let mut filling = Filling::new(Sqlite::open(&history_in(folder.path()))?, &rooms, USERS, began())?;
    let changes = CHANGES.min(events as usize / 20);
    while filling.events < events {
        filling.step(changes)?;
    }
    let (events, mut known) = (filling.events, filling.close()?);
    Rng::with_seed(3).shuffle(&mut known);
    let origin = Origin::start(Crowd::still(1, 0))?;
    // The daemon watches something else; what is asked about is the past.
    let watch = Watch {
        origin: origin.url.clone(),
        channels: 0,
        batch: 100,
        interval: Duration::from_secs(5),
        by_pattern: false,
    };
    let (daemon, _) = Daemon::start(folder.path(), &watch)?;
    let occupants = ask(&daemon.api, &known, |api, known| {
        let Known { channel, at, occupancy, .. } = known;
        let answer = json(api, &format!("/v1/channels/{channel}/occupants?at={at}"))?;
        let bound = |name| answer.pointer(name).and_then(Value::as_u64);
        let (Some(min), Some(max)) = (bound("/occupancy/min"), bound("/occupancy/max")) else {
            return Ok(Some(answer));
        };
        let listed = answer.pointer("/items").and_then(Value::as_array).map_or(0, Vec::len);
        // Some may have left before the next observation, and others come.
        let right = (min..=max).contains(&(*occupancy as u64)) && listed >= (*occupancy).min(100);
        Ok((!right).then_some(answer))
    })?;
    let presence = ask(&daemon.api, &known, |api, known| {
        let Known { channel, at, user, .. } = known;
        let answer = json(api, &format!("/v1/presence?channel={channel}&user={user}&at={at}"))?;
        let right = answer.pointer("/present").and_then(Value::as_str) == Some("yes");
        Ok((!right).then_some(answer))
    })?;
    Ok(Answered { events, occupants, presence })
}

fn json(api: &Api, path: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&api.get(path)?)?)
}

/// Asks one after the other. A question gives its answer if that is wrong.
fn ask(
    api: &Api,
    known: &[Known],
    question: impl Fn(&Api, &Known) -> anyhow::Result<Option<Value>>,
) -> anyhow::Result<[Duration; 2]> {
    let mut times = Vec::with_capacity(QUESTIONS);
    for known in known.iter().cycle().take(QUESTIONS) {
        let since = Instant::now();
        let wrong = question(api, known)?;
        times.push(since.elapsed());
        if let Some(answer) = wrong {
            let Known { channel, at, occupancy, user } = known;
            bail!(
                "a wrong answer about {channel} at {at}, when {user} and {occupancy} in all were there: {answer}"
            );
        }
    }
    Ok([quantile(&mut times, 0.5), quantile(&mut times, 0.99)])
}
