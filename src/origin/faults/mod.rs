//! Faults: how the origin misbehaves on purpose, so that one can see what a client makes of it.
//!
//! [`Faults`] are a seed and a list of rules. They come from `[origin.faults]` in the configuration and, while the
//! origin runs, from `PUT /faults`; both are read by [`Faults::read`] and mean the same:
//!
//! ```toml
//! [origin.faults]
//! seed = 1
//! [[origin.faults.rule]]
//! fault = "error"
//! status = 503
//! probability = 0.2
//! channels = ["room.*"]
//! ```
//!
//! ```json
//! {"seed": 1, "rule": [{"fault": "error", "status": 503, "probability": 0.2, "channels": ["room.*"]}]}
//! ```
//!
//! # Keys of every rule
//!
//! | key | meaning |
//! | --- | --- |
//! | `fault` | what is done: see below; the only key that must be there |
//! | `probability` | how likely it is for each request, 0 to 1; not set: 1 |
//! | `channels` | names and patterns with `*`; not set: all |
//! | `requests` | which requests: `here_now`, `global_here_now`, `where_now`, `get_state`, `groups` (a listing), `set_state`, `heartbeat`, `leave`, `subscribe`, `change_group`, `time`; not set: the first five, which change nothing (an `outage`: all; lists: the first two, there are no other) |
//! | `after` | how long after the rules came into force it begins; not set: at once |
//! | `for` | how long it lasts; not set: until the rules change |
//!
//! # Faults and their own keys
//!
//! | fault | what the client sees | keys |
//! | --- | --- | --- |
//! | `latency` | the answer comes late; it is as of the request's arrival | `delay`, `jitter` (up to so much more; not set: 0s) |
//! | `silence` | no answer, for [`LONGEST_DELAY`] at most; then the connection is closed | |
//! | `drip` | the body comes in pieces, for [`LONGEST_DELAY`] at most; then the connection is closed | `piece` (bytes; 16), `pause` (100ms) |
//! | `error` | an error of the service | `status` (500 to 599; 503) |
//! | `throttle` | 429 with `Retry-After` | `retry_after` (1s) |
//! | `forbid` | 403 that names the channels the rule is for | |
//! | `html` | a page instead of JSON | `status` (200 to 599; 502) |
//! | `drop` | the connection is closed without an answer | |
//! | `outage` | the same, whatever is asked | |
//! | `reset` | the connection is reset (TCP RST); one opened before the rule came is closed once, as by `drop` | |
//! | `cut_transfer` | the connection is closed within the body: `Content-Length` is more than is sent | |
//! | `cut_json` | a whole answer whose JSON ends too early | |
//! | `broken_json` | an answer that is no JSON | |
//! | `invalid_utf8` | an answer that is no UTF-8 | |
//! | `wrong_totals` | `total_channels` or `total_occupancy` does not add up | |
//! | `low_occupancy` | `occupancy` is one less than the list has ids | |
//! | `extra_ids` | the list has invented ids, one more than `occupancy` | |
//! | `repeated_id` | the last id is the first once more | |
//! | `bad_id` | the last id is no id | `id` (`empty`, `number` or `null`; `empty`) |
//! | `no_list` | there is no list, though it was asked for | |
//! | `cut_list` | the list is cut; `occupancy` is true | `limit` (ids that are left; not set: any number at random) |
//! | `moved` | people move while one pages: the list of a request with `offset` begins elsewhere | |
//!
//! The last eight are done to the lists of here-now answers, global ones too, and only to the channels the rule is for.
//! (`wrong_totals` is done to answers that have totals; a flat one has none.)
//!
//! # Which requests a rule concerns
//!
//! A rule with `channels` concerns a request that names one of them. A request that names none (global here-now,
//! groups, where-now) is concerned by rules without `channels`, and by rules about lists. All rules that concern a
//! request are tried, in their order: delays add up, lists are changed one after the other, and of what comes instead
//! of the answer, or spoils how it is sent, the first counts.
//!
//! A request that is answered by something else (an error, a page, nothing) is not carried out; any other is, and its
//! answer alone suffers. So what the origin knows is true whatever the faults. Nor do they touch polls held already,
//! requests that cannot be read, or `/faults` itself.
//!
//! Each rule has a generator of its own, seeded by `seed` and the rule's place: the same seed, rules and order of
//! requests (those the rule concerns) give the same faults. Without a seed one is drawn; `GET /faults` and the log tell
//! it.

mod bytes;
mod in_force;
mod lists;
mod rule;
mod table;

use serde::Serialize;
use serde_json::Value;

pub(crate) use bytes::spoil;
pub(crate) use in_force::{Blow, InForce, Request};
pub(crate) use lists::change_lists;
pub(crate) use rule::{Fault, RequestKind};
pub use rule::{LONGEST_DELAY, LONGEST_SCHEDULE, MOST_CHANNELS, MOST_PIECE, MOST_RULES, Rule};
pub use table::FaultFinding;
use table::Table;

/// The largest seed: what a JSON number carries exactly everywhere.
pub const LARGEST_SEED: u64 = (1 << 53) - 1;

/// What the origin is to do wrong. The default is nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Faults {
    /// What every decision follows from; drawn where it is not given. At most [`LARGEST_SEED`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What is done wrong, in the order in which it is tried. At most [`MOST_RULES`].
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
}

impl Faults {
    /// Reads faults from JSON, or from what a configuration has in its place.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn read(value: &Value) -> Result<Self, Vec<FaultFinding>> {
        let mut findings = Vec::new();
        let faults = Table::root(value, &mut findings).map(|mut table| {
            let seed = table.number("seed", 0..=LARGEST_SEED);
            let rules = table.tables("rule", MOST_RULES, Rule::read);
            table.finish();
            Self { seed, rules }
        });
        match faults {
            Some(faults) if findings.is_empty() => Ok(faults),
            _ => Err(findings),
        }
    }
}

#[cfg(test)]
mod tests;
