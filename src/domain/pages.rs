//! A list of occupants in pages, where the service cuts it. People move between pages, so each page begins with the last
//! user of the page before; the list is complete only if every overlap matches (SPEC section 2, Integrity). That rests on
//! the service's stable order.

use hashbrown::HashSet;

use super::names::UserId;
use super::observation::{BadEntry, Observation, Occupant};
use super::time::{Moment, Time};

/// The most users the service gives in one page (PROTOCOL.md 1.6).
pub const PAGE: usize = 1000;

/// The most pages of one list: a million users.
pub const MAX_PAGES: usize = 1001;

/// One page as it arrived.
#[derive(Clone, Debug)]
pub struct PageSeen {
    /// When it was true.
    pub moment: Moment,
    /// The channel's true total.
    pub occupancy: u64,
    /// The users in it.
    pub listed: Vec<Occupant>,
}

/// The pages so far.
#[derive(Debug)]
pub struct Pages {
    first: PageSeen,
    listed: Vec<Occupant>,
    /// Who is in it: a user who comes twice makes the list short of another.
    users: HashSet<UserId>,
    latest: Time,
    count: usize,
    steady: bool,
}

impl Pages {
    /// Begins with the first page.
    pub fn new(first: PageSeen) -> Self {
        let (listed, latest) = (first.listed.clone(), first.moment.latest);
        let users: HashSet<UserId> = listed.iter().map(|occupant| occupant.user.clone()).collect();
        let steady = users.len() == listed.len();
        Self { first, listed, users, latest, count: 1, steady }
    }

    /// Where the next page starts; `None` if this was the last, or another would not help.
    pub fn next_offset(&self) -> Option<usize> {
        let more = (self.listed.len() as u64) < self.first.occupancy && self.count < MAX_PAGES;
        // A page of one user would only be that user again.
        let offset = self.listed.len().checked_sub(1).filter(|offset| *offset > 0)?;
        (self.steady && more).then_some(offset)
    }

    /// Takes the next page.
    pub fn take(&mut self, page: PageSeen) {
        self.count += 1;
        let mut listed = page.listed.into_iter();
        let overlap = listed.next().map(|occupant| occupant.user);
        let matches =
            overlap.is_some() && overlap.as_ref() == self.listed.last().map(|occupant| &occupant.user);
        let before = self.listed.len();
        self.listed.extend(listed);
        let new = self.listed.iter().skip(before).map(|occupant| occupant.user.clone());
        let grew = self.listed.len() > before;
        self.users.extend(new);
        let distinct = self.users.len() == self.listed.len();
        self.steady = self.steady && matches && grew && distinct && page.occupancy == self.first.occupancy;
        self.latest = page.moment.latest;
    }

    /// The next page did not come: the list stays what the first page has of it.
    pub fn break_off(&mut self) {
        self.steady = false;
    }

    /// The observation: of the whole list if people stood still, otherwise of the first page alone, which is true of
    /// one instant.
    ///
    /// # Errors
    /// [`BadEntry`] if a page contradicts itself.
    pub fn finish(self) -> Result<Observation, BadEntry> {
        if self.steady && self.count > 1 {
            let moment = Moment { earliest: self.first.moment.earliest, latest: self.latest };
            Observation::new(moment, self.first.occupancy, Some(self.listed))
        } else {
            Observation::new(self.first.moment, self.first.occupancy, Some(self.first.listed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::tests::{moment, occupant};
    use crate::domain::observation::{Grade, Seen};

    fn page(at: i64, occupancy: u64, users: &[&str]) -> PageSeen {
        PageSeen {
            moment: moment(at, at + 1),
            occupancy,
            listed: users.iter().map(|user| occupant(user)).collect(),
        }
    }

    #[test]
    fn a_list_that_breaks_off_is_what_its_first_page_lists() {
        let mut pages = Pages::new(page(0, 5, &["a", "b"]));
        pages.take(page(10, 5, &["b", "c"]));
        pages.break_off();
        assert_eq!(pages.next_offset(), None);
        let seen = pages.finish().unwrap();
        assert_eq!((seen.grade(), seen.listed().len(), seen.moment), (Grade::Truncated, 2, moment(0, 1)));
    }

    #[test]
    fn pages_that_overlap_make_a_complete_observation_over_their_whole_time() {
        let mut pages = Pages::new(page(0, 5, &["a", "b", "c"]));
        assert_eq!(pages.next_offset(), Some(2));
        pages.take(page(10, 5, &["c", "d", "e"]));
        assert_eq!(pages.next_offset(), None);
        let seen = pages.finish().unwrap();
        assert_eq!((seen.grade(), seen.occupancy(), seen.moment), (Grade::Complete, 5, moment(0, 11)));
    }

    #[test]
    fn people_who_move_between_pages_leave_only_the_first_page_to_be_true() {
        let repeats = page(10, 5, &["c", "a"]);
        for moved in [
            page(10, 5, &["d", "e"]),
            page(10, 4, &["c", "d"]),
            page(10, 5, &[]),
            page(10, 5, &["c"]),
            repeats,
        ] {
            let mut pages = Pages::new(page(0, 5, &["a", "b", "c"]));
            pages.take(moved);
            assert_eq!(pages.next_offset(), None, "another page would not help");
            let seen = pages.finish().unwrap();
            assert_eq!(seen.moment, moment(0, 1));
            assert!(matches!(seen.seen, Seen::Truncated { occupancy: 5, listed } if listed.len() == 3));
        }
    }

    #[test]
    fn a_list_that_fits_in_one_page_is_that_page() {
        let pages = Pages::new(page(0, 2, &["a", "b"]));
        assert_eq!(pages.next_offset(), None);
        assert_eq!(pages.finish().unwrap().grade(), Grade::Complete);
        assert_eq!(Pages::new(page(0, 2, &[])).next_offset(), None);
    }
}
