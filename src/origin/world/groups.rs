//! Channel groups (PROTOCOL.md 2.7).

use std::collections::{BTreeMap, BTreeSet};

use super::super::name::Name;

/// Why a group was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GroupRefusal {
    /// The key has as many groups as it may have (PROTOCOL.md 4, verbatim).
    #[error("Maximum channel group count exceeded.")]
    TooManyGroups,
    /// The group has as many channels as it may have.
    #[error("Maximum channel count of the channel group exceeded.")]
    TooManyChannels,
}

/// The channel groups of a key. A group without channels is no group.
#[derive(Debug)]
pub(crate) struct Groups {
    most: usize,
    most_channels: usize,
    channels: BTreeMap<Name, BTreeSet<Name>>,
}

impl Groups {
    pub(super) fn new(most: usize, most_channels: usize) -> Self {
        Self { most, most_channels, channels: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// The names of the groups.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.channels.keys()
    }

    /// The channels of a group; none where it does not exist.
    pub(crate) fn channels(&self, group: &str) -> impl Iterator<Item = &Name> {
        self.channels.get(group).into_iter().flatten()
    }

    /// Puts channels into a group, all or none.
    pub(crate) fn add(&mut self, group: &Name, channels: &[Name]) -> Result<(), GroupRefusal> {
        let old = self.channels.get(group);
        if old.is_none() && self.channels.len() >= self.most {
            return Err(GroupRefusal::TooManyGroups);
        }
        let mut all = old.cloned().unwrap_or_default();
        all.extend(channels.iter().cloned());
        if all.len() > self.most_channels {
            return Err(GroupRefusal::TooManyChannels);
        }
        if !all.is_empty() {
            self.channels.insert(group.clone(), all);
        }
        Ok(())
    }

    /// Takes channels out of a group.
    pub(crate) fn remove(&mut self, group: &str, channels: &[Name]) {
        if let Some(all) = self.channels.get_mut(group) {
            for channel in channels {
                all.remove(channel);
            }
            if all.is_empty() {
                self.channels.remove(group);
            }
        }
    }

    /// Deletes a group.
    pub(crate) fn delete(&mut self, group: &str) {
        self.channels.remove(group);
    }
}
