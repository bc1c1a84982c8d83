//! A courier, the history it works from, and what puts something into the outbox.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor as _, Addr};
use adsum::actors::alerting::{Alerting, Editions, Receiver};
use adsum::actors::clock::Clock;
use adsum::actors::courier::{Courier, CourierParts, Halt};
use adsum::actors::seat::{Ended, Obituary};
use adsum::actors::supervisor::Child;
use adsum::domain::alert::{
    AlertId, AlertState, Change, Condition, End, NotifierName, RuleName, Severity, Transition, Why,
};
use adsum::domain::channel::Changes;
use adsum::domain::names::ChannelName;
use adsum::domain::time::{Time, Window};
use adsum::history::alerts::{
    AlertEntry, AlertHistory, Delivery, DeliveryAttempt, DeliveryQuery, DeliveryStatus, GATHER, Notice,
    Standing,
};
use adsum::history::sqlite::Sqlite;
use adsum::history::{Entry, History as _};
use adsum::notify::{HttpSettings, Notifier, Texts, Webhook};
use tempfile::TempDir;
use tokio::sync::mpsc;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The time at which virtual time begins.
pub(crate) const START: Time = Time::from_micros(1_800_000_000_000_000);

pub(crate) struct World {
    pub(crate) history: Arc<Sqlite>,
    pub(crate) clock: Clock,
    pub(crate) editions: Editions,
    courier: Addr<Courier>,
    deaths: mpsc::UnboundedReceiver<(Child, Ended)>,
    folder: TempDir,
}

pub(crate) fn notifier(name: &str) -> NotifierName {
    NotifierName::new(name).unwrap()
}

/// Somebody who is told.
pub(crate) fn receiver(name: &str, at_once: usize, notifier: Arc<dyn Notifier>) -> Receiver {
    Receiver { name: self::notifier(name), notifier, at_once, events: Vec::new() }
}

/// A webhook that waits so many seconds for an answer.
pub(crate) fn webhook(name: &str, url: &str, at_once: usize, seconds: u64) -> Receiver {
    let http = HttpSettings {
        url: url.into(),
        allow_private: true,
        timeout: Duration::from_secs(seconds),
        ca: None,
        headers: Vec::new(),
    };
    let webhook = Webhook::new(&http, &[SECRET.into()], "urn:adsum:test", &Texts::default()).unwrap();
    receiver(name, at_once, Arc::new(webhook))
}

pub(crate) fn alerting(receivers: Vec<Receiver>) -> Alerting {
    Alerting { receivers, base: Some("http://adsum.test".into()), ..Alerting::default() }
}

/// In memory, if the system has a place for that: waiting for a disk is not what is tested.
pub(crate) fn folder() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn hire(parts: CourierParts) -> (Addr<Courier>, mpsc::UnboundedReceiver<(Child, Ended)>) {
    let (sender, deaths) = mpsc::unbounded_channel();
    (Courier::new(parts, Obituary::new(Child::Courier, sender)).start(), deaths)
}

impl World {
    /// In real time, for real receivers.
    pub(crate) fn real(receivers: Vec<Receiver>) -> Self {
        Self::open(folder(), Clock::system(None), receivers, |history| history)
    }

    /// In virtual time.
    pub(crate) fn paused(receivers: Vec<Receiver>) -> Self {
        Self::paused_with(receivers, |history| history)
    }

    /// In virtual time; the courier sees the history as `seen` has it.
    pub(crate) fn paused_with(
        receivers: Vec<Receiver>,
        seen: impl FnOnce(Arc<dyn AlertHistory>) -> Arc<dyn AlertHistory>,
    ) -> Self {
        tokio::time::pause();
        Self::open(folder(), Clock::starting_at(START), receivers, seen)
    }

    fn open(
        folder: TempDir,
        clock: Clock,
        receivers: Vec<Receiver>,
        seen: impl FnOnce(Arc<dyn AlertHistory>) -> Arc<dyn AlertHistory>,
    ) -> Self {
        let history = Arc::new(Sqlite::open(&folder.path().join("history.db")).unwrap());
        let editions = Editions::new(alerting(receivers));
        let parts = CourierParts {
            history: seen(Arc::clone(&history) as Arc<dyn AlertHistory>),
            clock: clock.clone(),
            editions: editions.clone(),
        };
        let (courier, deaths) = hire(parts);
        Self { history, clock, editions, courier, deaths, folder }
    }

