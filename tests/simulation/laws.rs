//! The laws: what must hold between the truth and the record. Each gives what breaks it, in words.

mod alerts;
mod answers;
mod changes;
mod due;
mod gaps;
mod requests;
mod tight;

use crate::lives::Past;

/// Everything that breaks a law.
pub(crate) fn broken(past: &Past) -> Vec<String> {
    let laws: [fn(&Past) -> Vec<String>; 24] = [
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
        alerts::alerts_go_their_way,
        alerts::alerts_stand_as_their_changes_say,
        alerts::who_is_to_be_told_is_told_once,
        alerts::windows_of_alerts_hold_the_truth,
        due::what_is_due_is_what_is_recorded,
        the_history_verifies,
    ];
    laws.iter().flat_map(|law| law(past)).collect()
}

/// What `adsum verify` says of it.
fn the_history_verifies(past: &Past) -> Vec<String> {
    past.unsound.clone()
}
