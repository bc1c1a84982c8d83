//! `[[alert]]` and `[[notifier]]`: which alerts there are and who is told.

use std::collections::HashSet;

use super::notifier::{Notifier, Trial};
use super::section::Section;
use super::watch::Watch;
use super::{alert, notifier};
use crate::domain::alert::Rule;

/// Most rules.
pub const MAX_RULES: usize = 500;

/// Most notifiers.
pub const MAX_NOTIFIERS: usize = 100;

/// The alerts and who is told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alerting {
    /// In the order given; no two have the same name.
    pub rules: Vec<Rule>,
    /// In the order given; no two have the same name.
    pub notifiers: Vec<Notifier>,
}

/// Reads both sections. `watch` is `None` where it is wrong.
pub(super) fn read(root: &mut Section<'_>, watch: Option<&Watch>, trial: Trial<'_>) -> Option<Alerting> {
    let sections = root.sections("notifier");
    at_most(root, "notifier", sections.len(), MAX_NOTIFIERS);
    let mut names = HashSet::new();
    let notifiers: Vec<_> =
        sections.into_iter().map(|section| notifier::read(section, &mut names, trial)).collect();
    let sections = root.sections("alert");
    at_most(root, "alert", sections.len(), MAX_RULES);
    let mut taken = HashSet::new();
    let told = alert::Known { notifiers: &names, watch };
    let rules: Vec<_> = sections.into_iter().map(|section| alert::read(section, &mut taken, &told)).collect();
    Some(Alerting {
        rules: rules.into_iter().collect::<Option<_>>()?,
        notifiers: notifiers.into_iter().collect::<Option<_>>()?,
    })
}

fn at_most(root: &Section<'_>, key: &str, given: usize, most: usize) {
    if given > most {
        root.refuse_inside(key, "", None, format!("must not be more than {most}, and are {given}"));
    }
}
