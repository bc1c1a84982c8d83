//! A sum over all entries, kept with the checkpoint: an entry that was lost or changed without sled noticing does not add up.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How many entries there are, and the sum of what each of them is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub(super) struct Sum {
    entries: u64,
    sum: u64,
}

impl Sum {
    /// With one entry more.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.entries = self.entries.wrapping_add(1);
        self.sum = self.sum.wrapping_add(print(&[key, value]));
    }

    /// With one entry less.
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) {
        self.entries = self.entries.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(print(&[key, value]));
    }
}

/// A number that hardly anything else has: the beginning of SHA-256 over the parts, each with its length.
pub(super) fn print(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_and_taken_in_any_order_adds_up() {
        let (mut one, mut other) = (Sum::default(), Sum::default());
        one.add(b"a", b"1");
        one.add(b"b", b"2");
        one.take(b"a", b"1");
        other.add(b"b", b"2");
        assert_eq!(one, other);
        other.take(b"b", b"2");
        other.add(b"b", b"3");
        assert_ne!(one, other);
        assert_ne!(print(&[b"a", b"b1"]), print(&[b"ab", b"1"]));
    }
}
