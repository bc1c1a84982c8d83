//! What answers look like. Each body is made from the domain's values and nothing else; the domain knows nothing of
//! them. Times are RFC 3339 in UTC with milliseconds, lengths (`…_s`) are numbers of seconds.

pub mod alert;
pub mod channel;
pub mod delivery;
pub mod event;
pub mod gap;
pub mod health;
pub mod occupancy;
pub mod occupants;
pub mod presence;
pub mod silence;
pub mod span;
pub mod user;
pub mod visit;
pub mod watch;

use serde::Serialize;
use utoipa::ToSchema;

use self::span::share;
use super::cursor::Cursor;
use crate::actors::handle::{Coverage, Page};

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListBody<T> {
    /// In the list's order.
    pub items: Vec<T>,
    /// Pass it as `after` to go on; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// A page of a list about a span of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpanListBody<T> {
    /// In the list's order.
    pub items: Vec<T>,
    /// Pass it as `after` to go on; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
    /// How much of the span was observed; null unless one channel was asked about.
    #[schema(required = true)]
    pub coverage: Option<CoverageBody>,
}

impl<T> SpanListBody<T> {
    pub(crate) fn of<I: Into<T>, C: Cursor>(page: Page<I, C>) -> Self {
        Self {
            items: page.items.into_iter().map(Into::into).collect(),
            next: page.next.map(|next| next.encode()),
            coverage: page.coverage.map(Into::into),
        }
    }
}

/// How much of a span was observed, 0 to 1, rounded down to four decimals.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Coverage)]
pub struct CoverageBody {
    /// The share in which the occupancy was.
    #[schema(minimum = 0, maximum = 1)]
    pub occupancy: f64,
    /// The share in which the users were.
    #[schema(minimum = 0, maximum = 1)]
    pub users: f64,
}

impl From<Coverage> for CoverageBody {
    fn from(coverage: Coverage) -> Self {
        Self { occupancy: share(coverage.occupancy), users: share(coverage.users) }
    }
}

/// The words of a domain enum, for the schema: a value of each comes from the domain's value of the same name.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident from $domain:ty { $($(#[$word_doc:meta])* $word:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$word_doc])* $word,)*
        }

        impl From<$domain> for $name {
            fn from(value: $domain) -> Self {
                match value { $(<$domain>::$word => Self::$word,)* }
            }
        }
    };
}
pub(crate) use words;
