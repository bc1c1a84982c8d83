//! Who is in the channels of the made-up service, at any time: computed, not kept, so that whoever checks knows it too.

use std::time::Duration;

use anyhow::Context as _;

/// Bytes of every user id.
pub(crate) const USER_BYTES: usize = 29;

/// Channels of equal size. In a moving crowd somebody of each leaves and comes back in turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    pub(crate) channels: usize,
    pub(crate) users: usize,
    /// Leaves and joins per second, in each channel.
    pub(crate) changes: f64,
}

impl Crowd {
    pub(crate) fn still(channels: usize, users: usize) -> Self {
        Self { channels, users, changes: 0.0 }
    }

    /// 1 % of the users leave or join per second.
    pub(crate) fn moving(channels: usize, users: usize) -> Self {
        Self { channels, users, changes: users as f64 / 100.0 }
    }

    /// As a role is given it.
    pub(crate) fn words(self) -> [String; 3] {
        [self.channels.to_string(), self.users.to_string(), self.changes.to_string()]
    }

    pub(crate) fn read(words: &[String]) -> anyhow::Result<Self> {
        let [channels, users, changes] = words else { anyhow::bail!("a crowd has three numbers") };
        let parse = || -> Option<Self> {
            Some(Self {
                channels: channels.parse().ok()?,
                users: users.parse().ok()?,
                changes: changes.parse().ok()?,
            })
        };
        parse().with_context(|| format!("no crowd: {words:?}"))
    }

    /// Who is missing from a channel by then, if somebody is: of all, in turn, each for as long as nobody is.
    pub(crate) fn missing(self, channel: usize, elapsed: Duration) -> Option<usize> {
        let steps = self.steps(channel, elapsed);
        (steps % 2 == 1).then(|| (steps / 2) as usize % self.users.max(1))
    }

    /// How often somebody left or came. Channels are out of step with each other.
    fn steps(self, channel: usize, elapsed: Duration) -> u64 {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let phase = (channel as f64 * GOLDEN).fract();
        if self.changes == 0.0 { 0 } else { (elapsed.as_secs_f64() * self.changes + phase) as u64 }
    }
}

/// Short: a configuration of 100,000 names must fit into 1 MiB.
pub(crate) fn channel_name(channel: usize) -> String {
    format!("{channel:05x}")
}

pub(crate) fn channel_number(name: &str) -> Option<usize> {
    usize::from_str_radix(name, 16).ok()
}

/// Always of [`USER_BYTES`].
pub(crate) fn user_name(channel: usize, slot: usize) -> String {
    let number = (channel as u64) << 20 | slot as u64;
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    format!("user-{channel:07}-{slot:07}-{mixed:08x}")
}
