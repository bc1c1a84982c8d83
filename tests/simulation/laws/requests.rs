//! What was asked, and when.

use crate::lives::Past;
use crate::plan::{Act, Kind};
use crate::service::Exchange;

/// No channel is asked for before the cache is certain to be younger than its last good answer, nor while a request for it
/// is under way. Pages of one list follow each other.
pub(super) fn the_order_rule_is_kept(past: &Past) -> Vec<String> {
    let plan = &past.world.plan;
    let mut broken = Vec::new();
    if plan.acts.iter().any(|(_, act)| matches!(act, Act::CommitPanics { .. })) {
        // An answer whose commit was lost is forgotten, and then it need not be the older one.
        return broken;
    }
    // What arrives for a channel that is watched no longer is no observation.
    for (channel, _) in plan.channels.iter().filter(|(_, kind)| *kind != Kind::Added) {
        let mut asked: Vec<&Exchange> =
            past.log.iter().filter(|exchange| exchange.request.channels().contains(channel)).collect();
        asked.sort_by_key(|exchange| (exchange.sent, exchange.received));
        let (mut free, mut life) = (i64::MIN, 0);
        for exchange in asked {
            if exchange.life != life {
                // What was not committed before a crash is forgotten.
                (free, life) = (i64::MIN, exchange.life);
            }
            let sent = past.scale.reading(exchange.sent);
            if sent < free && !exchange.request.is_later_page() {
                broken.push(format!("{channel} was asked for at {sent}, before {free}: {exchange:?}"));
            }
            // Where people moved between pages, only the first page is an observation.
            let seen = exchange.result.is_ok() && !exchange.request.is_later_page();
            let cached = if seen { plan.cache_ttl } else { 0 };
            free = free.max(past.scale.reading(exchange.received) + cached);
        }
    }
    broken
}
