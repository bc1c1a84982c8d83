//! What requests say: parameters of the query, names in the path. All of it is text from outside until it passed
//! through here; whatever is wrong is a [`Problem`] that names the parameter.

use std::fmt::Display;
use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::IntoParams;

use super::cursor::Cursor;
use super::problem::{Code, Problem};
use super::times::{SPAN_FORMS, TIME_FORMS, parse_span, parse_time};
use crate::domain::alert::{AlertId, LabelError, NotifierName, RuleName};
use crate::domain::event::EventKind;
use crate::domain::names::{ChannelName, NameError, UserId};
use crate::domain::time::Time;
use crate::domain::watch::Target;

/// How many items a list has unless asked otherwise.
pub(crate) const DEFAULT_LIMIT: usize = 100;

/// How many items a list has at most.
pub(crate) const MAX_LIMIT: usize = 1000;

/// The parameters of a request's query, each known, given once and in valid UTF-8.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned + IntoParams> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse_query(request.query_string()).map(Self))
    }
}

fn bad_parameter(detail: String) -> Problem {
    Problem::new(Code::BadParameter, detail)
}

fn parse_query<T: DeserializeOwned + IntoParams>(query: &str) -> Result<T, Problem> {
    let mut given = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode_form(name).ok_or_else(|| bad_parameter("a name is not UTF-8".to_owned()))?;
        let value = decode_form(value).ok_or_else(|| bad_parameter(format!("{name}: is not UTF-8")))?;
        if given.contains_key(&name) {
            return Err(bad_parameter(format!("{name}: is given more than once")));
        }
        given.insert(name, Value::String(value));
    }
    let names: Vec<String> = given.keys().cloned().collect();
    serde_json::from_value(Value::Object(given)).map_err(|error| {
        let allowed: Vec<String> = T::into_params(|| None).into_iter().map(|param| param.name).collect();
        let unknown: Vec<&str> =
            names.iter().filter(|name| !allowed.contains(name)).map(String::as_str).collect();
        bad_parameter(match (unknown.as_slice(), allowed.as_slice()) {
            ([], _) => error.to_string(),
            (unknown, []) => format!("unknown: {}; none are allowed here", unknown.join(", ")),
            (unknown, allowed) => format!("unknown: {}; allowed: {}", unknown.join(", "), allowed.join(", ")),
        })
    })
}

/// As forms are encoded: `+` is a space, `%` begins an escape.
fn decode_form(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// A kind of name that requests give.
pub(crate) trait Name: Sized {
    /// What it names.
    const WHAT: &'static str;

    /// The rule that a text breaks.
    type Broken: Display;

    /// Checks and takes a name.
    ///
    /// # Errors
    /// The rule it breaks.
    fn parse(text: &str) -> Result<Self, Self::Broken>;
}

macro_rules! names {
    ($($name:ty: $what:literal, $broken:ty;)*) => {
        $(impl Name for $name {
            const WHAT: &'static str = $what;
            type Broken = $broken;

            fn parse(text: &str) -> Result<Self, $broken> {
                Self::new(text)
            }
        })*
    };
}

names! {
    ChannelName: "channel", NameError;
    UserId: "user", NameError;
    Target: "channel", NameError;
    RuleName: "rule", LabelError;
    NotifierName: "notifier", LabelError;
}

/// The name in a path: always the third segment (`/v1/channels/{channel}/occupants`). It is taken from the path as it
/// was sent, because a router decodes before it matches and replaces what is not UTF-8.
pub(crate) struct PathName<N>(pub(crate) N);

impl<N: Name> FromRequest for PathName<N> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(name_in_path(request.uri().path()).map(Self))
    }
}

/// A text in a path that is no name, in the same place. What is not UTF-8 in it is replaced: nothing is called so.
pub(crate) struct PathText(pub(crate) String);

impl FromRequest for PathText {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let segment = request.uri().path().split('/').nth(3).unwrap_or_default();
        ready(Ok(Self(percent_decode_str(segment).decode_utf8_lossy().into_owned())))
    }
}

fn name_in_path<N: Name>(path: &str) -> Result<N, Problem> {
    let segment = path.split('/').nth(3).unwrap_or_default();
    let text = percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| Problem::new(Code::BadName, format!("the {} is not UTF-8", N::WHAT)))?;
    name(&text)
}

/// Checks and takes a name.
///
/// # Errors
/// [`Code::BadName`].
pub(crate) fn name<N: Name>(text: &str) -> Result<N, Problem> {
    N::parse(text).map_err(|error| Problem::new(Code::BadName, format!("the {} {error}", N::WHAT)))
}

