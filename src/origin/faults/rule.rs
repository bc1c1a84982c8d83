//! One rule: what is done wrong, how often, to which requests about which channels, and when.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::table::{Table, named, names};
use crate::domain::duration;
use crate::domain::names::ChannelName;
use crate::domain::watch::Target;

/// The most rules there can be.
pub const MOST_RULES: usize = 100;
/// The most channels and patterns a rule can name.
pub const MOST_CHANNELS: usize = 1_000;
/// The longest a fault keeps a client waiting: the longest delay, and how long a silence or a drip lasts at most.
pub const LONGEST_DELAY: Duration = Duration::from_mins(10);
/// The longest time until a rule begins, and the longest it can last if it ends by itself.
pub const LONGEST_SCHEDULE: Duration = Duration::from_hours(24);
/// The largest piece of a body that drips, in bytes.
pub const MOST_PIECE: usize = 64 * 1024;

const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);
/// The most ids a list can be cut to.
const MOST_LIMIT: usize = 1_000_000;

/// What is done wrong: see the [module](super). A fault's name, and its keys, are those of JSON and of the
/// configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub(crate) enum Fault {
    Latency {
        #[serde(serialize_with = "text")]
        delay: Duration,
        #[serde(serialize_with = "text")]
        jitter: Duration,
    },
    Silence,
    Drip {
        piece: usize,
        #[serde(serialize_with = "text")]
        pause: Duration,
    },
    Error {
        status: u16,
    },
    Throttle {
        #[serde(serialize_with = "text")]
        retry_after: Duration,
    },
    Forbid,
    Html {
        status: u16,
    },
    Drop,
    Outage,
    Reset,
    CutTransfer,
    CutJson,
    BrokenJson,
    #[serde(rename = "invalid_utf8")]
    InvalidUtf8,
    WrongTotals,
    LowOccupancy,
    ExtraIds,
    RepeatedId,
    BadId {
        id: BadId,
    },
    NoList,
    CutList {
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
    },
    Moved,
}

/// What stands where a user id belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BadId {
    Empty,
    Number,
    Null,
}

const BAD_IDS: [(&str, BadId); 3] =
    [("empty", BadId::Empty), ("number", BadId::Number), ("null", BadId::Null)];

/// Every fault, with what its own keys are if they are not set.
pub(super) const FAULTS: [(&str, Fault); 22] = [
    ("latency", Fault::Latency { delay: Duration::ZERO, jitter: Duration::ZERO }),
    ("silence", Fault::Silence),
    ("drip", Fault::Drip { piece: 16, pause: Duration::from_millis(100) }),
    ("error", Fault::Error { status: 503 }),
    ("throttle", Fault::Throttle { retry_after: Duration::from_secs(1) }),
    ("forbid", Fault::Forbid),
    ("html", Fault::Html { status: 502 }),
    ("drop", Fault::Drop),
    ("outage", Fault::Outage),
    ("reset", Fault::Reset),
    ("cut_transfer", Fault::CutTransfer),
    ("cut_json", Fault::CutJson),
    ("broken_json", Fault::BrokenJson),
    ("invalid_utf8", Fault::InvalidUtf8),
    ("wrong_totals", Fault::WrongTotals),
    ("low_occupancy", Fault::LowOccupancy),
    ("extra_ids", Fault::ExtraIds),
    ("repeated_id", Fault::RepeatedId),
    ("bad_id", Fault::BadId { id: BadId::Empty }),
    ("no_list", Fault::NoList),
    ("cut_list", Fault::CutList { limit: None }),
    ("moved", Fault::Moved),
];

impl Fault {
    fn read(table: &mut Table<'_>) -> Option<Self> {
        let fault = table.one_of("fault", &FAULTS);
        Some(match table.require("fault", fault)? {
            Self::Latency { jitter, .. } => {
                let delay = table.duration("delay", Duration::ZERO..=LONGEST_DELAY);
                let jitter = table.duration("jitter", Duration::ZERO..=LONGEST_DELAY).unwrap_or(jitter);
                Self::Latency { delay: table.require("delay", delay)?, jitter }
            }
            Self::Drip { piece, pause } => Self::Drip {
                piece: table.number("piece", 1..=MOST_PIECE).unwrap_or(piece),
                pause: table.duration("pause", Duration::from_millis(1)..=LONGEST_DELAY).unwrap_or(pause),
            },
            Self::Error { status } => {
                Self::Error { status: table.number("status", 500..=599).unwrap_or(status) }
            }
            Self::Throttle { retry_after } => {
                let seconds = |text: &Value| {
                    let span = duration::parse(text.as_str()?)?;
                    (span <= LONGEST_RETRY_AFTER && span.subsec_nanos() == 0).then_some(span)
                };
                let allowed = "a duration of whole seconds from \"0s\" to \"1h\"";
                let retry_after = table.read("retry_after", allowed, seconds).unwrap_or(retry_after);
                Self::Throttle { retry_after }
            }
            Self::Html { status } => {
                Self::Html { status: table.number("status", 200..=599).unwrap_or(status) }
            }
            Self::BadId { id } => Self::BadId { id: table.one_of("id", &BAD_IDS).unwrap_or(id) },
            Self::CutList { .. } => Self::CutList { limit: table.number("limit", 0..=MOST_LIMIT) },
            fault => fault,
        })
    }

