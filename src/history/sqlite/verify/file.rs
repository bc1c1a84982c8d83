//! The file itself, names, and what the history says of itself.

use rusqlite::Row;

use super::audit::{About, Audit};
use super::law::Law;
use crate::domain::names::{ChannelName, Pattern, UserId};
use crate::history::Result;

pub(super) fn check(audit: &mut Audit<'_>) -> Result<()> {
    audit.begin("the file");
    integrity(audit)?;
    references(audit)?;
    audit.begin("names");
    names(audit, "channels", |text| ChannelName::new(text).is_ok())?;
    names(audit, "users", |text| UserId::new(text).is_ok())?;
    itself(audit);
    discoveries(audit)
}

/// What `SQLite` itself finds.
fn integrity(audit: &mut Audit<'_>) -> Result<()> {
    let mut check = audit.tx.prepare("PRAGMA integrity_check")?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let found: String = row.get(0)?;
        if found != "ok" {
            audit.broken(Law::File, About::default(), || found);
        }
    }
    Ok(())
}

/// Rows that refer to rows that are not there.
fn references(audit: &mut Audit<'_>) -> Result<()> {
    let mut check = audit.tx.prepare("PRAGMA foreign_key_check")?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let (of, to): (String, String) = (row.get(0)?, row.get(2)?);
        audit.broken(Law::File, About::default(), || format!("a row of {of} refers to none of {to}"));
    }
    Ok(())
}

fn names(audit: &mut Audit<'_>, table: &str, is_name: impl Fn(&str) -> bool) -> Result<()> {
    let mut find = audit.tx.prepare(&format!("SELECT id, name FROM {table}"))?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        audit.row("names");
        if !text(row, 1)?.is_some_and(&is_name) {
            let id: i64 = row.get(0)?;
            audit.broken(Law::Values, About::default(), || {
                format!("number {id} of {table} has no valid name")
            });
        }
    }
    Ok(())
}

/// Text, if it is UTF-8.
fn text<'r>(row: &'r Row<'_>, at: usize) -> Result<Option<&'r str>> {
    Ok(std::str::from_utf8(row.get_ref(at)?.as_bytes()?).ok())
}

fn itself(audit: &mut Audit<'_>) {
    let (last, expired) = (audit.meta.last_event, audit.meta.expired_up_to);
    if last < 0 || !(0..=last.max(0)).contains(&expired) {
        audit.broken(Law::Expired, About::default(), || {
            format!("events have expired up to id {expired}, of {last} that there were")
        });
    }
    if expired > 0 && audit.meta.kept_since.is_none() {
        audit.broken(Law::Expired, About::default(), || {
            format!("events have expired up to id {expired}, but the record says that it is whole")
        });
    }
}

fn discoveries(audit: &mut Audit<'_>) -> Result<()> {
    let mut find = audit.tx.prepare(
        "SELECT pattern, first_latest, last_latest, widest, \
         over = 0 AND EXISTS (SELECT 1 FROM discoveries WHERE pattern = d.pattern AND over = 0 \
                              AND first_latest > d.first_latest) FROM discoveries d",
    )?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        let Some(pattern) = text(row, 0)?.filter(|text| Pattern::new(text).is_ok()) else {
            audit.broken(Law::Values, About::default(), || "a discovery has no valid pattern".to_owned());
            continue;
        };
        let (first, last, widest): (i64, i64, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let what = if first > last || widest < 0 {
            "ends before it begins"
        } else if row.get(4)? {
            "goes on although a later one does"
        } else {
            continue;
        };
        let series =
            format!("the series of discoveries for {pattern:?} that begins at {}", super::audit::time(first));
        audit.broken(Law::Discoveries, About::default(), || format!("{series} {what}"));
    }
    Ok(())
}
