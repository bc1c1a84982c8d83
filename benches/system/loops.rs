//! What the two loops written in Rust share: batches, each asked for again and again at its own time of the second.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::crowd::channel_name;
use super::process::{Process, lines_of_stdin};

/// What a loop counts.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) requests: AtomicU64,
    pub(crate) polls: AtomicU64,
    pub(crate) events: AtomicU64,
}

/// What it had counted at some moment, and its processor time by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) polls: u64,
    pub(crate) events: u64,
    pub(crate) cpu: Duration,
    pub(crate) at: std::time::Instant,
}

impl Taken {
    pub(crate) fn of(process: &mut Process) -> anyhow::Result<Self> {
        let line = process.ask("")?;
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [_, polls, events] = numbers[..] else { anyhow::bail!("{} counted {line:?}", process.name) };
        Ok(Self { polls, events, cpu: process.cpu()?, at: std::time::Instant::now() })
    }
}

/// What a loop is to do.
pub(crate) struct Job {
    origin: String,
    channels: usize,
    batch: usize,
    pub(crate) file: String,
}

impl Job {
    pub(crate) fn read(words: &[String]) -> anyhow::Result<Self> {
        let [origin, channels, batch, file] = words else { anyhow::bail!("not four words: {words:?}") };
        let (channels, batch) = (channels.parse()?, batch.parse()?);
        Ok(Self { origin: origin.clone(), channels, batch, file: file.clone() })
    }

    /// The address for each batch.
    fn addresses(&self, key: &str) -> Vec<String> {
        let names: Vec<String> = (0..self.channels).map(channel_name).collect();
        let address = |names: &[String]| {
            format!("{}/v2/presence/sub-key/{key}/channel/{}?uuid=bench", self.origin, names.join(","))
        };
        names.chunks(self.batch.max(1)).map(address).collect()
    }
}

/// The HTTP client that adsum uses, set up as adsum sets it up.
fn client() -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .user_agent("bench")
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .tls_certs_only([]);
    Ok(client.build()?)
}

/// Asks for every batch once a second, for ever, and gives each answer to `take`. A line on stdin is answered with what is
/// counted.
pub(crate) fn poll<F, D>(job: &Job, key: &str, counts: &Arc<Counts>, take: F) -> anyhow::Result<()>
where
    F: Fn(reqwest::Response, Arc<Counts>) -> D + 'static,
    D: Future<Output = anyhow::Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let client = client()?;
        let addresses = job.addresses(key);
        let (take, count, start) = (Rc::new(take), addresses.len(), Instant::now());
        for (number, address) in addresses.into_iter().enumerate() {
            let (client, take, counts) = (client.clone(), Rc::clone(&take), Arc::clone(counts));
            let first = start + Duration::from_secs_f64(number as f64 / count as f64);
            let channels = job.batch.min(job.channels - number * job.batch) as u64;
            tokio::task::spawn_local(async move {
                let mut ticks = interval_at(first, Duration::from_secs(1));
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    ticks.tick().await;
                    let answer = client.get(&address).send().await.context("no answer");
                    let taken = async { take(answer?.error_for_status()?, Arc::clone(&counts)).await };
                    if let Err(error) = taken.await {
                        eprintln!("a loop's request failed: {error:#}");
                        std::process::exit(1);
                    }
                    counts.requests.fetch_add(1, Ordering::Relaxed);
                    counts.polls.fetch_add(channels, Ordering::Relaxed);
                }
            });
        }
        let mut lines = lines_of_stdin();
        while lines.recv().await.is_some() {
            let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
            println!("{} {} {}", read(&counts.requests), read(&counts.polls), read(&counts.events));
        }
        Ok(())
    })
}
