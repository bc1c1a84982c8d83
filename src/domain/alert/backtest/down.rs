//! When adsum may have been down.

use crate::domain::time::Time;

/// The most spans that are told apart. More are joined to longer ones: then adsum may have been down in between, too.
const MAX_SPANS: usize = 10_000;

/// The spans in which no channel proves that adsum ran: disjoint, in order of time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Downtime {
    spans: Vec<(Time, Time)>,
}

impl Downtime {
    /// Nothing is known of the time from `from` to `to`.
    pub fn unknown(from: Time, to: Time) -> Self {
        Self { spans: if from < to { vec![(from, to)] } else { Vec::new() } }
    }

    /// Adsum was never down.
    pub fn none() -> Self {
        Self { spans: Vec::new() }
    }

    /// Whether it is certain that adsum ran all the time.
    pub fn is_none(&self) -> bool {
        self.spans.is_empty()
    }

    /// Takes what one more channel's record proves: adsum ran whenever the channel was observed. `unobserved` are the spans
    /// in which it was not, in order of time.
    ///
    /// # Errors
    /// The first of the spans.
    pub fn narrow<E>(
        &mut self,
        unobserved: impl IntoIterator<Item = Result<(Time, Time), E>>,
    ) -> Result<(), E> {
        let mut left = Vec::new();
        let mut spans = self.spans.iter().copied().peekable();
        for unseen in unobserved {
            let unseen = unseen?;
            while let Some(span) = spans.peek().copied() {
                let both = (span.0.max(unseen.0), span.1.min(unseen.1));
                if both.0 < both.1 {
                    push(&mut left, both);
                }
                if span.1 > unseen.1 {
                    break;
                }
                spans.next();
            }
        }
        self.spans = left;
        Ok(())
    }

    /// The spans within `[from, to]`.
    pub(super) fn within(&self, from: Time, to: Time) -> Vec<(Time, Time)> {
        let first = self.spans.partition_point(|span| span.1 <= from);
        let near = self.spans.iter().skip(first).take_while(|span| span.0 < to);
        near.map(|span| (span.0.max(from), span.1.min(to))).collect()
    }
}

/// Adds a span that begins no earlier than the last.
fn push(spans: &mut Vec<(Time, Time)>, span: (Time, Time)) {
    let full = spans.len() >= MAX_SPANS;
    match spans.last_mut() {
        Some(last) if full || span.0 <= last.1 => last.1 = last.1.max(span.1),
        _ => spans.push(span),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn time(seconds: i64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn adsum_ran_whenever_some_channel_was_observed() {
        let mut downtime = Downtime::unknown(time(0), time(100));
        let unseen = |spans: &[(i64, i64)]| -> Vec<Result<(Time, Time), Infallible>> {
            spans.iter().map(|&(from, to)| Ok((time(from), time(to)))).collect()
        };
        downtime.narrow(unseen(&[(-5, 10), (30, 60), (90, 100)])).unwrap();
        downtime.narrow(unseen(&[(0, 5), (40, 50), (55, 95)])).unwrap();
        let spans = [(0, 5), (40, 50), (55, 60), (90, 95)].map(|(from, to)| (time(from), time(to)));
        assert_eq!(downtime.spans, spans);
        assert_eq!(downtime.within(time(45), time(57)), [(time(45), time(50)), (time(55), time(57))]);
        downtime.narrow(unseen(&[])).unwrap();
        assert!(downtime.is_none());
    }

    proptest! {
        #[test]
        fn what_is_left_is_what_all_channels_leave(
            channels in proptest::collection::vec(proptest::collection::btree_set(0i64..60, 0..12), 1..4),
        ) {
            let mut downtime = Downtime::unknown(time(5), time(50));
            let mut seconds: Vec<i64> = (5..50).collect();
            for ends in &channels {
                let ends: Vec<i64> = ends.iter().copied().collect();
                let spans: Vec<(i64, i64)> = ends.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
                seconds.retain(|second| spans.iter().any(|span| span.0 <= *second && *second < span.1));
                let unseen = spans.iter().map(|span| Ok::<_, Infallible>((time(span.0), time(span.1))));
                downtime.narrow(unseen).unwrap();
            }
            let left: Vec<i64> = (0..60).filter(|s| !downtime.within(time(*s), time(s + 1)).is_empty()).collect();
            prop_assert_eq!(left, seconds);
        }
    }
}
