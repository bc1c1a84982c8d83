//! Whole-system benchmarks: the real `adsum` against a lean origin, each part in a process of its own.
//!
//! `make bench`, or `cargo bench --bench system -- PART…` with the parts of [`PARTS`]. Each part prints one table and
//! checks that the polls, events and rows it timed were there; one that cannot start a process says which and stops.
#![allow(missing_docs, clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
// Real time is what is measured.
#![allow(clippy::disallowed_methods)]

mod crowd;
mod daemon;
mod discard;
mod filling;
mod idle;
mod loops;
mod micro;
mod origin;
mod plain;
mod polls;
mod process;
mod questions;
mod recorder;
mod scale;
mod setting;
mod stream;
mod table;

use std::process::ExitCode;

use anyhow::bail;

type Part = (&'static str, fn() -> anyhow::Result<()>);

/// What can be asked for; without arguments, all but `million`.
const PARTS: [Part; 9] = [
    ("micro", micro::run),
    ("still", polls::still),
    ("moving", polls::moving),
    ("idle", idle::run),
    ("scale", scale::hundred_thousand),
    ("stream", stream::run),
    ("recorder", recorder::run),
    ("questions", questions::run),
    ("million", scale::million),
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    // Cargo itself adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some(("role", rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return role(rest);
    }
    if let Some(unknown) = words.iter().find(|word| PARTS.iter().all(|(name, _)| name != word)) {
        let known = PARTS.map(|(name, _)| name).join(", ");
        bail!("there is no part {unknown:?}; there are: {known}");
    }
    for (name, part) in PARTS {
        let wanted = if words.is_empty() { name != "million" } else { words.iter().any(|word| word == name) };
        if wanted {
            part().map_err(|error| error.context(format!("part {name} stopped; it has no figures")))?;
        }
    }
    Ok(())
}

/// What this program does as a part of a benchmark, in a process of its own.
fn role(words: &[String]) -> anyhow::Result<()> {
    match words.split_first().map(|(role, rest)| (role.as_str(), rest)) {
        Some(("origin", rest)) => origin::serve(rest),
        Some(("discard", rest)) => discard::run(rest),
        Some(("plain", rest)) => plain::run(rest),
        _ => bail!("no such role: {words:?}"),
    }
}
