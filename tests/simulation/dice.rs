//! Chance, from a seed.

/// Draws what the simulation leaves to chance. The same seed draws the same.
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    /// `what` keeps the draws of different parts apart.
    pub(crate) fn new(seed: u64, what: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(what)))
    }

    pub(crate) fn seed(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// With this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// From `low` to `high`, both included.
    pub(crate) fn int(&mut self, low: i64, high: i64) -> i64 {
        self.0.i64(low..=high.max(low))
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0.usize(..limit.max(1))
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Microseconds between two numbers of seconds; short spans are as likely as long ones.
    pub(crate) fn span(&mut self, low: f64, high: f64) -> i64 {
        let (low, high) = (low.ln(), high.ln());
        (((high - low) * self.0.f64() + low).exp() * 1e6) as i64
    }
}
