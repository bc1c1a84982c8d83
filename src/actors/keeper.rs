//! The state actor: keeps the known states in step with the history.

use std::sync::Arc;

use actix::prelude::*;
use tracing::warn;

use super::seat::Obituary;
use super::supervisor::Child;
use crate::history::History;
use crate::states::States;

/// Keeps the known states.
pub struct Keeper {
    states: Arc<States>,
    history: Arc<dyn History>,
    /// Whether it is catching up, and whether more came meanwhile.
    busy: bool,
    again: bool,
    _obituary: Obituary<Child>,
}

/// The history has more. It does not matter how many of these are lost, as long as one arrives after the last commit.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CatchUp;

impl Keeper {
    /// A keeper of `states`.
    pub fn new(states: Arc<States>, history: Arc<dyn History>, obituary: Obituary<Child>) -> Self {
        Self { states, history, busy: false, again: false, _obituary: obituary }
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
            if let Ok(Err(error)) = result {
                warn!(%error, "the known states are behind the history");
            }
            if std::mem::take(&mut keeper.again) {
                keeper.catch_up(ctx);
            }
        }));
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.catch_up(ctx);
    }
}

impl Handler<CatchUp> for Keeper {
    type Result = ();

    fn handle(&mut self, _: CatchUp, ctx: &mut Self::Context) {
        self.catch_up(ctx);
    }
}
