//! `[state]`: where known states are kept.

use std::path::PathBuf;

use super::section::Section;

/// The known states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The folder of the sled database.
    pub path: PathBuf,
}

pub(super) fn read(mut section: Section<'_>) -> Option<State> {
    let path = section.path("path");
    section.finish();
    Some(State { path: path? })
}
