//! Which part of a list to ask for.

use clap::Args;
use clap::builder::TypedValueParser as _;

/// Which part of a list to ask for.
#[derive(Debug, Clone, Args)]
pub(super) struct Paging {
    /// The most items to list, 1 to 1000 [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000).map(|n| n.to_string()))]
    limit: Option<String>,
    /// Go on after this cursor, which the list before ended with
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

/// From when to when to look.
#[derive(Debug, Clone, Args)]
pub(super) struct Span {
    /// From this time on: RFC 3339 (2026-11-24T14:03:05Z) or relative (-2h)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) from: Option<String>,
    /// Before this time: RFC 3339, relative, or now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) to: Option<String>,
}

impl Paging {
    /// Whether any part is asked for.
    pub(super) fn is_given(&self) -> bool {
        self.limit.is_some() || self.after.is_some()
    }

    /// A query with these parts added.
    pub(super) fn query<'a>(
        &'a self,
        query: &[(&'a str, Option<&'a str>)],
    ) -> Vec<(&'a str, Option<&'a str>)> {
        let mine = [("limit", self.limit.as_deref()), ("after", self.after.as_deref())];
        query.iter().copied().chain(mine).collect()
    }
}
