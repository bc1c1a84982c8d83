//! One bound on everything that is asked of the service (`pubnub.max_requests_per_second`).

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Hands out turns, evenly spaced; up to a second's turns that were not used may be used at once. Clones share it.
#[derive(Clone, Debug)]
pub struct Pace {
    step: Duration,
    /// When the next turn would be, were every turn used.
    next: Arc<Mutex<Instant>>,
}

/// Turns that were not used are kept for so long.
const BURST: Duration = Duration::from_secs(1);

impl Pace {
    /// So many turns a second.
    pub fn per_second(turns: f64) -> Self {
        Self {
            step: Duration::from_secs_f64(1.0 / turns.max(0.001)),
            next: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// Waits for a turn. Turns come in the order they were asked for.
    pub async fn turn(&self) {
        let turn = {
            let mut next = self.next.lock();
            let now = Instant::now();
            let earliest = now.checked_sub(BURST.saturating_sub(self.step)).unwrap_or(now);
            let turn = (*next).max(earliest);
            *next = turn + self.step;
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_are_spaced_and_a_second_of_them_may_come_at_once() {
        let pace = Pace::per_second(10.0);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let start = Instant::now();
        for _ in 0..10 {
            pace.turn().await;
        }
        assert!(start.elapsed() < Duration::from_millis(5), "kept from the quiet minute");
        for _ in 0..20 {
            pace.turn().await;
        }
        assert!(start.elapsed() >= Duration::from_millis(1_900), "{:?}", start.elapsed());
    }
}
