//! Which channels and groups a state is about.

use clap::Args;

/// Channels and channel groups, at least one of either.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub(super) struct Targets {
    /// A channel; may be given more than once
    #[arg(long = "channel", value_name = "CHANNEL")]
    pub(super) channels: Vec<String>,
    /// A channel group, for all its channels; may be given more than once
    #[arg(long = "group", value_name = "GROUP")]
    pub(super) groups: Vec<String>,
}
