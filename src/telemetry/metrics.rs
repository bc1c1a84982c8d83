//! Every metric: its name, what it means, and how it is recorded. No label holds a user or a channel.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::domain::alert::NotifierName;
use crate::domain::event::EventKind;
use crate::domain::time::Time;

/// Polls of channels (not requests), by outcome: `complete`, `truncated`, `count`, `stale` or a gap's reason.
pub const CHANNEL_POLLS: &str = "adsum_channel_polls_total";
/// Requests to the presence service, by outcome.
pub const REQUESTS: &str = "adsum_requests_total";
/// Events committed, by kind.
pub const EVENTS: &str = "adsum_events_total";
/// How long commits took, in seconds.
pub const HISTORY_COMMIT: &str = "adsum_history_commit_seconds";
/// Watched channels with a gap that lasts.
pub const OPEN_GAPS: &str = "adsum_open_gaps";
/// How long ago the channel that was not observed for the longest time was, in seconds.
pub const OBSERVATION_AGE: &str = "adsum_observation_age_seconds";
/// Watched channels.
pub const CHANNELS: &str = "adsum_channels";
/// Tries of deliveries, by notifier and outcome: [`DELIVERED`], [`RETRIED`], [`FAILED`]. One given up without a try failed.
pub const DELIVERIES: &str = "adsum_deliveries_total";
/// Deliveries that wait for their first try or another.
pub const DELIVERIES_PENDING: &str = "adsum_deliveries_pending";
/// Alerts that are pending or fire, by state and severity; NaN while the history does not say.
pub const ALERTS: &str = "adsum_alerts";
/// Always 1; its label is adsum's version.
pub const BUILD_INFO: &str = "adsum_build_info";
/// When adsum started, in seconds since the Unix epoch (the name is Prometheus's own).
pub const START_TIME: &str = "process_start_time_seconds";

/// An outcome of [`DELIVERIES`]: the receiver took it.
pub const DELIVERED: &str = "delivered";
/// An outcome of [`DELIVERIES`]: it is tried again.
pub const RETRIED: &str = "retried";
/// An outcome of [`DELIVERIES`]: it is given up.
pub const FAILED: &str = "failed";

/// How often [`upkeep`] is due.
pub const UPKEEP: Duration = Duration::from_secs(5);

/// Bounds of the commits' histogram, in seconds: from a write in memory to a disk that cannot keep up.
const COMMIT_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Where metrics are kept. The first use makes it the process's recorder, so nothing recorded is lost.
fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        // Only an empty list of bounds is refused.
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(HISTORY_COMMIT.to_owned()), &COMMIT_BUCKETS)
            .unwrap_or_default();
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed; adsum's metrics stay empty");
        }
        describe();
        handle
    })
}

fn describe() {
    describe_counter!(CHANNEL_POLLS, "Polls of channels, by outcome.");
    describe_counter!(REQUESTS, "Requests to the presence service, by outcome.");
    describe_counter!(EVENTS, "Events committed, by kind.");
    describe_histogram!(HISTORY_COMMIT, Unit::Seconds, "How long commits to the history took.");
    describe_gauge!(OPEN_GAPS, "Watched channels with a gap that lasts.");
    describe_gauge!(
        OBSERVATION_AGE,
        Unit::Seconds,
        "Age of the oldest last observation of a watched channel."
    );
    describe_gauge!(CHANNELS, "Watched channels.");
    describe_counter!(DELIVERIES, "Tries of deliveries, by notifier and outcome.");
    describe_gauge!(DELIVERIES_PENDING, "Deliveries that wait for their first try or another.");
    describe_gauge!(ALERTS, "Alerts that are pending or fire, by state and severity.");
    describe_gauge!(BUILD_INFO, "Always 1; the version is a label.");
    describe_gauge!(START_TIME, Unit::Seconds, "When adsum started, since the Unix epoch.");
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// One channel was polled with this outcome.
pub fn channel_poll(outcome: &'static str) {
    recorder();
    counter!(CHANNEL_POLLS, "outcome" => outcome).increment(1);
}

/// One request to the presence service ended with this outcome.
pub fn request(outcome: &'static str) {
    recorder();
    counter!(REQUESTS, "outcome" => outcome).increment(1);
}

/// One event was committed.
pub fn event(kind: EventKind) {
    recorder();
    counter!(EVENTS, "kind" => kind.as_str()).increment(1);
}

/// One commit to the history took this long.
pub fn history_commit(took: Duration) {
    recorder();
    histogram!(HISTORY_COMMIT).record(took);
}

/// So many deliveries to a notifier came to this outcome.
pub fn deliveries(notifier: &NotifierName, outcome: &'static str, count: u64) {
    recorder();
    counter!(DELIVERIES, "notifier" => notifier.to_string(), "outcome" => outcome).increment(count);
}

/// So many deliveries wait.
pub fn deliveries_pending(count: u64) {
    recorder();
    #[expect(clippy::cast_precision_loss, reason = "no outbox holds 2^52 deliveries")]
    let count = count as f64;
    gauge!(DELIVERIES_PENDING).set(count);
}

/// adsum started.
pub fn started(at: Time) {
    recorder();
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds since the epoch need not be exact to the microsecond"
    )]
    let seconds = at.as_micros() as f64 / 1e6;
    gauge!(START_TIME).set(seconds);
}

