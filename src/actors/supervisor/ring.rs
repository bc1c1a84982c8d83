//! What time alone does to alerts: now and then every channel is looked at, and those for which it is time are judged.

use std::time::Duration;

use actix::prelude::*;

use super::Supervisor;
use super::place::Place;
use crate::actors::channel::Ring;

/// So often. What a rule's clock decides is late by no more than this.
pub(super) const RING_EVERY: Duration = Duration::from_secs(1);

impl Supervisor {
    pub(super) fn ring(&mut self, ctx: &mut Context<Self>) {
        if self.stopping {
            return;
        }
        let (judge, now) = (&self.parts.judge, self.clock().now());
        let current = judge.editions.current();
        let edition = current.number;
        if self.quiet == Some(edition) && current.alerting.rules.is_empty() {
            return;
        }
        self.quiet = Some(edition);
        let mut dormant = Vec::new();
        for (name, place) in &self.channels {
            let due = self.parts.registry.get(name).filter(|live| judge.is_due(live, edition, now));
            let Some(live) = due else { continue };
            self.quiet = None;
            match place {
                // One whose mailbox is full is told again soon.
                Place::Watched(actor) => drop(actor.try_send(Ring)),
                Place::Dormant { .. } => {
                    let unchanged = live.channel.read().unchanged();
                    dormant.push(judge.propose(&live, None, unchanged));
                }
                // What ends, or is loaded or recorded, is looked at again then.
                Place::ToLoad | Place::Loading | Place::Ending { .. } | Place::Recording { .. } => {}
            }
        }
        self.record_dormant(dormant, ctx);
    }
}
