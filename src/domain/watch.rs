//! What is watched, and how.

use std::time::Duration;

use super::names::{ChannelName, NameError, Pattern};

/// A channel, or a pattern that finds channels.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// One channel, watched whether or not anybody is there.
    Channel(ChannelName),
    /// Every channel that a discovery finds under a matching name.
    Pattern(Pattern),
}

impl Target {
    /// A text with `*` is a pattern, any other a channel name.
    ///
    /// # Errors
    /// [`NameError`] says which rule of names it breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.contains('*') {
            Pattern::new(text).map(Self::Pattern)
        } else {
            ChannelName::new(text).map(Self::Channel)
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Channel(name) => name.as_str(),
            Self::Pattern(pattern) => pattern.as_str(),
        }
    }

    /// The channel, if it is one.
    pub fn channel(&self) -> Option<&ChannelName> {
        match self {
            Self::Channel(name) => Some(name),
            Self::Pattern(_) => None,
        }
    }

    /// Whether the channel is meant.
    pub fn matches(&self, channel: &ChannelName) -> bool {
        match self {
            Self::Channel(name) => name == channel,
            Self::Pattern(pattern) => pattern.matches(channel),
        }
    }
}

/// How a channel is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// How often it is asked for.
    pub interval: Duration,
    /// After how long without a good observation a gap opens.
    pub gap_after: Duration,
    /// Whether states are asked for.
    pub include_state: bool,
    /// Whether user ids are asked for.
    pub include_uuids: bool,
}

/// A policy for some channels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Which.
    pub channels: Vec<Target>,
    /// How.
    pub policy: Policy,
}

/// How every channel is watched: the first rule that matches, otherwise the default.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policies {
    /// For channels that no rule matches.
    pub default: Policy,
    /// In order.
    pub rules: Vec<Rule>,
}

impl Policies {
    /// The policy for a channel.
    pub fn of(&self, channel: &ChannelName) -> Policy {
        let rule = self.rules.iter().find(|rule| rule.channels.iter().any(|target| target.matches(channel)));
        rule.map_or(self.default, |rule| rule.policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_counts() {
        let policy = |seconds| Policy {
            interval: Duration::from_secs(seconds),
            gap_after: Duration::from_secs(3 * seconds),
            include_state: true,
            include_uuids: true,
        };
        let rule = |target: &str, seconds| Rule {
            channels: vec![Target::new(target).unwrap()],
            policy: policy(seconds),
        };
        let policies = Policies {
            default: policy(5),
            rules: vec![rule("room.vip", 1), rule("room.*", 30), rule("*", 60)],
        };
        let interval = |name: &str| policies.of(&ChannelName::new(name).unwrap()).interval.as_secs();
        assert_eq!((interval("room.vip"), interval("room.1"), interval("lobby")), (1, 30, 60));
    }
}
