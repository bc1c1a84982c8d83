//! Every metric's name, once.

use std::time::Duration;

use crate::domain::event::EventKind;

/// One channel was polled with this outcome.
pub fn channel_poll(outcome: &'static str) {
    metrics::counter!("adsum_channel_polls_total", "outcome" => outcome).increment(1);
}

/// One request was made with this outcome.
pub fn request(outcome: &'static str) {
    metrics::counter!("adsum_requests_total", "outcome" => outcome).increment(1);
}

/// One event was committed.
pub fn event(kind: EventKind) {
    metrics::counter!("adsum_events_total", "kind" => kind.as_str()).increment(1);
}

/// One commit took so long.
pub fn history_commit(took: Duration) {
    metrics::histogram!("adsum_history_commit_seconds").record(took.as_secs_f64());
}
