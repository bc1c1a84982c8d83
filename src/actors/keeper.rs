//! The state actor: keeps the known states in step with the history.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tracing::{info, warn};

use super::seat::Obituary;
use super::supervisor::Child;
use crate::history::History;
use crate::states::States;

/// So often it looks whether anything is left to do: what failed is tried again, and what was found damaged by a question
/// is made anew.
const EVERY: Duration = Duration::from_secs(5);

/// Keeps the known states.
pub struct Keeper {
    states: Arc<States>,
    history: Arc<dyn History>,
    /// Whether it is catching up, and whether more came meanwhile.
    busy: bool,
    again: bool,
    /// Whether the last time failed, and that was told.
    failed: bool,
    _obituary: Obituary<Child>,
}

/// The history has more. It does not matter how many of these are lost, as long as one arrives after the last commit.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CatchUp;

impl Keeper {
    /// A keeper of `states`.
    pub fn new(states: Arc<States>, history: Arc<dyn History>, obituary: Obituary<Child>) -> Self {
        Self { states, history, busy: false, again: false, failed: false, _obituary: obituary }
    }

    fn catch_up(&mut self, ctx: &mut Context<Self>) {
        if self.busy {
            self.again = true;
            return;
        }
        self.busy = true;
        let (states, history) = (Arc::clone(&self.states), Arc::clone(&self.history));
        let work = async move { tokio::task::spawn_blocking(move || states.catch_up(&*history)).await };
        ctx.spawn(work.into_actor(self).map(|result, keeper, ctx| {
            keeper.busy = false;
            keeper.tell(
                result
                    .map_err(|lost| lost.to_string())
                    .and_then(|done| done.map_err(|error| error.to_string())),
            );
            if std::mem::take(&mut keeper.again) {
                keeper.catch_up(ctx);
            }
        }));
    }

    /// Says when the states fall behind, and when they are in step again.
    fn tell(&mut self, result: Result<usize, String>) {
        let failed = result.is_err();
        match result {
            Err(error) if !self.failed => warn!(error, "the known states are behind the history"),
            Ok(_) if self.failed => info!("the known states are in step with the history again"),
            _ => {}
        }
        self.failed = failed;
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.catch_up(ctx);
        ctx.run_interval(EVERY, Self::catch_up);
    }
}

impl Handler<CatchUp> for Keeper {
    type Result = ();

    fn handle(&mut self, _: CatchUp, ctx: &mut Self::Context) {
        self.catch_up(ctx);
    }
}
