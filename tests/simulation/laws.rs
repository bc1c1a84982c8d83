//! The laws: what must hold between the truth and the record. Each gives what breaks it, in words.

mod answers;
mod changes;
mod gaps;
mod requests;
mod tight;

use crate::lives::Past;

/// Everything that breaks a law.
pub(crate) fn broken(past: &Past) -> Vec<String> {
    let laws: [fn(&Past) -> Vec<String>; 18] = [
        changes::windows_hold_their_changes,
        changes::presents_were_there,
        changes::replaying_the_events_gives_the_roster,
        changes::what_is_there_in_the_end_is_the_truth,
        changes::ids_only_grow_and_nothing_visible_is_lost,
        changes::lengths_hold_the_true_length,
        answers::yes_and_no_are_wrong_only_about_what_is_too_short,
        answers::unknown_has_a_reason,
        answers::settled_answers_never_turn,
        answers::occupancies_hold_the_true_one,
        gaps::what_was_not_observed_is_a_gap,
        gaps::a_gap_of_failures_holds_no_good_answer,
        gaps::gaps_do_not_overlap,
        requests::the_order_rule_is_kept,
        tight::windows_are_no_wider_than_what_was_seen,
        tight::resolutions_are_no_coarser_than_the_polling,
        tight::gaps_hold_no_answer_that_was_taken,
        tight::no_answer_contradicts_a_list,
    ];
    laws.iter().flat_map(|law| law(past)).collect()
}
