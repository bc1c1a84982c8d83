//! The composition root: from a configuration to running parts, until a signal stops them in order.

mod daemon;
mod demo;
mod lock;
mod origin;
mod parts;
mod reach;
mod receivers;
mod until;

pub use self::daemon::{Daemon, run};
pub use self::demo::{Demo, DemoOptions};
pub use self::origin::origin;
pub use self::parts::client_config;
pub use self::reach::reach;
pub use self::receivers::{Fault, receiver, receivers};
pub use self::until::Signals;
