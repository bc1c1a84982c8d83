//! Runs of equal observations, in order beside the events.

use rusqlite::{Row, Rows, params};

use super::audit::{Ahead, Audit, time};
use super::channels::Channel;
use super::law::Law;
use crate::domain::observation::Grade;
use crate::history::Result;
use crate::history::sqlite::codes;

/// Of channel `?1`.
pub(super) const RUNS: &str = "SELECT first_earliest, first_latest, last_earliest, last_latest, widest, occupancy, grade \
    FROM runs WHERE channel_id = ?1 ORDER BY first_latest";

/// A run, in microseconds.
#[derive(Clone, Copy)]
pub(super) struct Run {
    first: (i64, i64),
    last: (i64, i64),
    widest: i64,
    occupancy: i64,
    grade: i64,
}

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        first: (row.get(0)?, row.get(1)?),
        last: (row.get(2)?, row.get(3)?),
        widest: row.get(4)?,
        occupancy: row.get(5)?,
        grade: row.get(6)?,
    })
}

impl Run {
    fn is_complete(&self) -> bool {
        self.grade == codes::grade_code(Grade::Complete)
    }

    fn covers(&self, at: i64) -> bool {
        (self.first.1..=self.last.1).contains(&at)
    }
}

/// The runs of a channel, as far as the events are read.
pub(super) struct Runs<'s> {
    ahead: Ahead<'s, Run>,
    current: Option<Run>,
}

impl<'s> Runs<'s> {
    pub(super) fn new(rows: Rows<'s>) -> Result<Self> {
        Ok(Self { ahead: Ahead::new(rows, run)?, current: None })
    }

    /// Goes on to `at`, before which nothing happened any more since so many were there.
    pub(super) fn advance(
        &mut self,
        audit: &mut Audit<'_>,
        channel: &Channel,
        at: i64,
        there: usize,
    ) -> Result<()> {
        while let Some(run) = self.ahead.take_if(|run| run.first.1 <= at)? {
            audit.row("channels");
            audit.counts.runs += 1;
            itself(audit, channel, &run);
            if let Some(before) = &self.current {
                follows(audit, channel, before, &run)?;
            }
            self.current = Some(run);
            if run.first.1 < at {
                self.agrees(audit, channel, run.first.1, there);
            }
        }
        Ok(())
    }

    /// An event was seen at `at` among so many.
    pub(super) fn saw(&self, audit: &mut Audit<'_>, channel: &Channel, seq: i64, at: i64, occupancy: i64) {
        let seen = self.current.filter(|run| run.covers(at));
        if seen.is_some_and(|run| run.occupancy == occupancy)
            || seen.is_none() && (audit.meta.may_miss(at) || channel.is_going)
        {
            return;
        }
        audit.broken(Law::Occupancy, channel.about(), || match seen {
            Some(run) => format!("event {seq} was seen among {occupancy}, but its run has {}", run.occupancy),
            None => format!("event {seq} was seen at {}, in no run", time(at)),
        });
    }

    /// So many were there once everything that was seen at `at` had happened.
    pub(super) fn agrees(&self, audit: &mut Audit<'_>, channel: &Channel, at: i64, there: usize) {
        let complete = self.current.filter(|run| run.covers(at) && run.is_complete());
        let Some(run) = complete.filter(|_| !audit.meta.may_miss(at) && !channel.is_going) else { return };
        if i64::try_from(there) != Ok(run.occupancy) {
            audit.broken(Law::Occupancy, channel.about(), || {
                format!(
                    "at {} a complete observation saw {}, and {there} visits lasted",
                    time(at),
                    run.occupancy
                )
            });
        }
    }
}

fn itself(audit: &mut Audit<'_>, channel: &Channel, run: &Run) {
    let Run { first, last, widest, occupancy, grade } = *run;
    if codes::grade_of(grade).is_err() || u32::try_from(occupancy).is_err() {
        audit.broken(Law::Values, channel.about(), || {
            format!("the run of {} has occupancy {occupancy}, grade {grade}", time(first.1))
        });
    }
    if first.0 > first.1 || last.0 > last.1 || first.0 > last.0 || first.1 > last.1 || widest < 0 {
        audit.broken(Law::Times, channel.about(), || {
            format!("the run of {} ends before it begins", time(first.1))
        });
    }
}

/// Consecutive runs: the later is certainly later, and differs unless nothing was observed between.
fn follows(audit: &mut Audit<'_>, channel: &Channel, before: &Run, run: &Run) -> Result<()> {
    if run.first.0 < before.last.1 {
        audit.broken(Law::Runs, channel.about(), || {
            format!(
                "the run of {} begins before the one of {} is over",
                time(run.first.1),
                time(before.first.1)
            )
        });
    }
    let equal = run.occupancy == before.occupancy && run.grade == before.grade;
    if !equal || channel.is_going || audit.meta.may_miss(run.first.1) {
        return Ok(());
    }
    let gap = "SELECT EXISTS (SELECT 1 FROM gaps WHERE channel_id = ?1 AND began >= ?2 AND began < ?3 AND users_only = 0)";
    let apart: bool = audit
        .tx
        .prepare_cached(gap)?
        .query_row(params![channel.id, before.last.0, run.first.1], |row| row.get(0))?;
    if !apart {
        audit.broken(Law::Runs, channel.about(), || {
            format!("the runs of {} and {} are one", time(before.first.1), time(run.first.1))
        });
    }
    Ok(())
}
