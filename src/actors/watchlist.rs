//! Which channels are watched, and on whose account. A channel is watched as long as anybody wants it.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use tracing::warn;

use crate::domain::names::{ChannelName, GroupName, Pattern};
use crate::domain::watch::Target;

/// Discoveries begin no more once so many channels are watched.
pub const MAX_DISCOVERED: usize = 100_000;

/// Who wants a channel watched.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Account {
    /// The configuration names it.
    Configuration,
    /// The API added it.
    Api,
    /// It is in this group.
    Group(GroupName),
    /// Somebody is there and a pattern matches.
    Discovery,
}

/// What is to be watched: targets, and the channels they mean now.
#[derive(Debug, Default)]
pub struct Watchlist {
    configured: Vec<Target>,
    added: Vec<Target>,
    wanted: HashMap<ChannelName, BTreeSet<Account>>,
}

/// What is to be done about it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Difference {
    /// Channels to watch from now on.
    pub begin: Vec<ChannelName>,
    /// Channels that nobody wants any more.
    pub end: Vec<ChannelName>,
}

impl Watchlist {
    /// Of the configuration's and the API's targets.
    pub fn new(configured: Vec<Target>, added: Vec<Target>) -> Self {
        let mut list = Self { configured, added, wanted: HashMap::new() };
        for target in list.configured.clone() {
            list.want_target(&target, Account::Configuration);
        }
        for target in list.added.clone() {
            list.want_target(&target, Account::Api);
        }
        list
    }

    fn want_target(&mut self, target: &Target, account: Account) -> bool {
        match target {
            Target::Channel(name) => self.want(name, account),
            Target::Pattern(_) => false,
        }
    }

    /// Whether the channel is new.
    fn want(&mut self, name: &ChannelName, account: Account) -> bool {
        let accounts = self.wanted.entry(name.clone()).or_default();
        accounts.insert(account) && accounts.len() == 1
    }

    /// Whether nobody wants the channel any more.
    fn release(&mut self, name: &ChannelName, account: &Account) -> bool {
        let Some(accounts) = self.wanted.get_mut(name) else { return false };
        accounts.remove(account);
        let gone = accounts.is_empty();
        if gone {
            self.wanted.remove(name);
        }
        gone
    }

