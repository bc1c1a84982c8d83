//! `adsum alerts backtest`: what a rule would have done on the recorded history. Reads the history itself, asks no daemon.

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::connection::ConfigFile;
use super::failure::Failure;
use super::output::{Format, Page};
use super::paging::Span;
use super::show::{Kind, cell, sentence};
use super::table::{Cell, Table};
use super::terminal::Tone;
use crate::actors::clock::wall_time;
use crate::api::times::{TIME_FORMS, parse_time};
use crate::config::Config;
use crate::domain::alert::backtest::{
    Count, Doubt, Downtime, Edge, Ended, Lasting, Outcome, PROMPT, Question, Spell,
};
use crate::domain::alert::{Condition, OnGap, Rule};
use crate::domain::names::ChannelName;
use crate::domain::time::{Time, Window};
use crate::history::backtest::{downtime, for_each_channel, of_channel};
use crate::history::sqlite::ReadOnly;

/// The most firings of all channels that are listed; the rest is counted.
const MAX_LISTED: usize = 10_000;

/// The most channels whose figures are listed; the sum is of all.
const MAX_CHANNELS: usize = 10_000;

/// Tell what a rule would have done on the recorded history, and how often during gaps
///
/// The rule is the one of that name in the configuration file, whether a daemon has it yet or not; the history is the one the
/// file names, and is only read. The record keeps less than was seen, so times are windows, and a firing that the record
/// leaves open is marked. It is taken that gaps were noticed when watch.gap_after says, and that nothing was muted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum alerts backtest crowded --config adsum.toml --from -7d
  adsum alerts backtest agent-gone --from 2026-11-23T00:00:00Z --to 2026-11-24T00:00:00Z --channel lobby --json")]
pub(super) struct Backtest {
    /// The rule, by its name in the configuration
    rule: String,
    /// Only in this channel; may be given more than once
    #[arg(long = "channel", value_name = "CHANNEL")]
    channels: Vec<String>,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    format: Format,
}

/// What is printed.
#[derive(Serialize)]
struct Report {
    rule: String,
    condition: Condition,
    from: Time,
    to: Time,
    /// What is taken for granted.
    assumed: Value,
    firings: Vec<Listed>,
    /// Firings that are not listed.
    more: usize,
    channels: Vec<Figures>,
    total: Figures,
}

/// A firing and where.
#[derive(Serialize)]
struct Listed {
    channel: ChannelName,
    #[serde(flatten)]
    spell: Spell,
    lasted_s: Lasting,
}

/// The figures of one channel, or of all.
#[derive(Serialize)]
struct Figures {
    /// `None`: of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelName>,
    pending: Count,
    fired: Count,
    resolved: Count,
    repeated: Count,
    notifications: Count,
    began_in_gap: Count,
    ended_in_gap: Count,
    firing_s: Lasting,
    longest_s: Lasting,
    coverage: f64,
    known_until: Option<Time>,
}

impl Figures {
    fn of(channel: Option<ChannelName>, outcome: &Outcome) -> Self {
        Self {
            channel,
            pending: outcome.pending,
            fired: outcome.fired,
            resolved: outcome.resolved,
            repeated: outcome.repeated,
            notifications: outcome.notifications,
            began_in_gap: outcome.began_in_gap,
            ended_in_gap: outcome.ended_in_gap,
            firing_s: outcome.firing,
            longest_s: outcome.longest,
            coverage: outcome.coverage.share(),
            known_until: outcome.known_until,
        }
    }
}

impl Backtest {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let config = self.config.load(Vec::new())?;
        let rule = self.rule(&config)?;
        let (from, to) = self.span(wall_time())?;
        let wanted = self.wanted(rule)?;
        let report = report(&config, rule, &wanted, (from, to))?;
        self.format.result(&report, write)
    }

    fn rule<'a>(&self, config: &'a Config) -> Result<&'a Rule, Failure> {
        let rules = &config.alerting.rules;
        let found = rules.iter().find(|rule| rule.name.as_str() == self.rule);
        found.ok_or_else(|| {
            let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
            let there = match names.as_slice() {
                [] => "it has no [[alert]]; name a file with --config".to_owned(),
                names => format!("its rules: {}", names.join(", ")),
            };
            Failure::usage(format!("the configuration has no rule {:?}; {there}", self.rule))
        })
    }

    /// A day back from its end, unless it is said.
    fn span(&self, now: Time) -> Result<(Time, Time), Failure> {
        let read = |flag: &str, text: &String| {
            let time = parse_time(text, now);
            time.ok_or_else(|| Failure::usage(format!("{flag}: {text:?} is no time; {TIME_FORMS}")))
        };
        let to = self.span.to.as_ref().map_or(Ok(now), |text| read("--to", text))?;
        if to > now {
            return Err(Failure::usage(format!("--to ({to}) must not lie in the future")));
        }
        let day_before = to.minus(std::time::Duration::from_hours(24));
        let from = self.span.from.as_ref().map_or(Ok(day_before), |text| read("--from", text))?;
        if from >= to {
            return Err(Failure::usage(format!("--from ({from}) must be before --to ({to})")));
        }
        Ok((from, to))
    }

    /// The channels asked about; none: all that the rule names.
    fn wanted(&self, rule: &Rule) -> Result<Vec<ChannelName>, Failure> {
        let read = |text: &String| {
            let name = ChannelName::new(text)
                .map_err(|error| Failure::usage(format!("--channel: {text:?} {error}")))?;
            if rule.names(&name) {
                return Ok(name);
            }
            Err(Failure::usage(format!("--channel: the rule {:?} is not for {text:?}", self.rule)))
        };
        self.channels.iter().map(read).collect()
    }
}

