//! The composition root: from a configuration to running parts, until a signal stops them in order.

mod daemon;
mod demo;
mod lock;
mod origin;
mod parts;
mod reach;
mod receivers;
mod secrets;
mod until;

use crate::config::{Config, Findings, Sources};

pub use self::daemon::{Daemon, run};
pub use self::demo::{Demo, DemoOptions};
pub use self::origin::origin;
pub use self::parts::client_config;
pub use self::reach::reach;
pub use self::receivers::{Fault, receiver, receivers};
pub use self::until::Signals;

/// The configuration of a daemon: its notifiers can be made.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(sources: &Sources) -> Result<Config, Findings> {
    Config::load_with(sources, &|notifier| receiver(notifier, "").map(drop))
}
