//! Where the current actor of a role sits, and how its death is heard of.

use std::sync::Arc;

use actix::{Actor, Addr};
use parking_lot::RwLock;
use tokio::sync::mpsc;

/// The address of whoever holds a role now. A child that died is replaced by another at the same seat, so holders of a
/// seat need not hear of it.
#[derive(Debug)]
pub struct Seat<A: Actor>(Arc<RwLock<Option<Addr<A>>>>);

impl<A: Actor> Clone for Seat<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A: Actor> Default for Seat<A> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<A: Actor> Seat<A> {
    /// Who sits there, if anybody does.
    pub fn get(&self) -> Option<Addr<A>> {
        self.0.read().clone()
    }

    /// Seats somebody.
    pub fn put(&self, addr: Addr<A>) {
        *self.0.write() = Some(addr);
    }

    /// Leaves it empty.
    pub fn clear(&self) {
        *self.0.write() = None;
    }
}

/// How a child came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It was told to end, and has.
    AsTold,
    /// It gives way to a successor that loads its state again.
    ToStartAgain,
    /// It panicked, or stopped by itself.
    Suddenly,
}

/// Held by a child: tells the supervisor when it is dropped, be it by a stop or while a panic unwinds.
#[derive(Debug)]
pub struct Obituary<T: Clone> {
    whose: T,
    ended: Ended,
    deaths: mpsc::UnboundedSender<(T, Ended)>,
}

impl<T: Clone> Obituary<T> {
    /// For the child that `whose` names. The channel holds at most one message a child.
    pub fn new(whose: T, deaths: mpsc::UnboundedSender<(T, Ended)>) -> Self {
        Self { whose, ended: Ended::Suddenly, deaths }
    }

    /// Says how the end that is coming came about.
    pub fn ends(&mut self, ended: Ended) {
        self.ended = ended;
    }
}

impl<T: Clone> Drop for Obituary<T> {
    fn drop(&mut self) {
        // Nobody listens any more when adsum itself ends.
        let _ = self.deaths.send((self.whose.clone(), self.ended));
    }
}