/// A name that may be left out.
///
/// # Errors
/// [`Code::BadName`].
pub(crate) fn optional_name<N: Name>(text: Option<&String>) -> Result<Option<N>, Problem> {
    text.map(|text| name(text)).transpose()
}

/// A name that must be given.
///
/// # Errors
/// [`Code::BadParameter`] if it is not, [`Code::BadName`].
pub(crate) fn required_name<N: Name>(text: Option<&String>) -> Result<N, Problem> {
    optional_name(text)?.ok_or_else(|| bad_parameter(format!("{}: is required", N::WHAT)))
}

/// A time that may be left out.
///
/// # Errors
/// [`Code::BadTime`].
pub(crate) fn time(parameter: &str, text: Option<&String>, now: Time) -> Result<Option<Time>, Problem> {
    let read = |text: &String| {
        parse_time(text, now).ok_or_else(|| {
            // What was a plus in the address is a space here.
            let hint = if text.contains(' ') { "; in an address, a plus is written %2B" } else { "" };
            Problem::new(Code::BadTime, format!("{parameter}: {text:?} is no time; {TIME_FORMS}{hint}"))
        })
    };
    text.map(read).transpose()
}

/// The ends of a span, either of which may be left out.
///
/// # Errors
/// [`Code::BadTime`], [`Code::BadRange`] if it does not end after it begins.
pub(crate) fn span(
    from: Option<&String>,
    to: Option<&String>,
    now: Time,
) -> Result<(Option<Time>, Option<Time>), Problem> {
    let (from, to) = (time("from", from, now)?, time("to", to, now)?);
    if let (Some(from), Some(to)) = (from, to) {
        ordered(from, to)?;
    }
    Ok((from, to))
}

/// That a span ends after it begins.
///
/// # Errors
/// [`Code::BadRange`].
pub(crate) fn ordered(from: Time, to: Time) -> Result<(), Problem> {
    if from < to {
        return Ok(());
    }
    Err(Problem::new(Code::BadRange, format!("from ({from}) must be before to ({to})")))
}

/// A length of time that may be left out.
///
/// # Errors
/// [`Code::BadParameter`].
pub(crate) fn length(parameter: &str, text: Option<&String>) -> Result<Option<Duration>, Problem> {
    let read = |text: &String| {
        parse_span(text)
            .ok_or_else(|| bad_parameter(format!("{parameter}: {text:?} is no span; {SPAN_FORMS}")))
    };
    text.map(read).transpose()
}

/// How many items to list.
///
/// # Errors
/// [`Code::BadLimit`] unless it is 1 to [`MAX_LIMIT`].
pub(crate) fn limit(text: Option<&String>) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(DEFAULT_LIMIT) };
    text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
        Problem::new(
            Code::BadLimit,
            format!("limit: must be a whole number from 1 to {MAX_LIMIT}, not {text:?}"),
        )
    })
}

/// Where a list goes on.
///
/// # Errors
/// [`Code::BadCursor`].
pub(crate) fn after<C: Cursor>(text: Option<&String>) -> Result<Option<C>, Problem> {
    text.map(|text| C::decode(text)).transpose()
}

/// A yes or no that may be left out.
///
/// # Errors
/// [`Code::BadParameter`].
pub(crate) fn flag(parameter: &str, text: Option<&String>) -> Result<Option<bool>, Problem> {
    match text.map(String::as_str) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(bad_parameter(format!("{parameter}: must be true or false, not {other:?}"))),
    }
}

/// One of a few words, which may be left out.
///
/// # Errors
/// [`Code::BadParameter`].
pub(crate) fn word<T: Copy>(
    parameter: &str,
    text: Option<&String>,
    all: &[T],
    as_str: fn(T) -> &'static str,
) -> Result<Option<T>, Problem> {
    let read = |text: &String| {
        all.iter().copied().find(|word| as_str(*word) == text).ok_or_else(|| {
            let words: Vec<&str> = all.iter().map(|word| as_str(*word)).collect();
            bad_parameter(format!("{parameter}: must be one of {}, not {text:?}", words.join(", ")))
        })
    };
    text.map(read).transpose()
}

/// The id of an alert, which may be left out.
///
/// # Errors
/// [`Code::BadParameter`].
pub(crate) fn alert_id(text: Option<&String>) -> Result<Option<AlertId>, Problem> {
    let read = |text: &String| {
        AlertId::parse(text).ok_or_else(|| {
            bad_parameter(format!("alert_id: must be the id of an alert, a UUID, not {text:?}"))
        })
    };
    text.map(read).transpose()
}