fn report(
    config: &Config,
    rule: &Rule,
    wanted: &[ChannelName],
    (from, to): (Time, Time),
) -> Result<Report, Failure> {
    let history = |error| Failure::Failed(anyhow::Error::new(error));
    let path = &config.history.path;
    let mut file = ReadOnly::open(path).map_err(|error| history(error))?;
    let begins = Question {
        rule,
        from,
        to,
        opens_after: config.watch.policies.default.gap_after,
        downtime: &Downtime::none(),
    }
    .begins();
    let mut names = Vec::new();
    let mut down = Downtime::none();
    {
        let view = file.view().map_err(|error| history(error))?;
        let meant = |name: &ChannelName| rule.names(name) && (wanted.is_empty() || wanted.contains(name));
        for_each_channel(&view, |name| {
            names.extend(Some(name).filter(&meant));
            Ok(true)
        })
        .map_err(|error| history(error))?;
        if minds_downtime(rule) && !names.is_empty() {
            down = downtime(&view, begins, to).map_err(|error| history(error))?;
        }
    }
    if let Some(missing) = wanted.iter().find(|name| !names.contains(name)) {
        return Err(Failure::failed(format!(
            "channel {:?} is in no record: {} has nothing of it",
            missing.as_str(),
            path.display()
        )));
    }
    if names.is_empty() {
        let targets: Vec<&str> = rule.channels.iter().map(crate::domain::watch::Target::as_str).collect();
        return Err(Failure::failed(format!(
            "no channel of the rule {} ({}) is in the record {}",
            rule.name,
            targets.join(", "),
            path.display()
        )));
    }
    let assumed = json!({
        "gap_after_s": gap_afters(config, &names),
        "prompt_s": PROMPT.as_secs_f64(),
    });
    let mut report = Report {
        rule: rule.name.to_string(),
        condition: rule.condition.clone(),
        from,
        to,
        assumed,
        firings: Vec::new(),
        more: 0,
        channels: Vec::new(),
        total: Figures::of(None, &Outcome::default()),
    };
    let mut total = Outcome::default();
    for name in names {
        let opens_after = config.watch.policies.of(&name).gap_after;
        let question = Question { rule, from, to, opens_after, downtime: &down };
        let view = file.view().map_err(|error| history(error))?;
        // It may have expired meanwhile.
        let found = of_channel(&view, &question, &name, &mut |_| ()).map_err(|error| history(error))?;
        let Some(mut outcome) = found else { continue };
        total.add(&outcome);
        report.more += outcome.more;
        for spell in std::mem::take(&mut outcome.spells) {
            if report.firings.len() < MAX_LISTED {
                let lasted_s = spell.lasted;
                report.firings.push(Listed { channel: name.clone(), spell, lasted_s });
            } else {
                report.more += 1;
            }
        }
        if report.channels.len() < MAX_CHANNELS {
            report.channels.push(Figures::of(Some(name), &outcome));
        }
    }
    report.total = Figures::of(None, &total);
    Ok(report)
}

/// Whether it matters to the rule if adsum was down while nothing was observed.
fn minds_downtime(rule: &Rule) -> bool {
    let by_gap = rule.on_gap == OnGap::Fire || rule.condition == Condition::Unobserved;
    by_gap || rule.repeat_every.is_some()
}

/// After how long gaps open in these channels: the shortest and the longest, in seconds.
fn gap_afters(config: &Config, names: &[ChannelName]) -> Value {
    let all = names.iter().map(|name| config.watch.policies.of(name).gap_after);
    let (min, max) = (all.clone().min().unwrap_or_default(), all.max().unwrap_or_default());
    json!({"min": min.as_secs_f64(), "max": max.as_secs_f64()})
}

fn write(report: &Report, page: &mut Page) {
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
        report.channels.len(),
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
    page.line(&format!("observed: {}", sentence(&json!(total.coverage), Kind::Share)));
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