    /// Every channel to be watched now.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelName> {
        self.wanted.keys()
    }

    /// Whether the channel is to be watched now.
    pub fn wants(&self, name: &ChannelName) -> bool {
        self.wanted.contains_key(name)
    }

    /// A channel that a pattern means, and that nobody else wants, is watched until a discovery does not list it and nobody is
    /// there. Whether there is such a pattern.
    pub fn take_up(&mut self, name: &ChannelName) -> bool {
        let meant = self.patterns().any(|pattern| pattern.matches(name));
        if meant {
            self.want(name, Account::Discovery);
        }
        meant
    }

    /// Channels that are watched only because a pattern found them.
    pub fn found(&self) -> impl Iterator<Item = &ChannelName> {
        let only_found = |accounts: &BTreeSet<Account>| accounts.iter().eq([&Account::Discovery]);
        self.wanted.iter().filter(move |(_, accounts)| only_found(accounts)).map(|(name, _)| name)
    }

    /// Leaves a channel in which nobody is to the discoveries, unless somebody else wants it. Whether it is left to them.
    pub fn leave_to_discoveries(&mut self, name: &ChannelName) -> bool {
        let only_found =
            self.wanted.get(name).is_some_and(|accounts| accounts.iter().eq([&Account::Discovery]));
        only_found && self.release(name, &Account::Discovery)
    }

    /// Whether the channel is to be watched now, or will be as soon as it is discovered.
    pub fn means(&self, name: &ChannelName) -> bool {
        self.wants(name) || self.patterns().any(|pattern| pattern.matches(name))
    }

    /// The targets of the configuration, and those that the API added.
    pub fn targets(&self) -> (&[Target], &[Target]) {
        (&self.configured, &self.added)
    }

    /// Whether anything must be discovered.
    pub fn has_patterns(&self) -> bool {
        self.patterns().next().is_some()
    }

    /// The patterns.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.configured.iter().chain(&self.added).filter_map(|target| match target {
            Target::Pattern(pattern) => Some(pattern),
            Target::Channel(_) => None,
        })
    }

    /// Takes the targets and groups of a configuration that was read again.
    pub fn configure(&mut self, configured: Vec<Target>, groups: &[GroupName]) -> Difference {
        self.configured = configured;
        let named: Vec<ChannelName> = self.configured.iter().filter_map(Target::channel).cloned().collect();
        let begin = named.iter().filter(|name| self.want(name, Account::Configuration)).cloned().collect();
        let named: BTreeSet<ChannelName> = named.into_iter().collect();
        let mut end = self.end_for(&Account::Configuration, |name| named.contains(name)).end;
        let patterns: Vec<Pattern> = self.patterns().cloned().collect();
        let matches = |name: &ChannelName| patterns.iter().any(|pattern| pattern.matches(name));
        end.extend(self.end_for(&Account::Discovery, matches).end);
        let accounts = self.wanted.values().flatten();
        let gone =
            accounts.filter(|account| matches!(account, Account::Group(group) if !groups.contains(group)));
        for account in gone.cloned().collect::<BTreeSet<_>>() {
            end.extend(self.end_for(&account, |_| false).end);
        }
        Difference { begin, end }
    }

    /// Adds a target of the API's.
    pub fn add(&mut self, target: &Target) -> Difference {
        if !self.added.contains(target) {
            self.added.push(target.clone());
        }
        let mut difference = Difference::default();
        if let Target::Channel(name) = target
            && self.want_target(target, Account::Api)
        {
            difference.begin.push(name.clone());
        }
        difference
    }

    /// Takes a target of the API's away.
    pub fn remove(&mut self, target: &Target) -> Difference {
        self.added.retain(|added| added != target);
        match target {
            Target::Channel(name) => self.end_for(&Account::Api, |wanted| wanted != name),
            Target::Pattern(_) => {
                let patterns: Vec<Pattern> = self.patterns().cloned().collect();
                self.end_for(&Account::Discovery, |name| patterns.iter().any(|pattern| pattern.matches(name)))
            }
        }
    }

    /// A good discovery: these channels, and no others, have occupants. `vacant` says of a channel that was found
    /// before whether its own last observation saw nobody, so that it may be let go.
    pub fn discovered(
        &mut self,
        channels: &[ChannelName],
        vacant: impl Fn(&ChannelName) -> bool,
    ) -> Difference {
        let patterns: Vec<Pattern> = self.patterns().cloned().collect();
        let mut found = channels.iter().filter(|name| patterns.iter().any(|pattern| pattern.matches(name)));
        let mut begin = Vec::new();
        for name in found.by_ref() {
            if !self.wants(name) && self.wanted.len() >= MAX_DISCOVERED {
                warn!(limit = MAX_DISCOVERED, "patterns match more channels than are watched");
                break;
            }
            if self.want(name, Account::Discovery) {
                begin.push(name.clone());
            }
        }
        let listed: BTreeSet<&ChannelName> = channels.iter().collect();
        let kept = |name: &ChannelName| listed.contains(name) || !vacant(name);
        Difference { begin, ..self.end_for(&Account::Discovery, kept) }
    }

    /// A good listing of a group.
    pub fn grouped(&mut self, group: &GroupName, channels: &[ChannelName]) -> Difference {
        let account = Account::Group(group.clone());
        let mut begin = Vec::new();
        for name in channels {
            if self.want(name, account.clone()) {
                begin.push(name.clone());
            }
        }
        let members: BTreeSet<&ChannelName> = channels.iter().collect();
        Difference { begin, ..self.end_for(&account, |name| members.contains(name)) }
    }

    /// Ends an account's interest in all but the channels it keeps. What a pattern means is left to the discoveries.
    fn end_for(&mut self, account: &Account, keeps: impl Fn(&ChannelName) -> bool) -> Difference {
        let over = self.wanted.iter().filter(|(name, accounts)| accounts.contains(account) && !keeps(name));
        let over: Vec<ChannelName> = over.map(|(name, _)| name.clone()).collect();
        let mut end = over;
        end.retain(|name| {
            self.release(name, account) && (*account == Account::Discovery || !self.take_up(name))
        });
        Difference { begin: Vec::new(), end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ChannelName {
        ChannelName::new(text).unwrap()
    }

    fn target(text: &str) -> Target {
        Target::new(text).unwrap()
    }

    #[test]
    fn a_channel_is_watched_as_long_as_anybody_wants_it() {
        let mut list = Watchlist::new(vec![target("lobby")], vec![]);
        let group = GroupName::new("g").unwrap();
        assert_eq!(list.grouped(&group, &[name("lobby"), name("a")]).begin, [name("a")]);
        assert_eq!(list.add(&target("a")), Difference::default(), "it is watched already");
        assert_eq!(list.grouped(&group, &[]).end, Vec::<ChannelName>::new(), "the API wants it");
        assert_eq!(list.remove(&target("a")).end, [name("a")]);
        assert_eq!(
            list.remove(&target("lobby")).end,
            Vec::<ChannelName>::new(),
            "the configuration wants it"
        );
        assert!(list.wants(&name("lobby")) && !list.wants(&name("a")));
    }

    #[test]
    fn a_discovered_channel_is_let_go_only_once_it_was_seen_empty() {
        let mut list = Watchlist::new(vec![target("room.*")], vec![]);
        let nobody = |_: &ChannelName| true;
        let found = list.discovered(&[name("room.1"), name("lobby")], nobody);
        assert_eq!(found.begin, [name("room.1")], "the pattern does not match lobby");
        assert_eq!(list.discovered(&[], |_| false), Difference::default());
        assert_eq!(list.discovered(&[], nobody).end, [name("room.1")]);
        assert_eq!(list.discovered(&[name("room.1")], nobody).begin, [name("room.1")], "it comes back");
        assert_eq!(list.remove(&target("room.*")).end, Vec::<ChannelName>::new());
    }

    #[test]
    fn a_configuration_that_is_read_again_begins_and_ends_only_what_differs() {
        let group = GroupName::new("g").unwrap();
        let mut list =
            Watchlist::new(vec![target("lobby"), target("hall"), target("room.*")], vec![target("hall")]);
        list.discovered(&[name("room.1")], |_| false);
        list.grouped(&group, &[name("a")]);
        let found = list.configure(vec![target("lobby"), target("new")], &[]);
        assert_eq!(found.begin, [name("new")]);
        assert_eq!(found.end, [name("room.1"), name("a")], "the API wants the hall");
    }

    #[test]
    fn what_a_pattern_means_is_left_to_the_discoveries() {
        let mut list = Watchlist::new(vec![target("room.*")], vec![target("room.1")]);
        assert_eq!(list.remove(&target("room.1")).end, Vec::<ChannelName>::new());
        assert_eq!(list.discovered(&[], |_| true).end, [name("room.1")]);
    }

    #[test]
    fn a_pattern_that_is_removed_lets_its_channels_go() {
        let mut list = Watchlist::new(vec![], vec![target("room.*")]);
        list.discovered(&[name("room.1")], |_| false);
        assert!(list.has_patterns());
        assert_eq!(list.remove(&target("room.*")).end, [name("room.1")]);
        assert!(!list.has_patterns());
    }
}
