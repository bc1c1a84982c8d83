//! How the report is printed.

use serde_json::json;

use super::report::{Listed, Report};
use crate::cli::output::Page;
use crate::cli::show::{Kind, cell, sentence};
use crate::cli::table::{Cell, Table};
use crate::cli::terminal::Tone;
use crate::domain::alert::backtest::{Count, Doubt, Edge, Ended, Lasting, Spell};
use crate::domain::time::Window;

/// For a person.
pub(super) fn write(report: &Report, page: &mut Page) {
    if report.firings.is_empty() {
        page.line("It would not have fired.");
    } else {
        let headings = ["CHANNEL", "FIRED (UTC)", "ENDED (UTC)", "LASTED", "WHY", "CERTAIN"];
        let mut table = Table::new(&headings);
        for listed in &report.firings {
            table.row(row(listed));
        }
        page.add(&table);
    }
    if report.more > 0 {
        page.line(&format!("And {} more: ask about a shorter span.", report.more));
    }
    let total = &report.total;
    let range = |value: Lasting| sentence(&json!(value), Kind::Seconds);
    page.line(&format!(
        "channels: {}; pending: {}; fired: {}; resolved: {}; notifications: {}",
        report.tried,
        count(total.pending),
        count(total.fired),
        count(total.resolved),
        count(total.notifications)
    ));
    page.line(&format!("firing for: {}; longest: {}", range(total.firing_s), range(total.longest_s)));
    page.line(&format!(
        "began in or because of a gap: {}; ended so: {}",
        count(total.began_in_gap),
        count(total.ended_in_gap)
    ));
    page.line(&format!("observed: {}", sentence(&json!(total.observed), Kind::Share)));
}

fn row(listed: &Listed) -> Vec<Cell> {
    let Listed { channel, spell, lasted_s } = listed;
    let ended = match &spell.ended {
        None => Cell::new(Tone::Doubt, "lasts"),
        Some(ended) => when(ended.at),
    };
    vec![
        Cell::plain(channel.as_str()),
        when(spell.fired),
        ended,
        cell(&json!(lasted_s), Kind::Seconds),
        Cell::plain(&why(spell)),
        certainty(spell),
    ]
}

/// A time, or the window that holds it.
fn when(window: Window) -> Cell {
    match window.not_before {
        Some(from) if from == window.not_after => cell(&json!(from), Kind::Time),
        _ => cell(&json!(window), Kind::Window),
    }
}

/// How it began, if a gap has to do with it, and why it ended.
fn why(spell: &Spell) -> String {
    let edge = |edge| match edge {
        Edge::Observed => None,
        Edge::AfterGap => Some("after a gap"),
        Edge::Gap => Some("for a gap"),
    };
    let began = edge(spell.began).map(|edge| format!("fired {edge}"));
    let ended = spell.ended.as_ref().map(|Ended { why, edge: at, .. }| {
        let why: Vec<&str> = why.iter().map(|why| why.as_str()).collect();
        let why = why.join(" or ");
        if *at == Edge::AfterGap { format!("{why} after a gap") } else { why }
    });
    let parts: Vec<String> = began.into_iter().chain(ended).collect();
    parts.join(", ")
}

fn certainty(spell: &Spell) -> Cell {
    let doubts: Vec<&str> = spell.doubts.iter().map(|doubt| reason(*doubt)).collect();
    match (spell.certain, doubts.as_slice()) {
        (true, _) => Cell::new(Tone::Good, "yes"),
        (false, doubts) => Cell::new(Tone::Doubt, &format!("no: {}", doubts.join(", "))),
    }
}

fn reason(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Downtime => "adsum may have been down",
        Doubt::CutLists => "lists were cut",
        Doubt::Order => "too close to call",
    }
}

fn count(count: Count) -> String {
    match count.max {
        Some(max) if max == count.min => max.to_string(),
        Some(max) => format!("{} … {max}", count.min),
        None => format!("at least {}", count.min),
    }
}
