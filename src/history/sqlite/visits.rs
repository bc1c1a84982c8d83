//! Questions about visits.

use hashbrown::HashMap;
use rusqlite::{Row, Transaction, params};

use super::channels::Standing;
use super::codes;
use super::names::{channel_number, user_number};
use crate::domain::time::{Moment, Time};
use crate::domain::visit::Visit;
use crate::history::{Result, VisitQuery};

const COLUMNS: &str = "v.channel_id, c.name, v.opened, u.name, v.joined_from, v.joined_to, v.left_from, v.left_to, \
    v.state, v.since_from, v.since_to, v.listed_earliest, v.listed_latest";

/// `?1` to `?2` is the span, `(?3, ?4, ?5)` what the list goes on after, `?6` the limit.
const FILTER: &str =
    "(v.left_to IS NULL OR v.left_to >= ?1) AND (v.joined_from IS NULL OR v.joined_from < ?2)";

/// The statement for this kind of question. A channel's visits are opened in order of `joined_to`, so their key itself
/// is in the right order. Those that last are few among all, so they are sorted rather than searched for.
fn sql(query: &VisitQuery) -> String {
    let (which, order) = match (&query.user, &query.channel) {
        (Some(_), Some(_)) => (
            "v.channel_id = ?7 AND v.user_id = ?8 AND (v.joined_to, v.opened) > (?3, ?5)",
            "v.joined_to, v.opened",
        ),
        (Some(_), None) => (
            "v.user_id = ?8 AND ?7 = 0 AND (v.joined_to, v.channel_id, v.opened) > (?3, ?4, ?5)",
            "v.joined_to, v.channel_id, v.opened",
        ),
        (None, Some(_)) => ("v.channel_id = ?7 AND v.opened > ?5 AND ?8 = 0", "v.opened"),
        (None, None) => (
            "(v.joined_to, v.channel_id, v.opened) > (?3, ?4, ?5) AND ?7 = 0 AND ?8 = 0",
            "v.joined_to, v.channel_id, v.opened",
        ),
    };
    let (index, open) = match query.open {
        Some(true) if query.user.is_none() => ("INDEXED BY visits_open", "AND v.left_to IS NULL"),
        Some(true) => ("", "AND v.left_to IS NULL"),
        Some(false) => ("", "AND v.left_to IS NOT NULL"),
        None => ("", ""),
    };
    format!(
        "SELECT {COLUMNS} FROM visits v {index} JOIN channels c ON c.id = v.channel_id JOIN users u ON u.id = v.user_id \
         WHERE {which} AND {FILTER} {open} ORDER BY {order} LIMIT ?6"
    )
}

/// See [`crate::history::History::visits`].
pub(super) fn visits(tx: &Transaction<'_>, query: &VisitQuery) -> Result<Vec<Visit>> {
    let channel_id = match &query.channel {
        Some(channel) => channel_number(tx, channel)?,
        None => Some(0),
    };
    let user_id = match &query.user {
        Some(user) => user_number(tx, user)?,
        None => Some(0),
    };
    let (Some(channel_id), Some(user_id)) = (channel_id, user_id) else { return Ok(Vec::new()) };
    let (joined, after_channel, opened) = match &query.after {
        Some(after) => {
            let number = channel_number(tx, &after.channel)?.unwrap_or(0);
            (after.joined.as_micros(), number, codes::seq_code(after.opened))
        }
        None => (i64::MIN, 0, 0),
    };
    let mut list = tx.prepare_cached(&sql(query))?;
    let mut rows = list.query(params![
        query.from.map_or(i64::MIN, Time::as_micros),
        query.to.map_or(i64::MAX, Time::as_micros),
        joined,
        after_channel,
        opened,
        codes::limit_code(query.limit),
        channel_id,
        user_id,
    ])?;
    let mut proven = Proven::default();
    let mut visits = Vec::new();
    while let Some(row) = rows.next()? {
        visits.push(visit(tx, row, &mut proven)?);
    }
    Ok(visits)
}

/// The statement for [`before`]: the user's visits to the channel backwards in time.
fn before_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM visits v INDEXED BY visits_by_channel_and_user JOIN channels c ON c.id = v.channel_id JOIN users u ON u.id = v.user_id \
         WHERE v.user_id = ?1 AND v.joined_to <= ?2 AND v.channel_id = ?3 AND v.opened < ?4 \
         ORDER BY v.joined_to DESC LIMIT 1"
    )
}

/// See [`crate::history::History::visit_before`].
pub(super) fn before(tx: &Transaction<'_>, visit: &Visit) -> Result<Option<Visit>> {
    let (channel, user) = (channel_number(tx, &visit.channel)?, user_number(tx, &visit.user)?);
    let mut find = tx.prepare_cached(&before_sql())?;
    let key = params![user, visit.joined.not_after, channel, codes::seq_code(visit.opened)];
    let mut rows = find.query(key)?;
    let row = rows.next()?;
    row.map(|row| self::visit(tx, row, &mut Proven::default())).transpose()
}

fn visit(tx: &Transaction<'_>, row: &Row<'_>, proven: &mut Proven) -> Result<Visit> {
    let joined = codes::some_window(row, 4)?;
    let left = codes::window(row, 6)?;
    let listed_until = match left {
        Some(left) => left.not_before,
        None => proven.listed(tx, row.get(0)?, codes::moment(row, 11)?)?.map(|moment| moment.earliest),
    };
    Ok(Visit {
        channel: codes::channel_name(row, 1)?,
        opened: codes::seq(row, 2)?,
        user: codes::user_id(row, 3)?,
        joined,
        left,
        listed_until: listed_until.unwrap_or(joined.not_after),
        state: codes::shown(row, 8)?,
        state_since: codes::window(row, 9)?,
    })
}

/// The last complete observations of the channels that a list met.
#[derive(Default)]
struct Proven {
    complete: HashMap<i64, Option<Moment>>,
}

impl Proven {
    /// The last observation that listed a user who is there.
    fn listed(
        &mut self,
        tx: &Transaction<'_>,
        channel_id: i64,
        listed: Option<Moment>,
    ) -> Result<Option<Moment>> {
        let complete = if let Some(complete) = self.complete.get(&channel_id) {
            *complete
        } else {
            let complete = Standing::of(tx, channel_id)?.and_then(|standing| standing.complete);
            self.complete.insert(channel_id, complete);
            complete
        };
        Ok(complete.into_iter().chain(listed).max_by_key(|moment| (moment.latest, moment.earliest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::{ChannelName, UserId};
    use crate::history::sqlite::open::tests::plan;

    #[test]
    fn the_visit_before_is_found_among_the_users_visits_to_the_channel() {
        let steps = plan(&before_sql());
        assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{steps:#?}");
        assert!(steps.iter().any(|step| step.contains("visits_by_channel_and_user")), "{steps:#?}");
    }

    #[test]
    fn no_list_of_visits_is_sorted_or_searched_from_end_to_end_save_of_those_that_last() {
        let channel = || Some(ChannelName::new("lobby").unwrap());
        let user = || Some(UserId::new("ada").unwrap());
        for open in [None, Some(true), Some(false)] {
            for (channel, user) in [(None, None), (channel(), None), (None, user()), (channel(), user())] {
                let few = open == Some(true) && user.is_none();
                let steps = plan(&sql(&VisitQuery { channel, user, open, ..VisitQuery::default() }));
                let searched = steps.iter().all(|step| step.starts_with("SEARCH"));
                assert!(
                    searched || few && steps.iter().any(|step| step.contains("visits_open")),
                    "{steps:#?}"
                );
            }
        }
    }
}
