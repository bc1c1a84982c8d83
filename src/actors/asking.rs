//! One question to the service, and what its answer says of each channel.

use hashbrown::HashMap;
use tracing::debug;

use super::poller::PollerParts;
use super::source::{HereNow, Listing, Trouble, bad_answer, counted};
use crate::domain::names::ChannelName;
use crate::domain::observation::{Observation, Occupant};
use crate::domain::pages::{MAX_PAGES, PAGE, PageSeen, Pages};
use crate::domain::plan::{Ask, Failure};
use crate::domain::time::{Moment, Time};

/// The most users of one channel that are taken, in one list or in pages: a million.
const MAX_LISTED: usize = (MAX_PAGES - 1) * PAGE;

/// The most bytes that the ids and states of one channel may have, in one list or in pages. A million ids of 36 bytes
/// and states of 200 fit.
const MAX_LIST_BYTES: usize = 256 * 1024 * 1024;

/// What came of a request.
pub(super) struct Report {
    pub(super) ask: Ask,
    pub(super) sent: Time,
    pub(super) received: Time,
    pub(super) result: Result<Vec<Seen>, Trouble>,
}

/// What an answer says of one channel that was asked for; `None`: nothing, it was missing.
pub(super) type Seen = (ChannelName, Option<Observation>);

/// Makes one request, or as many as a list has pages.
pub(super) async fn make(parts: &PollerParts, ask: Ask) -> Report {
    // A channel whose users are not asked for any more has no list to page through.
    let paged = ask.paged && ask.include_uuids;
    let (sent, received, result) = match one(parts, &ask, paged.then_some(0)).await {
        Ok(first) if paged => pages(parts, &ask, first).await,
        Ok(first) => (first.sent, first.received, graded(&ask, first, parts)),
        Err((sent, trouble)) => (sent, parts.clock.now(), Err(trouble)),
    };
    let result = result.map_err(|trouble| named(&ask, trouble));
    Report { ask, sent, received, result }
}

/// The trouble, with the channel's name where it was asked for alone: whoever reads the log wants to know which it is.
fn named(ask: &Ask, trouble: Trouble) -> Trouble {
    match ask.channels.as_slice() {
        [alone] => Trouble { what: format!("{} (asked for {alone:?} alone)", trouble.what), ..trouble },
        _ => trouble,
    }
}

/// An answer, and when it was asked for and had arrived.
struct Answer {
    sent: Time,
    received: Time,
    listings: Vec<Listing>,
}

async fn one(parts: &PollerParts, ask: &Ask, offset: Option<usize>) -> Result<Answer, (Time, Trouble)> {
    parts.pace.turn().await;
    let page = offset.map(|offset| (number(PAGE), number(offset)));
    let request = HereNow {
        channels: ask.channels.clone(),
        include_state: ask.include_state,
        include_uuids: ask.include_uuids,
        page,
    };
    let sent = parts.stamp();
    let answer = counted(parts.source.here_now(request).await);
    let received = parts.stamp();
    match answer {
        Ok(listings) => Ok(Answer { sent, received, listings }),
        Err(trouble) => Err((sent, trouble)),
    }
}

/// As the wire has it; the pages of a list end long before this cuts.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// What the answer says of each channel asked for. Who was asked for alone must be in it: only then does a channel that
/// is missing from an answer about many get an answer of its own.
fn graded(ask: &Ask, answer: Answer, parts: &PollerParts) -> Result<Vec<Seen>, Trouble> {
    let moment = parts.moment(answer.sent, answer.received);
    let mut listings: HashMap<String, Listing> =
        answer.listings.into_iter().map(|listing| (listing.channel.clone(), listing)).collect();
    let alone = ask.channels.len() == 1;
    let seen = |name: &ChannelName| match listings.remove(name.as_str()) {
        Some(listing) => Ok((name.clone(), Some(observation(ask, moment, listing)?))),
        None if alone => Err(bad_answer("the answer is not about it".to_owned())),
        None => Ok((name.clone(), None)),
    };
    ask.channels.iter().map(seen).collect()
}

