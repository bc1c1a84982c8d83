//! What the recorder can write: the shipped schema with all its indexes, in commits of as many rows as one may have.

use std::time::{Duration, Instant};

use adsum::domain::time::Time;
use adsum::history::sqlite::Sqlite;
use anyhow::{Context as _, bail};

use super::daemon::{folder, history_in, rows};
use super::filling::Filling;
use super::setting;
use super::table::{Table, number, time};

const CHANNELS: usize = 2_000;

/// In a channel, about. Each change is somebody of `USERS` who comes or somebody who goes.
const PRESENT: usize = 50;

const USERS: usize = 50_000;

/// With the rows of their channels, one commit.
const CHANGES: usize = 8_000;

/// When made-up histories begin: long enough ago for all their steps.
pub(crate) fn began() -> Time {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time::from_micros(i64::try_from(now.as_micros()).unwrap_or_default())
        .minus(Duration::from_secs(7 * 86_400))
}

pub(crate) fn run() -> anyhow::Result<()> {
    let goal = setting::number("BENCH_EVENTS", 10_000_000);
    let folder = folder()?;
    let file = history_in(folder.path());
    let mut filling = Filling::new(Sqlite::open(&file)?, &[PRESENT; CHANNELS], USERS, began())?;
    let mut table = Table::new(
        format!(
            "Recorder: {} channels × {} users at random, commits of at most 10,000 rows, synchronous = FULL",
            number(CHANNELS as u64),
            number(USERS as u64)
        ),
        &[
            "events",
            "events/s in commits",
            "events/s with making them",
            "commits",
            "longest commit",
            "written per event",
        ],
    );
    let (since, written) = (Instant::now(), written()?);
    let mut next = goal.min(1_000_000);
    let (mut events_before, mut committing_before) = (0, Duration::ZERO);
    while filling.events < goal {
        filling.step(CHANGES)?;
        if filling.events < next {
            continue;
        }
        // Of the last so many: is it slower the more there are?
        let (events, took) =
            (filling.events - events_before, filling.committing.saturating_sub(committing_before));
        table.row([
            number(filling.events),
            number((events as f64 / took.as_secs_f64()) as u64),
            number((filling.events as f64 / since.elapsed().as_secs_f64()) as u64),
            number(filling.commits),
            time(filling.longest),
            format!("{} bytes", (self::written()? - written) / filling.events),
        ]);
        (events_before, committing_before) = (filling.events, filling.committing);
        next = (filling.events * 2).min(goal);
    }
    let (events, committing) = (filling.events, filling.committing);
    filling.close()?;
    let in_file = rows(&file, "events")?;
    if in_file != events {
        bail!("{events} events were recorded, the file has {in_file}");
    }
    let rate = events as f64 / committing.as_secs_f64();
    table.figure("60,000 events/s", &format!("{} events/s over all", number(rate as u64)), rate >= 60_000.0);
    let bytes = std::fs::metadata(&file)?.len() as f64 / events as f64;
    table.figure("at most 120 bytes per event in the file", &format!("{bytes:.1} bytes"), bytes <= 120.0);
    table.print();
    Ok(())
}

/// The bytes that this process had the kernel write to disks.
fn written() -> anyhow::Result<u64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).context("no write_bytes")?;
    Ok(line.trim().parse()?)
}
