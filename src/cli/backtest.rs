//! `adsum alerts backtest`: what a rule would have done on the recorded history. Reads the history itself, asks no daemon.

mod print;
mod report;

use std::time::Duration;

use clap::Args;

use self::report::Asked;
use super::connection::ConfigFile;
use super::failure::Failure;
use super::output::Format;
use super::paging::Span;
use crate::actors::clock::wall_time;
use crate::api::times::{TIME_FORMS, parse_time};
use crate::config::Config;
use crate::domain::alert::Rule;
use crate::domain::names::ChannelName;
use crate::domain::time::Time;

/// Unless it is said, the span begins so long before its end.
const SPAN: Duration = Duration::from_hours(24);

/// Tell what a rule would have done on the recorded history, and how often during gaps
///
/// The rule is the one of that name in the configuration file, whether a daemon has it yet or not; the history is the one the
/// file names, and is only read. The record keeps less than was seen, so times are windows, and a firing that the record
/// leaves open is marked. It is taken that gaps were noticed when watch.gap_after says, and that nothing was muted. Without
/// --from and --to it is about the last day.
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

impl Backtest {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let config = self.config.load(Vec::new())?;
        let rule = self.rule(&config)?;
        let (from, to) = self.span(wall_time())?;
        let wanted = self.wanted(rule)?;
        let report = Asked { config: &config, rule, wanted: &wanted, from, to }.answer()?;
        self.format.result(&report, print::write)
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

    /// From when to when.
    fn span(&self, now: Time) -> Result<(Time, Time), Failure> {
        let read = |flag: &str, text: &String| {
            let time = parse_time(text, now);
            time.ok_or_else(|| Failure::usage(format!("{flag}: {text:?} is no time; {TIME_FORMS}")))
        };
        let to = self.span.to.as_ref().map_or(Ok(now), |text| read("--to", text))?;
        if to > now {
            return Err(Failure::usage(format!("--to ({to}) must not lie in the future")));
        }
        let from = self.span.from.as_ref().map_or(Ok(to.minus(SPAN)), |text| read("--from", text))?;
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
