//! The faults that are in force, and what they do to a request.

use std::sync::Mutex;

use fastrand::Rng;
use serde::Serialize;

use super::rule::{Channels, Fault, RequestKind, Rule};
use super::{Faults, LARGEST_SEED};
use crate::origin::clock::Moment;
use crate::origin::keyset::lock;
use crate::origin::name::Name;

/// A request, as far as rules look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// What is asked.
    pub(crate) kind: RequestKind,
    /// The channels it names.
    pub(crate) channels: &'a [Name],
    /// Whether its answer may be about others too.
    pub(crate) about_others: bool,
}

/// A fault that hits a request.
#[derive(Debug, Clone)]
pub(crate) struct Blow {
    /// What is done.
    pub(crate) fault: Fault,
    /// To which channels.
    pub(crate) channels: Channels,
    /// What it decides by.
    pub(crate) chance: Rng,
}

/// What is in force, as `/faults` tells it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Told {
    #[serde(flatten)]
    faults: Faults,
    /// How many requests each rule has hit.
    applied: Vec<u64>,
}

/// The faults in force.
#[derive(Debug)]
pub(crate) struct InForce(Mutex<Current>);

#[derive(Debug)]
struct Current {
    told: Told,
    since: Moment,
    /// One for each rule.
    chances: Vec<Rng>,
}

impl Current {
    fn new(mut faults: Faults, now: Moment) -> Self {
        let seed = *faults.seed.get_or_insert_with(|| fastrand::u64(..=LARGEST_SEED));
        if !faults.rules.is_empty() {
            tracing::warn!(seed, rules = faults.rules.len(), "the origin misbehaves on purpose");
        }
        let mut all = Rng::with_seed(seed);
        let chances = faults.rules.iter().map(|_| all.fork()).collect();
        let applied = vec![0; faults.rules.len()];
        Self { told: Told { faults, applied }, since: now, chances }
    }
}

impl InForce {
    pub(crate) fn new(faults: Faults, now: Moment) -> Self {
        Self(Mutex::new(Current::new(faults, now)))
    }

    /// Puts others in their place; their time begins now.
    pub(crate) fn replace(&self, faults: Faults, now: Moment) -> Told {
        let mut current = lock(&self.0);
        if !current.told.faults.rules.is_empty() && faults.rules.is_empty() {
            tracing::info!("the origin no longer misbehaves");
        }
        *current = Current::new(faults, now);
        current.told.clone()
    }

    /// What is in force.
    pub(crate) fn tell(&self) -> Told {
        lock(&self.0).told.clone()
    }

    /// Whether connections are ever reset.
    pub(crate) fn resets(&self) -> bool {
        lock(&self.0).told.faults.rules.iter().any(|rule| rule.fault == Fault::Reset)
    }

    /// What hits a request, in the order of the rules.
    pub(crate) fn hit(&self, request: Request<'_>, now: Moment) -> Vec<Blow> {
        let mut current = lock(&self.0);
        let Current { told: Told { faults, applied }, since, chances } = &mut *current;
        let elapsed = since.until(now);
        let mut blows = Vec::new();
        for ((rule, chance), applied) in faults.rules.iter().zip(chances).zip(applied) {
            if !rule.is_on(elapsed) || !concerns(rule, request) {
                continue;
            }
            // The request's own, so that what is decided later does not depend on what else is going on.
            let mut chance = chance.fork();
            if chance.f64() < rule.probability {
                *applied += 1;
                blows.push(Blow { fault: rule.fault, channels: rule.channels.clone(), chance });
            }
        }
        blows
    }
}

fn concerns(rule: &Rule, request: Request<'_>) -> bool {
    let is_named = rule.channels.are_all() || request.channels.iter().any(|c| rule.channels.contain(c));
    let may_be_listed = request.about_others && rule.fault.is_about_lists();
    rule.requests.contains(&request.kind) && (is_named || may_be_listed)
}