    /// Whether it is done to the lists of a here-now answer, channel by channel.
    pub(crate) fn is_about_lists(self) -> bool {
        self == Self::Moved || self.changes_lists()
    }

    /// Whether it changes an answer that lists users.
    pub(crate) fn changes_lists(self) -> bool {
        matches!(
            self,
            Self::WrongTotals
                | Self::LowOccupancy
                | Self::ExtraIds
                | Self::RepeatedId
                | Self::BadId { .. }
                | Self::NoList
                | Self::CutList { .. }
        )
    }

    /// Whether it can be done to a request.
    fn fits(self, request: RequestKind) -> bool {
        !self.is_about_lists() || matches!(request, RequestKind::HereNow | RequestKind::GlobalHereNow)
    }

    fn default_requests(self) -> Vec<RequestKind> {
        let is_meant = |kind: &RequestKind| (self == Self::Outage || kind.is_read()) && self.fits(*kind);
        REQUESTS.iter().map(|(_, kind)| *kind).filter(is_meant).collect()
    }
}

/// The kinds of requests there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RequestKind {
    HereNow,
    GlobalHereNow,
    WhereNow,
    GetState,
    Groups,
    SetState,
    Heartbeat,
    Leave,
    Subscribe,
    ChangeGroup,
    Time,
}

const REQUESTS: [(&str, RequestKind); 11] = [
    ("here_now", RequestKind::HereNow),
    ("global_here_now", RequestKind::GlobalHereNow),
    ("where_now", RequestKind::WhereNow),
    ("get_state", RequestKind::GetState),
    ("groups", RequestKind::Groups),
    ("set_state", RequestKind::SetState),
    ("heartbeat", RequestKind::Heartbeat),
    ("leave", RequestKind::Leave),
    ("subscribe", RequestKind::Subscribe),
    ("change_group", RequestKind::ChangeGroup),
    ("time", RequestKind::Time),
];

impl RequestKind {
    /// Whether it asks about presence and changes nothing.
    fn is_read(self) -> bool {
        matches!(self, Self::HereNow | Self::GlobalHereNow | Self::WhereNow | Self::GetState | Self::Groups)
    }
}

/// The channels a rule is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Channels(Option<Arc<[Target]>>);

impl Channels {
    /// Whether it is for every channel.
    pub(crate) fn are_all(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the channel is one of them.
    pub(crate) fn contain(&self, channel: &str) -> bool {
        let Some(targets) = &self.0 else { return true };
        ChannelName::new(channel).is_ok_and(|name| targets.iter().any(|target| target.matches(&name)))
    }
}

impl Serialize for Channels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().flat_map(|targets| targets.iter()).map(Target::as_str))
    }
}

/// One rule of [`Faults`](super::Faults): see the [module](super) for its keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    #[serde(flatten)]
    pub(super) fault: Fault,
    pub(super) probability: f64,
    #[serde(skip_serializing_if = "Channels::are_all")]
    pub(super) channels: Channels,
    pub(super) requests: Vec<RequestKind>,
    #[serde(serialize_with = "text")]
    pub(super) after: Duration,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none", serialize_with = "some_text")]
    pub(super) lasts: Option<Duration>,
}

impl Rule {
    pub(super) fn read(mut table: Table<'_>) -> Option<Self> {
        let fault = Fault::read(&mut table);
        let probability = table.read("probability", "a number from 0 to 1", |value| {
            value.as_f64().filter(|value| (0.0..=1.0).contains(value))
        });
        let channels = table.list("channels", MOST_CHANNELS, |value| {
            let text = value.as_str().ok_or("must be a channel name or a pattern with `*`")?;
            Target::new(text).map_err(|error| error.to_string())
        });
        let requests = table.list("requests", REQUESTS.len(), |value| {
            let kind = named(value, &REQUESTS).ok_or_else(|| format!("must be {}", names(&REQUESTS)))?;
            let fits = fault.is_none_or(|fault| fault.fits(kind));
            fits.then_some(kind)
                .ok_or_else(|| "must be here_now or global_here_now: no other has lists of users".to_owned())
        });
        let after = table.duration("after", Duration::ZERO..=LONGEST_SCHEDULE);
        let lasts = table.duration("for", Duration::from_millis(1)..=LONGEST_SCHEDULE);
        // Which keys belong to a fault that is none, nobody knows.
        let fault = fault?;
        table.finish();
        Some(Self {
            fault,
            probability: probability.unwrap_or(1.0),
            channels: Channels(channels.map(Into::into)),
            requests: requests.unwrap_or_else(|| fault.default_requests()),
            after: after.unwrap_or_default(),
            lasts,
        })
    }

    /// Whether it is in force so long after the rules came.
    pub(super) fn is_on(&self, elapsed: Duration) -> bool {
        elapsed.checked_sub(self.after).is_some_and(|since| self.lasts.is_none_or(|lasts| since < lasts))
    }
}

fn text<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&duration::text(*span))
}

#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn some_text<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(duration::text).serialize(serializer)
}
