//! The judge: puts together what is committed of a channel, its alerts included. The rules about alerts are in
//! [`crate::domain::alert`]; here they are given what there is to judge by, and whoever is to be told is written down.

use std::sync::Arc;

use tracing::error;
use uuid::Uuid;

use super::alarms::{Alarms, Downtime};
use super::alerting::{Edition, Editions, Silences};
use super::clock::Clock;
use super::live::Live;
use crate::domain::alert::{AlertId, AlertState, Change, Input, NotifierName, Rule, Transition, Why, step};
use crate::domain::channel::{Changes, Channel};
use crate::domain::names::ChannelName;
use crate::domain::observation::Observation;
use crate::domain::time::Time;
use crate::history::Entry;
use crate::history::alerts::{AlertEntry, Notice, SilenceId, Standing};

/// Judges the alerts of all channels.
#[derive(Clone)]
pub struct Judge {
    /// The rules.
    pub editions: Editions,
    /// What is muted.
    pub silences: Silences,
    /// What time it is.
    pub clock: Clock,
}

/// What is to be committed of a channel. Whoever commits it gives it to [`Live::committed`] afterwards.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What was seen, if that is why.
    pub seen: Option<Observation>,
    /// What is written.
    pub entry: Entry,
    /// The alerts as they are once it is written.
    pub alarms: Alarms,
}

impl Proposal {
    /// Whether nothing is to be written but how far a run goes.
    pub fn is_idle(&self) -> bool {
        self.entry.changes.is_repeat() && self.entry.alerts.is_empty()
    }
}

impl Judge {
    /// Whether a channel's alerts are to be judged though nothing is seen.
    pub fn is_due(&self, live: &Live, edition: u64, now: Time) -> bool {
        live.alarms.read().are_due(edition, &self.silences, &live.name, now)
    }

    /// What is to be committed with these changes of a channel.
    pub fn propose(&self, live: &Live, seen: Option<Observation>, changes: Changes) -> Proposal {
        let now = seen.as_ref().map_or(Time::default(), |seen| seen.moment.latest).max(self.clock.now());
        let edition = self.editions.current();
        let before = live.alarms.read();
        let rules = if before.edition == edition.number {
            before.rules.clone()
        } else {
            edition.alerting.rules.iter().filter(|rule| rule.names(&live.name)).cloned().collect()
        };
        let channel = live.channel.read();
        let case = Case { judge: self, channel: &channel, seen: seen.as_ref(), changes: &changes, now };
        let (alerts, standings) = case.judge(&before, &rules, edition.number);
        drop(channel);
        let alarms = Alarms { edition: edition.number, rules, standings, downtime: None };
        let Edition { subscribers, .. } = &*edition;
        let (channel, subscribers) = (live.name.clone(), Arc::clone(subscribers));
        Proposal { seen, entry: Entry { channel, changes, alerts, subscribers, at: now }, alarms }
    }
}

/// What the alerts of one channel are judged by.
struct Case<'a> {
    judge: &'a Judge,
    channel: &'a Channel,
    seen: Option<&'a Observation>,
    changes: &'a Changes,
    now: Time,
}

