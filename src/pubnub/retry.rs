//! Retries, by a policy the caller sees.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};

use super::error::Error;

/// What a call does after an error that [may pass](Error::is_retryable).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetryPolicy {
    /// One request per call, whatever happens.
    #[default]
    None,
    /// Ask again after a delay that doubles each time, with jitter.
    ///
    /// A `Retry-After` takes the place of the computed delay; one that is longer than `max_delay` is not waited for: the
    /// error is returned at once, with its [`retry_after`](Error::retry_after).
    Exponential {
        /// The most requests one call makes, the first included; 0 and 1 both mean one.
        attempts: u32,
        /// The delay before the second request.
        min_delay: Duration,
        /// The longest delay, before jitter.
        max_delay: Duration,
    },
}

impl RetryPolicy {
    /// Runs `once` as often as the policy allows.
    pub(super) async fn run<T, F: Future<Output = Result<T, Error>>>(
        self,
        mut once: impl FnMut() -> F,
    ) -> Result<T, Error> {
        let Self::Exponential { attempts, min_delay, max_delay } = self else { return once().await };
        let delays = ExponentialBuilder::new()
            .with_min_delay(min_delay)
            .with_max_delay(max_delay)
            .with_max_times(usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX))
            .with_jitter();
        once.retry(delays)
            .when(Error::is_retryable)
            .adjust(|error, delay| match error.retry_after() {
                Some(asked) if asked > max_delay => None,
                Some(asked) => delay.map(|_| asked),
                None => delay,
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy::Exponential {
        attempts: 3,
        min_delay: Duration::from_secs(1),
        max_delay: Duration::from_secs(30),
    };

    fn throttled(retry_after: Option<u64>) -> Error {
        Error::Service {
            http_status: 429,
            status: 429,
            message: "Too Many Requests".into(),
            service: None,
            channels: vec![],
            channel_groups: vec![],
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    /// How many requests were made, and how long it took, when every one of them ends in `error`.
    async fn tries(policy: RetryPolicy, error: Error) -> (u32, Duration) {
        tokio::time::pause();
        let (mut count, start) = (0, Instant::now());
        let result: Result<(), Error> = policy
            .run(|| {
                count += 1;
                std::future::ready(Err(error.clone()))
            })
            .await;
        assert_eq!(result, Err(error));
        (count, start.elapsed())
    }

    #[tokio::test]
    async fn without_a_policy_there_is_one_request() {
        assert_eq!(tries(RetryPolicy::None, throttled(None)).await, (1, Duration::ZERO));
    }

    #[tokio::test]
    async fn delays_double_between_the_attempts() {
        let (count, took) = tries(POLICY, throttled(None)).await;
        assert_eq!(count, 3);
        assert!(took >= Duration::from_secs(3) && took <= Duration::from_secs(6), "{took:?}");
    }

    #[tokio::test]
    async fn retry_after_replaces_the_delay() {
        let (count, took) = tries(POLICY, throttled(Some(7))).await;
        assert_eq!((count, took.as_secs()), (3, 14));
    }

    #[tokio::test]
    async fn a_retry_after_beyond_the_longest_delay_is_left_to_the_caller() {
        assert_eq!(tries(POLICY, throttled(Some(31))).await, (1, Duration::ZERO));
    }

    #[tokio::test]
    async fn what_cannot_pass_is_not_tried_again() {
        let error = Error::BadAnswer { what: "no JSON".into() };
        assert_eq!(tries(POLICY, error).await, (1, Duration::ZERO));
    }
}