fn observation(ask: &Ask, moment: Moment, listing: Listing) -> Result<Observation, Trouble> {
    let channel = listing.channel.clone();
    let bad = |what: String| bad_answer(format!("channel {channel:?} {what}"));
    let occupancy = listing.occupancy;
    let listed = list(ask, listing).map_err(bad)?;
    weigh(listed.as_deref().unwrap_or_default(), 0).map_err(bad)?;
    Observation::new(moment, occupancy, listed).map_err(|error| bad(error.to_string()))
}

/// The users of a channel; `None` where they were not asked for. A service that lists them all the same says more than is
/// to be recorded.
fn list(ask: &Ask, listing: Listing) -> Result<Option<Vec<Occupant>>, String> {
    match listing.listed {
        _ if !ask.include_uuids => Ok(None),
        None if listing.occupancy > 0 => Err("has no list of users".to_owned()),
        listed => Ok(listed),
    }
}

/// The bytes of a list's ids and states, after `before` others of the same channel.
fn weigh(listed: &[Occupant], before: usize) -> Result<usize, String> {
    if listed.len() > MAX_LISTED {
        return Err(format!("lists {} user ids, over the limit of {MAX_LISTED}", listed.len()));
    }
    let state = |occupant: &Occupant| occupant.state.state().map_or(0, |state| state.as_str().len());
    let bytes = |occupant: &Occupant| occupant.user.as_str().len() + state(occupant);
    let bytes = before + listed.iter().map(bytes).sum::<usize>();
    if bytes > MAX_LIST_BYTES {
        return Err(format!("has ids and states over the limit of {MAX_LIST_BYTES} bytes"));
    }
    Ok(bytes)
}

/// Asks for the pages after the first.
async fn pages(parts: &PollerParts, ask: &Ask, first: Answer) -> (Time, Time, Result<Vec<Seen>, Trouble>) {
    let (sent, mut received) = (first.sent, first.received);
    let listed = async {
        let (first, mut bytes) = page(parts, ask, first, 0)?;
        let mut pages = Pages::new(first);
        while let Some(offset) = pages.next_offset() {
            let next = match one(parts, ask, Some(offset)).await {
                Ok(next) => next,
                Err((_, trouble)) if trouble.failure == (Failure::Service { retry_after: None }) => {
                    debug!(what = trouble.what, "a later page failed; the first one counts");
                    pages.break_off();
                    continue;
                }
                Err((_, trouble)) => return Err(trouble),
            };
            received = next.received;
            let (next, more) = page(parts, ask, next, bytes)?;
            bytes = more;
            pages.take(next);
        }
        let seen = pages.finish().map_err(|error| bad_answer(error.to_string()))?;
        Ok(ask.channels.iter().map(|name| (name.clone(), Some(seen.clone()))).collect())
    };
    let result = listed.await;
    (sent, received, result)
}

/// One page, and the bytes of all so far.
fn page(parts: &PollerParts, ask: &Ask, answer: Answer, before: usize) -> Result<(PageSeen, usize), Trouble> {
    let moment = parts.moment(answer.sent, answer.received);
    let asked = |listing: &Listing| ask.channels.iter().any(|name| name.as_str() == listing.channel);
    let listing = answer.listings.into_iter().find(asked);
    let listing = listing.ok_or_else(|| bad_answer("a page is not about it".to_owned()))?;
    let occupancy = listing.occupancy;
    let listed = list(ask, listing).map_err(bad_answer)?.unwrap_or_default();
    if listed.len() > PAGE {
        let what = format!("a page lists {} user ids, though at most {PAGE} were asked for", listed.len());
        return Err(bad_answer(what));
    }
    let bytes = weigh(&listed, before).map_err(bad_answer)?;
    Ok((PageSeen { moment, occupancy, listed }, bytes))
}
