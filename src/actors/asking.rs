//! One question to the service, and what its answer says of each channel.

use hashbrown::HashMap;

use super::poller::PollerParts;
use super::source::{HereNow, Listing, Trouble, bad_answer, counted};
use crate::domain::names::ChannelName;
use crate::domain::observation::Observation;
use crate::domain::pages::{PAGE, PageSeen, Pages};
use crate::domain::plan::Ask;
use crate::domain::time::{Moment, Time};

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
    let first = one(parts, &ask, ask.paged.then_some(0)).await;
    let (sent, received, result) = match first {
        Ok(first) if ask.paged => pages(parts, &ask, first).await,
        Ok(first) => (first.sent, first.received, graded(&ask, first, parts)),
        Err((sent, trouble)) => (sent, parts.clock.now(), Err(trouble)),
    };
    Report { ask, sent, received, result }
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

/// What the answer says of each channel asked for.
fn graded(ask: &Ask, answer: Answer, parts: &PollerParts) -> Result<Vec<Seen>, Trouble> {
    let moment = parts.moment(answer.sent, answer.received);
    let mut listings: HashMap<String, Listing> =
        answer.listings.into_iter().map(|listing| (listing.channel.clone(), listing)).collect();
    let seen = |name: &ChannelName| {
        let listing = listings.remove(name.as_str());
        let seen = listing.map(|listing| observation(ask, moment, listing)).transpose()?;
        Ok((name.clone(), seen))
    };
    ask.channels.iter().map(seen).collect()
}

fn observation(ask: &Ask, moment: Moment, listing: Listing) -> Result<Observation, Trouble> {
    if ask.include_uuids && listing.listed.is_none() && listing.occupancy > 0 {
        return Err(bad_answer(format!("channel {:?} has no list of users", listing.channel)));
    }
    let channel = listing.channel;
    Observation::new(moment, listing.occupancy, listing.listed)
        .map_err(|error| bad_answer(format!("channel {channel:?} {error}")))
}

/// Asks for the pages after the first.
async fn pages(parts: &PollerParts, ask: &Ask, first: Answer) -> (Time, Time, Result<Vec<Seen>, Trouble>) {
    let (sent, mut received) = (first.sent, first.received);
    let page = |answer: Answer| {
        let moment = parts.moment(answer.sent, answer.received);
        let listing = answer.listings.into_iter().next();
        let listing = listing.ok_or_else(|| bad_answer("a page without its channel".to_owned()))?;
        let listed = listing.listed.unwrap_or_default();
        Ok::<_, Trouble>(PageSeen { moment, occupancy: listing.occupancy, listed })
    };
    let listed = async {
        let mut pages = Pages::new(page(first)?);
        while let Some(offset) = pages.next_offset() {
            let next = one(parts, ask, Some(offset)).await.map_err(|(_, trouble)| trouble)?;
            received = next.received;
            pages.take(page(next)?);
        }
        let seen = pages.finish().map_err(|error| bad_answer(error.to_string()))?;
        Ok(ask.channels.iter().map(|name| (name.clone(), Some(seen.clone()))).collect())
    };
    let result = listed.await;
    (sent, received, result)
}