    /// The courier stops as when adsum stops.
    pub(crate) async fn halt(&mut self) {
        self.courier.send(Halt).await.unwrap();
        assert_eq!(self.deaths.recv().await, Some((Child::Courier, Ended::AsTold)));
    }

    /// The courier stops, and another begins with what is in the file.
    pub(crate) async fn restart(mut self, receivers: Vec<Receiver>) -> Self {
        self.halt().await;
        self.again(receivers)
    }

    /// After the courier has stopped another begins with what is in the file.
    pub(crate) fn again(self, receivers: Vec<Receiver>) -> Self {
        self.again_with(receivers, |history| history)
    }

    /// The same, and it sees the history as `seen` has it.
    pub(crate) fn again_with(
        self,
        receivers: Vec<Receiver>,
        seen: impl FnOnce(Arc<dyn AlertHistory>) -> Arc<dyn AlertHistory>,
    ) -> Self {
        let Self { history, clock, folder, .. } = self;
        drop(history);
        Self::open(folder, clock, receivers, seen)
    }

    /// The rule's alert fires in these channels, and somebody is told as soon as may be.
    pub(crate) fn fires(&self, rule: &str, channels: &[&str], told: &str) {
        self.happens(Change::Firing, rule, channels, told);
    }

    /// It is resolved.
    pub(crate) fn resolves(&self, rule: &str, channels: &[&str], told: &str) {
        let not_after = self.clock.now();
        let ended = Some(Window { not_before: None, not_after });
        self.happens(Change::Resolved(End { why: Why::Cleared, ended }), rule, channels, told);
    }

    fn happens(&self, change: Change, rule: &str, channels: &[&str], told: &str) {
        let now = self.clock.now();
        let channels: Vec<ChannelName> =
            channels.iter().map(|channel| ChannelName::new(channel).unwrap()).collect();
        self.history.begin(&channels, now).unwrap();
        let entries = channels.into_iter().map(|channel| {
            let alerts = vec![alert(change, rule, &channel, told, now)];
            Entry { alerts, at: now.minus(GATHER), ..Entry::new(channel, Changes::default()) }
        });
        self.history.commit(&entries.collect::<Vec<_>>()).unwrap();
    }

    /// All deliveries, in order.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.history.deliveries(&DeliveryQuery { limit: 1000, ..DeliveryQuery::default() }).unwrap()
    }

    /// How they stand.
    pub(crate) fn statuses(&self) -> Vec<DeliveryStatus> {
        self.deliveries().into_iter().map(|delivery| delivery.status).collect()
    }

    /// The tries of one.
    pub(crate) fn attempts(&self, delivery: &Delivery) -> Vec<DeliveryAttempt> {
        self.history.delivery(&delivery.id).unwrap().unwrap().1
    }

    /// Waits until it is so; not for ever.
    pub(crate) async fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            if so(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it never came to this: {what}; {:#?}", self.deliveries());
    }

    /// Waits until every delivery is where it stays.
    pub(crate) async fn until_all_are(&self, status: DeliveryStatus) {
        let all = |world: &Self| world.statuses().iter().all(|found| *found == status);
        self.until(status.as_str(), all).await;
    }
}

fn alert(change: Change, rule: &str, channel: &ChannelName, told: &str, now: Time) -> AlertEntry {
    let rule = RuleName::new(rule).unwrap();
    let name = format!("{} {}", rule.as_str(), channel.as_str());
    let id =
        AlertId::new(uuid::Uuid::from_u128(name.bytes().fold(7, |id, byte| id * 257 + u128::from(byte))));
    let since = Window { not_before: Some(now.minus(Duration::from_secs(5))), not_after: now };
    let transition = Transition {
        alert: id,
        at: now,
        change,
        since,
        condition: Condition::OccupancyAbove { bound: 200, clear_below: 180 },
        occupancy: Some(240),
        gap: None,
    };
    let standing = Standing {
        rule,
        terms: String::new(),
        severity: Severity::Warning,
        state: AlertState::Inactive,
        muted: None,
        tell_end: Vec::new(),
    };
    let notice = Notice { transition, notify: vec![notifier(told)], muted: None };
    AlertEntry { standing, notices: vec![notice] }
}
