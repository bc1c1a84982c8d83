//! Names of channels, users, groups and keys: any text.

use std::sync::Arc;

/// A name, shared wherever it is used.
pub(crate) type Name = Arc<str>;
