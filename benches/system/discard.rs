//! Receives the same bytes with the same HTTP client and throws them away: what no poller can do without.

use std::sync::Arc;

use super::loops::{Counts, Job, poll};

pub(crate) fn run(words: &[String]) -> anyhow::Result<()> {
    let counts = Arc::new(Counts::default());
    poll(&Job::read(words)?, "discard", &counts, |mut response, _| async move {
        while response.chunk().await?.is_some() {}
        Ok(())
    })
}
