//! What truly happened: the stays of users and the states they set, each with the span of wall time it happened in.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::wire::Span;

/// A channel and a user.
pub(crate) type Place = (String, String);

/// One true stay.
#[derive(Debug, Clone)]
pub(crate) struct Stay {
    pub(crate) join: Span,
    pub(crate) leave: Option<Span>,
    pub(crate) states: Vec<(Span, Value)>,
}

impl Stay {
    pub(crate) fn has_set(&self, state: &Value) -> bool {
        self.states.iter().any(|(_, set)| set == state)
    }
}

/// All true stays, each place's in order.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    pub(crate) stays: BTreeMap<Place, Vec<Stay>>,
}

impl Tally {
    pub(crate) fn joined(&mut self, place: &Place, join: Span) {
        let stays = self.stays.entry(place.clone()).or_default();
        assert!(stays.last().is_none_or(|last| last.leave.is_some()), "{place:?} is already there");
        stays.push(Stay { join, leave: None, states: Vec::new() });
    }

    /// The stay that goes on.
    fn open(&mut self, place: &Place) -> &mut Stay {
        let stay = self.stays.get_mut(place).and_then(|stays| stays.last_mut());
        stay.filter(|stay| stay.leave.is_none()).unwrap_or_else(|| panic!("{place:?} is not there"))
    }

    pub(crate) fn left(&mut self, place: &Place, leave: Span) {
        self.open(place).leave = Some(leave);
    }

    pub(crate) fn set(&mut self, place: &Place, at: Span, state: Value) {
        self.open(place).states.push((at, state));
    }

    /// Whether somebody else than `but` was in a channel throughout a span.
    pub(crate) fn occupied(&self, channel: &str, but: &str, during: Span) -> bool {
        let others = self.stays.iter().filter(|((place, user), _)| place == channel && user != but);
        others
            .flat_map(|(_, stays)| stays)
            .any(|stay| stay.join.to <= during.from && stay.leave.is_none_or(|leave| during.to <= leave.from))
    }
}