/// Kinds of events, separated by commas; none means all.
///
/// # Errors
/// [`Code::BadParameter`].
pub(crate) fn kinds(text: Option<&String>) -> Result<Vec<EventKind>, Problem> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let read = |text: &str| {
        EventKind::PUBLIC.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            bad_parameter(format!(
                "kind: must be join, leave, state or present, or several with commas, not {text:?}"
            ))
        })
    };
    text.split(',').map(read).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, IntoParams, PartialEq, Debug)]
    #[serde(deny_unknown_fields)]
    struct Some2 {
        channel: Option<String>,
        at: Option<String>,
    }

    #[derive(Deserialize, IntoParams, PartialEq, Debug)]
    #[serde(deny_unknown_fields)]
    struct None2 {}

    fn detail(query: &str) -> String {
        let problem = parse_query::<Some2>(query).unwrap_err();
        assert_eq!(problem.code, Code::BadParameter);
        problem.detail
    }

    #[test]
    fn parameters_are_decoded_as_forms_are() {
        let query = parse_query::<Some2>("channel=a+b%2F%F0%9F%98%80%26&at=").unwrap();
        assert_eq!(query, Some2 { channel: Some("a b/😀&".to_owned()), at: Some(String::new()) });
        assert_eq!(parse_query::<Some2>("").unwrap(), Some2 { channel: None, at: None });
    }

    #[test]
    fn unknown_repeated_and_undecodable_parameters_are_refused_by_name() {
        assert_eq!(detail("chanel=x&at=now&to=1"), "unknown: chanel, to; allowed: channel, at");
        assert_eq!(detail("at=now&at=now"), "at: is given more than once");
        assert_eq!(detail("at=now&%61t=now"), "at: is given more than once");
        assert_eq!(detail("channel=%ff"), "channel: is not UTF-8");
        assert_eq!(detail("%ff=1"), "a name is not UTF-8");
        assert_eq!(parse_query::<None2>("x=1").unwrap_err().detail, "unknown: x; none are allowed here");
    }

    #[test]
    fn a_name_in_a_path_may_hold_any_character() {
        let channel = |path: &str| name_in_path::<ChannelName>(path);
        assert_eq!(channel("/v1/channels/a%2Fb%20%25/occupants").unwrap().as_str(), "a/b %");
        assert_eq!(channel("/v1/channels/a+b").unwrap().as_str(), "a+b", "a plus is a plus in a path");
        assert_eq!(channel("/v1/channels/%F0%9F%98%80").unwrap().as_str(), "😀");
        for path in ["/v1/channels/%FF", "/v1/channels/a%2Cb", "/v1/channels/room.*", "/v1/channels/x-pnpres"]
        {
            assert_eq!(channel(path).unwrap_err().code, Code::BadName, "{path}");
        }
        assert!(matches!(name_in_path("/v1/watches/room.%2A").unwrap(), Target::Pattern(_)));
    }

    proptest! {
        #[test]
        fn no_request_makes_reading_it_panic(text in "\\PC{0,40}|[a-z%&=+/.0-9A-F]{0,40}") {
            let read = parse_query::<Some2>(&text);
            prop_assert!(read.is_ok() || read.is_err_and(|problem| problem.code == Code::BadParameter));
            let named = name_in_path::<ChannelName>(&text);
            prop_assert!(named.is_ok() || named.is_err_and(|problem| problem.code == Code::BadName));
            let cursor = after::<crate::history::VisitCursor>(Some(&text));
            prop_assert!(cursor.is_err_and(|problem| problem.code == Code::BadCursor));
        }
    }

    #[test]
    fn limits_flags_kinds_and_spans_are_checked() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(limit(None).unwrap(), DEFAULT_LIMIT);
        assert_eq!(limit(text("1000").as_ref()).unwrap(), 1000);
        for wrong in ["0", "1001", "-1", "x", "", "1e2"] {
            assert_eq!(limit(text(wrong).as_ref()).unwrap_err().code, Code::BadLimit, "{wrong:?}");
        }
        assert_eq!(flag("open", text("true").as_ref()).unwrap(), Some(true));
        assert_eq!(flag("open", text("yes").as_ref()).unwrap_err().code, Code::BadParameter);
        assert_eq!(kinds(text("join,leave").as_ref()).unwrap(), [EventKind::Join, EventKind::Leave]);
        assert_eq!(kinds(text("settled").as_ref()).unwrap_err().code, Code::BadParameter);
        let now = Time::parse("2026-11-24T06:00:00Z").unwrap();
        assert_eq!(span(text("now").as_ref(), text("-1h").as_ref(), now).unwrap_err().code, Code::BadRange);
        assert_eq!(span(text("now").as_ref(), text("now").as_ref(), now).unwrap_err().code, Code::BadRange);
        assert_eq!(span(text("soon").as_ref(), None, now).unwrap_err().code, Code::BadTime);
        assert!(span(text("-1h").as_ref(), text("now").as_ref(), now).is_ok());
    }
}
