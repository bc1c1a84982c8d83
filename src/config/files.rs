//! Small text files: the configuration itself and the files secrets stand in.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The text of a file of at most `limit` bytes. Pipes and devices may be read too, so the limit counts what is read.
///
/// # Errors
///
/// What the system says, or that the file is longer than `limit` or not UTF-8. No error holds any of the text.
pub(super) fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(io::Error::other(format!("it is longer than {limit} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}
