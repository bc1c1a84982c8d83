//! What is found in the record.

use std::path::Path;

use serde::Serialize;

use crate::cli::failure::Failure;
use crate::config::Config;
use crate::domain::alert::backtest::{Count, Downtime, Lasting, Outcome, PROMPT, Question, Spell};
use crate::domain::alert::{Condition, OnGap, Rule};
use crate::domain::names::ChannelName;
use crate::domain::time::Time;
use crate::domain::watch::Target;
use crate::history::HistoryError;
use crate::history::backtest::{downtime, for_each_channel, of_channel};
use crate::history::sqlite::{ReadOnly, View};

/// The most firings of all channels that are listed; the rest is counted.
const MAX_LISTED: usize = 10_000;

/// The most channels whose figures are listed; the sum is of all.
const MAX_CHANNELS: usize = 10_000;

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) config: &'a Config,
    pub(super) rule: &'a Rule,
    /// Only these channels; none: all that the rule names.
    pub(super) wanted: &'a [ChannelName],
    pub(super) from: Time,
    pub(super) to: Time,
}

/// What is printed.
#[derive(Serialize)]
pub(super) struct Report {
    rule: String,
    condition: Condition,
    from: Time,
    to: Time,
    assumed: Assumed,
    /// The firings of all channels, [`MAX_LISTED`] at most.
    pub(super) firings: Vec<Listed>,
    /// Firings that are not listed.
    pub(super) more: usize,
    /// The channels in which the rule was tried.
    pub(super) tried: usize,
    /// Their figures, of [`MAX_CHANNELS`] at most.
    channels: Vec<Figures>,
    pub(super) total: Figures,
}

/// What is taken for granted.
#[derive(Serialize)]
struct Assumed {
    /// After how long gaps were noticed, in the channel with the shortest and in the one with the longest.
    gap_after_s: Lasting,
    /// Within how long what was due by the clock was looked at.
    prompt_s: f64,
}

/// A firing and where.
#[derive(Serialize)]
pub(super) struct Listed {
    pub(super) channel: ChannelName,
    #[serde(flatten)]
    pub(super) spell: Spell,
    pub(super) lasted_s: Lasting,
}

/// The figures of one channel, or of all.
#[derive(Serialize)]
pub(super) struct Figures {
    /// `None`: of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelName>,
    pub(super) pending: Count,
    pub(super) fired: Count,
    pub(super) resolved: Count,
    pub(super) repeated: Count,
    pub(super) notifications: Count,
    pub(super) began_in_gap: Count,
    pub(super) ended_in_gap: Count,
    pub(super) firing_s: Lasting,
    pub(super) longest_s: Lasting,
    /// The share of the span that was observed.
    pub(super) observed: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
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
            observed: outcome.coverage.share(),
            known_until: outcome.known_until,
        }
    }
}

impl Asked<'_> {
    /// Tries the rule on the record.
    ///
    /// # Errors
    ///
    /// The history cannot be read, or has none of the channels.
    pub(super) fn answer(&self) -> Result<Report, Failure> {
        let path = &self.config.history.path;
        let failed = |error| failure(error, path);
        let mut file = ReadOnly::open(path).map_err(failed)?;
        let names = self.channels(&file.view().map_err(failed)?).map_err(failed)?;
        self.must_be_recorded(&names)?;
        let none = Downtime::none();
        let question = self.question(&none);
        let downtime = if minds_downtime(self.rule) {
            downtime(&file.view().map_err(failed)?, question.begins(), self.to).map_err(failed)?
        } else {
            none.clone()
        };
        let mut report = self.empty(&names);
        let mut total = Outcome::default();
        for name in names {
            let opens_after = self.config.watch.policies.of(&name).gap_after;
            let question = Question { opens_after, downtime: &downtime, ..question };
            let view = file.view().map_err(failed)?;
            // It may have been forgotten meanwhile.
            if let Some(outcome) = of_channel(&view, &question, &name, &mut |_| ()).map_err(failed)? {
                total.add(&outcome);
                report.add(name, outcome);
            }
        }
        report.total = Figures::of(None, &total);
        Ok(report)
    }

    fn question<'b>(&'b self, downtime: &'b Downtime) -> Question<'b> {
        let opens_after = self.config.watch.policies.default.gap_after;
        Question { rule: self.rule, from: self.from, to: self.to, opens_after, downtime }
    }

    /// The recorded channels that are meant.
    fn channels(&self, view: &View<'_>) -> Result<Vec<ChannelName>, HistoryError> {
        let mut names = Vec::new();
        let meant = |name: &ChannelName| {
            self.rule.names(name) && (self.wanted.is_empty() || self.wanted.contains(name))
        };
        for_each_channel(view, |name| {
            names.extend(Some(name).filter(meant));
            Ok(true)
        })?;
        Ok(names)
    }

    fn must_be_recorded(&self, names: &[ChannelName]) -> Result<(), Failure> {
        let path = self.config.history.path.display();
        if let Some(missing) = self.wanted.iter().find(|name| !names.contains(name)) {
            let missing = missing.as_str();
            return Err(Failure::failed(format!(
                "channel {missing:?} is in no record: {path} has nothing of it"
            )));
        }
        if names.is_empty() {
            let targets: Vec<&str> = self.rule.channels.iter().map(Target::as_str).collect();
            let (rule, targets) = (&self.rule.name, targets.join(", "));
            return Err(Failure::failed(format!(
                "no channel of the rule {rule} ({targets}) is in the record {path}"
            )));
        }
        Ok(())
    }

    fn empty(&self, names: &[ChannelName]) -> Report {
        let gap_after = names.iter().map(|name| self.config.watch.policies.of(name).gap_after);
        let (min, max) = (gap_after.clone().min().unwrap_or_default(), gap_after.max().unwrap_or_default());
        Report {
            rule: self.rule.name.to_string(),
            condition: self.rule.condition.clone(),
            from: self.from,
            to: self.to,
            assumed: Assumed { gap_after_s: Lasting { min, max }, prompt_s: PROMPT.as_secs_f64() },
            firings: Vec::new(),
            more: 0,
            tried: 0,
            channels: Vec::new(),
            total: Figures::of(None, &Outcome::default()),
        }
    }
}

impl Report {
    fn add(&mut self, channel: ChannelName, mut outcome: Outcome) {
        self.tried += 1;
        self.more += outcome.more;
        for spell in std::mem::take(&mut outcome.spells) {
            if self.firings.len() < MAX_LISTED {
                let lasted_s = spell.lasted;
                self.firings.push(Listed { channel: channel.clone(), spell, lasted_s });
            } else {
                self.more += 1;
            }
        }
        if self.channels.len() < MAX_CHANNELS {
            self.channels.push(Figures::of(Some(channel), &outcome));
        }
    }
}

/// Whether it matters to the rule if adsum was down while nothing was observed.
fn minds_downtime(rule: &Rule) -> bool {
    let by_gap = rule.on_gap == OnGap::Fire || rule.condition == Condition::Unobserved;
    by_gap || rule.repeat_every.is_some()
}

fn failure(error: HistoryError, path: &Path) -> Failure {
    match error {
        // The only ones that do not name the file themselves.
        HistoryError::TooNew { .. } | HistoryError::TooOld { .. } => {
            Failure::Failed(anyhow::Error::new(error).context(path.display().to_string()))
        }
        error => Failure::Failed(anyhow::Error::new(error)),
    }
}
