//! Gaps: in order, labelled, with nothing observed in them.

use rusqlite::{OptionalExtension as _, Row, params};

use super::audit::{Audit, time};
use super::channels::Channel;
use super::law::Law;
use crate::domain::gap::GapReason;
use crate::domain::observation::Grade;
use crate::history::Result;
use crate::history::sqlite::codes;

/// Of channel `?1`, each kind in the order in which they ended. (One that begins with an observation may begin before the one that
/// it ended did: so long ago it may have been true.)
const GAPS: &str = "SELECT began, users_only, ended, reason FROM gaps WHERE channel_id = ?1 \
    ORDER BY users_only, ended IS NULL, ended, began";

/// The last run before `?2`; where `?3` is set the last complete one.
const BEFORE: &str = "SELECT last_earliest FROM runs WHERE channel_id = ?1 AND first_latest < ?2 \
    AND (?3 IS NULL OR grade = ?3) ORDER BY first_latest DESC LIMIT 1";

/// The run that begins at `?2`.
const BEGINNING: &str = "SELECT first_earliest, grade FROM runs WHERE channel_id = ?1 AND first_latest = ?2";

/// Two gaps that follow each other without an observation between share so much.
const SHARED: i64 = 1;

struct Gap {
    began: i64,
    users_only: bool,
    ended: Option<i64>,
    reason: i64,
}

fn gap(row: &Row<'_>) -> rusqlite::Result<Gap> {
    Ok(Gap {
        began: row.get(0)?,
        users_only: row.get::<_, i64>(1)? != 0,
        ended: row.get(2)?,
        reason: row.get(3)?,
    })
}

impl Gap {
    fn kind(&self) -> &'static str {
        if self.users_only { "partial gap" } else { "gap" }
    }
}

pub(super) fn check(audit: &mut Audit<'_>, channel: &Channel) -> Result<()> {
    let mut find = audit.tx.prepare_cached(GAPS)?;
    let mut rows = find.query([channel.id])?;
    let mut last: [Option<Gap>; 2] = [None, None];
    while let Some(row) = rows.next()? {
        audit.row("channels");
        audit.counts.gaps += 1;
        let gap = gap(row)?;
        itself(audit, channel, &gap);
        let [full, partial] = &mut last;
        let before = if gap.users_only { partial } else { full };
        if !channel.is_going {
            ends(audit, channel, before.as_ref(), Some(&gap))?;
            is_blind(audit, channel, before.as_ref(), &gap)?;
        }
        *before = Some(gap);
    }
    for gap in last.iter().flatten().filter(|_| !channel.is_going) {
        ends(audit, channel, Some(gap), None)?;
    }
    Ok(())
}

fn itself(audit: &mut Audit<'_>, channel: &Channel, gap: &Gap) {
    if gap.ended.is_some_and(|ended| ended < gap.began) {
        audit.broken(Law::Times, channel.about(), || {
            format!("the {} of {} ends before it begins", gap.kind(), time(gap.began))
        });
    }
    let partial =
        matches!(codes::reason_of(gap.reason).ok(), Some(GapReason::Truncated | GapReason::CountOnly));
    if codes::reason_of(gap.reason).is_err() || partial != gap.users_only {
        audit.broken(Law::Gaps, channel.about(), || {
            format!("the {} of {} has no reason of its kind, but {}", gap.kind(), time(gap.began), gap.reason)
        });
    }
}

/// A gap ends with the observation that ends it, which is certainly not after the next gap's beginning, or where the next
/// one follows it.
fn ends(audit: &mut Audit<'_>, channel: &Channel, before: Option<&Gap>, next: Option<&Gap>) -> Result<()> {
    let Some(gap) = before else { return Ok(()) };
    let Some(ended) = gap.ended else {
        if let Some(next) = next {
            audit.broken(Law::Gaps, channel.about(), || {
                format!(
                    "the {} of {} lasts, and another begins at {}",
                    gap.kind(),
                    time(gap.began),
                    time(next.began)
                )
            });
        }
        return Ok(());
    };
    if next.is_some_and(|next| !gap.users_only && next.began == ended - SHARED) {
        return Ok(());
    }
    let complete = codes::grade_code(Grade::Complete);
    let mut find = audit.tx.prepare_cached(BEGINNING)?;
    let run: Option<(i64, i64)> =
        find.query_row(params![channel.id, ended], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let run = run.filter(|(_, grade)| !gap.users_only || *grade == complete);
    if run.is_none() && !audit.meta.may_miss(ended) {
        audit.broken(Law::Gaps, channel.about(), || {
            format!("the {} of {} ends at {}, where no run begins", gap.kind(), time(gap.began), time(ended))
        });
    }
    let earliest = run.map_or(ended, |(earliest, _)| earliest);
    if let Some(next) =
        next.filter(|next| next.began < earliest && !(run.is_none() && audit.meta.may_miss(ended)))
    {
        audit.broken(Law::Gaps, channel.about(), || {
            format!(
                "the {} of {} begins before the one of {} is over at {}",
                next.kind(),
                time(next.began),
                time(gap.began),
                time(ended)
            )
        });
    }
    Ok(())
}

/// Nothing was observed in it: the last run before its end ends where it begins, or earlier where it follows another gap.
fn is_blind(audit: &mut Audit<'_>, channel: &Channel, before: Option<&Gap>, gap: &Gap) -> Result<()> {
    let complete = gap.users_only.then(|| codes::grade_code(Grade::Complete));
    let until = gap.ended.unwrap_or(i64::MAX);
    let mut find = audit.tx.prepare_cached(BEFORE)?;
    let seen: Option<i64> =
        find.query_row(params![channel.id, until, complete], |row| row.get(0)).optional()?;
    let Some(seen) = seen else { return Ok(()) };
    if seen > gap.began {
        audit.broken(Law::Gaps, channel.about(), || {
            format!("the {} of {} holds an observation of {}", gap.kind(), time(gap.began), time(seen))
        });
    }
    let follows = before.and_then(|before| before.ended).is_some_and(|ended| gap.began == ended - SHARED);
    if seen < gap.began && !gap.users_only && !follows {
        audit.broken(Law::Gaps, channel.about(), || {
            format!(
                "the {} of {} begins after the last observation, of {}",
                gap.kind(),
                time(gap.began),
                time(seen)
            )
        });
    }
    Ok(())
}
