//! Many channels crossing one rule at once make one message for each notifier, not hundreds.

use serde::Serialize;

use super::names::{NotifierName, RuleName};

/// How many alerts one message lists; the rest is counted. Keeps the body of a webhook within some 20 kB where names are of
/// ordinary length, as Standard Webhooks advises.
pub const LISTED: usize = 20;

/// What goes into one message: alerts of one rule, to one notifier.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Group {
    /// Who is told.
    pub notifier: NotifierName,
    /// Of what.
    pub rule: RuleName,
}

/// What one message lists of a group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Listed<T> {
    /// The first of them, [`LISTED`] at most.
    pub items: Vec<T>,
    /// How many more there are.
    pub more: usize,
}

impl<T> Listed<T> {
    /// The first of `all`, and how many more.
    pub fn of(all: impl IntoIterator<Item = T>) -> Self {
        let mut all = all.into_iter();
        let items = all.by_ref().take(LISTED).collect();
        Self { items, more: all.count() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_lists_a_few_and_counts_the_rest() {
        assert_eq!(Listed::of(0..3), Listed { items: vec![0, 1, 2], more: 0 });
        let many = Listed::of(0..100);
        assert_eq!((many.items.len(), many.more), (LISTED, 100 - LISTED));
    }
}