/// The watched channels as they are now.
#[derive(Clone, Copy, Debug)]
pub struct Channels {
    /// How many there are.
    pub watched: usize,
    /// How many of them have a gap that lasts.
    pub open_gaps: usize,
    /// The age of the oldest last observation.
    pub oldest: Duration,
}

/// Notes how the watched channels are now.
pub fn channels(channels: Channels) {
    recorder();
    #[expect(clippy::cast_precision_loss, reason = "no machine watches 2^52 channels")]
    let count = |count: usize| count as f64;
    gauge!(CHANNELS).set(count(channels.watched));
    gauge!(OPEN_GAPS).set(count(channels.open_gaps));
    gauge!(OBSERVATION_AGE).set(channels.oldest.as_secs_f64());
}

/// So many alerts of this severity are in this state now; `None`: the history does not say.
pub fn alerts(state: &'static str, severity: &'static str, count: Option<u64>) {
    recorder();
    #[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 alerts")]
    let count = count.map_or(f64::NAN, |count| count as f64);
    gauge!(ALERTS, "state" => state, "severity" => severity).set(count);
}

/// All of them in Prometheus's text format.
pub fn text() -> String {
    recorder().render()
}

/// Folds what histograms gathered; without it they would grow until somebody asks for [`text`].
pub fn upkeep() {
    recorder().run_upkeep();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_in_the_text() {
        // Other tests of this process record too, but not with these outcomes.
        channel_poll("test_poll");
        channel_poll("test_poll");
        request("test_request");
        event(EventKind::Settled);
        history_commit(Duration::from_millis(3));
        channels(Channels { watched: 2, open_gaps: 1, oldest: Duration::from_millis(2500) });
        deliveries(&NotifierName::new("test").unwrap(), RETRIED, 2);
        deliveries_pending(3);
        alerts("test_state", "info", Some(3));
        alerts("test_state", "warning", None);
        started(Time::from_micros(1_500_000));
        upkeep();
        let text = text();
        for line in [
            "adsum_channel_polls_total{outcome=\"test_poll\"} 2",
            "adsum_requests_total{outcome=\"test_request\"} 1",
            "adsum_events_total{kind=\"settled\"} ",
            "adsum_history_commit_seconds_bucket{le=\"0.005\"} ",
            "adsum_history_commit_seconds_count ",
            "adsum_channels 2",
            "adsum_open_gaps 1",
            "adsum_observation_age_seconds 2.5",
            "adsum_deliveries_total{notifier=\"test\",outcome=\"retried\"} 2",
            "adsum_alerts{state=\"test_state\",severity=\"info\"} 3",
            "adsum_alerts{state=\"test_state\",severity=\"warning\"} NaN",
            "process_start_time_seconds 1.5",
            concat!("adsum_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "# TYPE adsum_channel_polls_total counter",
            "# HELP adsum_open_gaps Watched channels with a gap that lasts.",
        ] {
            assert!(text.lines().any(|found| found.starts_with(line)), "{line} is not in\n{text}");
        }
    }
}