impl Case<'_> {
    /// How the alerts change, and those that are not inactive afterwards.
    fn judge(&self, before: &Alarms, rules: &[Arc<Rule>], edition: u64) -> (Vec<AlertEntry>, Vec<Standing>) {
        let (mut entries, mut standings) = (Vec::new(), Vec::new());
        let mut take = |entry: AlertEntry| {
            if entry.standing.state != AlertState::Inactive {
                standings.push(entry.standing.clone());
            }
            if before.standing(&entry.standing.rule) != Some(&entry.standing) || !entry.notices.is_empty() {
                entries.push(entry);
            }
        };
        let is_left = |standing: &&Standing| rules.iter().all(|rule| rule.name != standing.rule);
        for standing in before.standings.iter().filter(is_left) {
            take(self.over(standing, Why::RuleRemoved));
        }
        for rule in rules {
            let old = before.standing(&rule.name);
            let edited = old.filter(|old| old.terms != rule.terms());
            let mut alert = Alert::of(rule, &self.channel.name, old.filter(|_| edited.is_none()));
            let ended = edited.map(|old| self.over(old, Why::RuleChanged));
            let is_new = before.edition != edition && alert.state == AlertState::Inactive;
            self.hear(&mut alert, before.downtime, is_new);
            // So it is with most rules of most channels, and each costs.
            if old.is_none() && alert.state == AlertState::Inactive && alert.notices.is_empty() {
                continue;
            }
            let mut entry = alert.entry(rule.terms());
            entry.notices.splice(0..0, ended.into_iter().flat_map(|ended| ended.notices));
            take(entry);
        }
        (entries, standings)
    }

    /// An alert that ends because its rule is no longer what it was.
    fn over(&self, old: &Standing, why: Why) -> AlertEntry {
        let rule = match Rule::from_terms(old.rule.clone(), old.severity, &old.terms) {
            Ok(rule) => rule,
            Err(error) => {
                error!(rule = %old.rule, channel = ?self.channel.name, %error, "an alert is ended untold");
                let standing = Standing { state: AlertState::Inactive, ..old.clone() };
                return AlertEntry { standing, notices: Vec::new() };
            }
        };
        let mut alert = Alert::of(&rule, &self.channel.name, Some(old));
        alert.hear(&self.judge.silences, &Input::Ended { at: self.now, why }, self.now);
        alert.entry(old.terms.clone())
    }

    fn hear(&self, alert: &mut Alert<'_>, downtime: Option<Downtime>, is_new: bool) {
        let (silences, now) = (&self.judge.silences, self.now);
        let condition = &alert.rule.condition;
        let mut inputs = Vec::new();
        inputs.extend(downtime.map(|Downtime { from, to }| Input::Resumed { down_since: from, at: to }));
        if is_new {
            inputs.extend(Input::of_new_rule(condition, self.channel, now));
        }
        inputs.extend(Input::of_commit(condition, self.channel, self.seen, self.changes, now));
        inputs.push(Input::Time(now));
        for input in &inputs {
            alert.hear(silences, input, now);
        }
        if alert.muted.is_some() && silences.mute(alert.rule, alert.channel, now).is_none() {
            alert.hear(silences, &Input::Unmuted(now), now);
        }
    }
}

/// One alert while it is judged.
struct Alert<'a> {
    rule: &'a Rule,
    channel: &'a ChannelName,
    state: AlertState,
    muted: Option<SilenceId>,
    /// Who was told that it fires.
    told: Vec<NotifierName>,
    notices: Vec<Notice>,
}

impl<'a> Alert<'a> {
    fn of(rule: &'a Rule, channel: &'a ChannelName, standing: Option<&Standing>) -> Self {
        let (state, muted, told) = standing
            .map(|standing| (standing.state, standing.muted, standing.tell_end.clone()))
            .unwrap_or_default();
        Self { rule, channel, state, muted, told, notices: Vec::new() }
    }

    fn hear(&mut self, silences: &Silences, input: &Input, now: Time) {
        let begins = matches!(input, Input::Observed { .. } | Input::New { .. } | Input::Gap { .. });
        if self.state == AlertState::Inactive && !begins {
            return;
        }
        let fresh = AlertId::new(Uuid::new_v4());
        let (state, transitions) = step(self.rule, self.state, input, fresh);
        self.state = state;
        for transition in transitions {
            let notice = self.notice(silences, transition, now);
            self.notices.push(notice);
        }
    }

    /// Who is told of a transition. Of the end whoever was told before, also in a silence: otherwise it would seem to go on
    /// for them. Of the end of what nobody was told of nobody is told.
    fn notice(&mut self, silences: &Silences, transition: Transition, now: Time) -> Notice {
        let silence = silences.mute(self.rule, self.channel, now);
        let (notify, silence) = match transition.change {
            Change::Pending | Change::Inactive(_) => (Vec::new(), None),
            Change::Firing | Change::Repeated => (self.rule.notify.clone(), silence),
            Change::Resolved(_) if !self.rule.send_resolved => (Vec::new(), None),
            Change::Resolved(_) => (std::mem::take(&mut self.told), None),
        };
        let silence = silence.filter(|_| !notify.is_empty());
        let untold = self.muted.filter(|_| matches!(transition.change, Change::Resolved(_)));
        let muted = silence.or(untold);
        let notify = if muted.is_some() { Vec::new() } else { notify };
        match transition.change {
            Change::Firing => (self.muted, self.told) = (muted, notify.clone()),
            Change::Repeated if muted.is_none() => {
                self.muted = None;
                let new = notify.iter().filter(|name| !self.told.contains(name));
                let new: Vec<NotifierName> = new.cloned().collect();
                self.told.extend(new);
            }
            _ => {}
        }
        Notice { transition, notify, muted }
    }

    fn entry(self, terms: String) -> AlertEntry {
        let Self { rule, state, muted, told, notices, .. } = self;
        let muted = muted.filter(|_| matches!(state, AlertState::Firing(_)));
        let tell_end = if rule.send_resolved { told } else { Vec::new() };
        let (rule, severity) = (rule.name.clone(), rule.severity);
        AlertEntry { standing: Standing { rule, terms, severity, state, muted, tell_end }, notices }
    }
}
