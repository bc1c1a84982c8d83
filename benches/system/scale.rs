//! Very many channels, looked at now and then.

use std::time::{Duration, Instant};

use super::crowd::Crowd;
use super::daemon::{Daemon, Watch, folder};
use super::origin::Origin;
use super::table::{Table, mib, number};

pub(crate) fn hundred_thousand() -> anyhow::Result<()> {
    pace(Crowd::still(100_000, 10), Duration::from_secs(30), |table, core, resident| {
        table.figure("at most 5 % of a core", &format!("{:.1} %", core * 100.0), core <= 0.05);
        table.figure("at most 512 MiB", &mib(resident), resident <= 512 * 1024 * 1024);
    })
}

pub(crate) fn million() -> anyhow::Result<()> {
    pace(Crowd::still(1_000_000, 2), Duration::from_secs(60), |_, _, _| ())
}

/// Two intervals, after everybody was seen and another interval has passed.
fn pace(crowd: Crowd, interval: Duration, figures: impl FnOnce(&mut Table, f64, u64)) -> anyhow::Result<()> {
    let folder = folder()?;
    let origin = Origin::start(crowd)?;
    let watch = Watch {
        origin: origin.url.clone(),
        channels: crowd.channels,
        batch: 100,
        interval,
        by_pattern: crowd.channels > 100_000,
    };
    let (mut daemon, start) = Daemon::start(folder.path(), &watch)?;
    let first = Instant::now();
    daemon.wait_for_users(crowd)?;
    let first = first.elapsed();
    std::thread::sleep(interval);

    let (since, polls, cpu) = (Instant::now(), polls(&daemon)?, daemon.process.cpu()?);
    std::thread::sleep(interval * 2);
    let seconds = since.elapsed().as_secs_f64();
    let done = (self::polls(&daemon)? - polls) as f64;
    let core = daemon.process.cpu()?.saturating_sub(cpu).as_secs_f64() / seconds;
    let (resident, gaps) = (daemon.process.resident()?, daemon.api.metric("adsum_open_gaps", "")?);
    let told = daemon.api.counted("adsum_events_total")?;
    daemon.end_with(told)?;

    let title = format!(
        "{} channels of {} users, every {} s, for {seconds:.0} s",
        number(crowd.channels as u64),
        crowd.users,
        interval.as_secs()
    );
    let mut table =
        Table::new(title, &["channel-polls", "of", "core", "resident", "start", "first round", "open gaps"]);
    let due = crowd.channels as f64 * seconds / interval.as_secs_f64();
    table.row([
        number(done as u64),
        number(due as u64),
        format!("{:.2} %", core * 100.0),
        mib(resident),
        format!("{:.2} s", start.as_secs_f64()),
        format!("{:.1} s", first.as_secs_f64()),
        format!("{gaps}"),
    ]);
    table.figure("pace kept (99 %)", &format!("{:.1} %", done / due * 100.0), done / due >= 0.99);
    figures(&mut table, core, resident);
    table.print();
    Ok(())
}

fn polls(daemon: &Daemon) -> anyhow::Result<u64> {
    Ok(daemon.api.metric("adsum_channel_polls_total", "complete")? as u64)
}
