//! Silences.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::codes::{self, damaged};
use crate::domain::alert::{Matcher, RuleName, Silence};
use crate::domain::time::Time;
use crate::domain::watch::Target;
use crate::history::Result;
use crate::history::alerts::{KeptSilence, MAX_SILENCES, SilenceId};

const COLUMNS: &str = "id, created, rule, channel, severity, begins, ends, author, reason";

/// See [`crate::history::alerts::AlertHistory::silences`].
pub(super) fn silences(tx: &Transaction<'_>, over: Option<Time>) -> Result<Vec<KeptSilence>> {
    let mut list = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM silences WHERE ?1 IS NULL OR ends > ?1 ORDER BY id"
    ))?;
    let mut rows = list.query([over])?;
    let mut silences = Vec::new();
    while let Some(row) = rows.next()? {
        silences.push(silence(row)?);
    }
    Ok(silences)
}

/// See [`crate::history::alerts::AlertHistory::add_silence`].
pub(super) fn add(tx: &Transaction<'_>, silence: &Silence, created: Time) -> Result<Option<KeptSilence>> {
    let kept: i64 = tx.query_row("SELECT count(*) FROM silences", [], |row| row.get(0))?;
    if usize::try_from(kept).is_ok_and(|kept| kept >= MAX_SILENCES) {
        return Ok(None);
    }
    let matcher = silence.matcher();
    let sql = "INSERT INTO silences (created, rule, channel, severity, begins, ends, author, reason) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let id = tx.prepare_cached(sql)?.insert(params![
        created,
        matcher.rule.as_ref().map(RuleName::as_str),
        matcher.channel.as_ref().map(Target::as_str),
        matcher.severity.map(codes::severity_code),
        silence.from(),
        silence.until(),
        silence.author(),
        silence.reason(),
    ])?;
    Ok(Some(KeptSilence { id, created, silence: silence.clone() }))
}

/// See [`crate::history::alerts::AlertHistory::end_silence`].
pub(super) fn end(tx: &Transaction<'_>, id: SilenceId, at: Time) -> Result<bool> {
    let mut find = tx.prepare_cached("SELECT begins FROM silences WHERE id = ?1 AND ends > ?2")?;
    let Some(begins) = find.query_row(params![id, at], |row| row.get::<_, Time>(0)).optional()? else {
        return Ok(false);
    };
    if begins < at {
        tx.prepare_cached("UPDATE silences SET ends = ?2 WHERE id = ?1")?.execute(params![id, at])?;
    } else {
        tx.prepare_cached("DELETE FROM silences WHERE id = ?1")?.execute([id])?;
    }
    Ok(true)
}

fn silence(row: &Row<'_>) -> Result<KeptSilence> {
    let rule: Option<String> = row.get(2)?;
    let rule = rule.map(|_| codes::rule(row, 2)).transpose()?;
    let channel: Option<String> = row.get(3)?;
    let channel = channel.map(|text| Target::new(&text)).transpose();
    let channel = channel.map_err(|error| damaged("the channel of a silence", error))?;
    let matcher = Matcher { rule, channel, severity: codes::some_severity(row, 4)? };
    let (author, reason): (String, String) = (row.get(7)?, row.get(8)?);
    let silence = Silence::new(matcher, row.get(5)?, row.get(6)?, &author, &reason);
    Ok(KeptSilence {
        id: row.get(0)?,
        created: row.get(1)?,
        silence: silence.map_err(|error| damaged("a silence", error))?,
    })
}
