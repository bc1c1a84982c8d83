//! Alert rules (SPEC section 4): what a rule says, how one alert stands, and the step from one to the next.
//!
//! There is one alert per [`Rule`] and channel that it names. [`step`] takes how the alert stands and one [`Input`] (a good
//! observation, a gap, the clock, adsum back from being down, the end of the watch or of the rule) and gives how it stands
//! then and the [`Transition`]s to be recorded and told. State and rule decide everything: what is stored of the state
//! ([`AlertState::to_json`]) goes on after a restart as if nothing had been. Ids are given in, so there is no chance here.
//!
//! Conditions are about what is, not about what happened. What the rules of this module decide, in words:
//!
//! - `for` compares the *latest* instant of the first observation in which the condition held with the *earliest* of the
//!   one at hand: `for` is met when `earliest >= first.latest + for`. The condition was then seen to hold at two instants
//!   that are certainly so far apart, and in every good observation between them. Without `for` one observation is enough.
//!   `keep_firing_for` is the same for observations that clear.
//! - An observation clears, or the condition holds in it, or neither: within the band of hysteresis, or where a cut list
//!   does not tell whether the user is there. Neither ends a pending alert (the condition did not hold in every one), and
//!   leaves a firing one as it is, but the count of `keep_firing_for` begins anew.
//! - A full gap takes pending back to inactive, and begins the count of `keep_firing_for` anew. `on_gap` then says what
//!   becomes of a blind channel's alert: `keep` leaves it firing, `resolve` ends it, and with `fire` not to see is as bad as
//!   what the rule looks for: an alert that is not firing becomes pending with the gap and fires once the gap has lasted
//!   `for`; then it fires until an observation clears. If the channel is observed before that and the condition holds, the
//!   same alert stays pending, and `for` counts from that observation.
//! - A gap in which adsum was down (`stopped`, `crashed`) resolves and fires nothing, whatever `on_gap` says: a restart
//!   changes nothing but a pending count that is no longer gapless. If the channel is still not observed after that, the
//!   gap that follows has another reason, and counts from there.
//! - `unobserved` holds while the channel is in a full gap other than those, and any good observation clears it. Its `for`
//!   counts by the clock from the gap's beginning, less what adsum was down ([`Input::Resumed`]).
//! - For rules about a user a partial gap is a gap if the observation does not tell whether the user is there. With `fire`
//!   it counts from the first such observation.
//! - A channel that is left to discoveries stays watched: a good discovery that does not list it is an observation of
//!   nobody.
//! - The end of a watch (a gap `unwatched`) resolves a firing alert and drops a pending one, with that reason. So does the
//!   removal of the rule, and an edit of what it decides by ([`Rule::terms`]), as [`Input::Ended`]: an alert stands for one
//!   rule from firing to resolved. A rule that is new to a channel, or edited, begins with what was seen last
//!   ([`Input::of_new_rule`]). Other edits (severity, notify, `repeat_every`,
//!   `send_resolved`) change nothing but what is told from then on; without `send_resolved` it is forgotten who was told.

pub mod backtest;
mod input;
mod names;
mod rule;
mod silence;
mod state;
mod step;
mod stored;
mod transition;

pub use input::{Input, Listing, Sighting};
pub use names::{AlertId, LabelError, MAX_LABEL_BYTES, NotifierName, RuleName};
pub use rule::{Condition, OnGap, Rule, Severity, Verdict};
pub use silence::{MAX_AUTHOR_BYTES, MAX_REASON_BYTES, MAX_SILENCE, Matcher, Silence, SilenceError};
pub use state::{AlertState, Clear, Due, Firing, Ground, Pending};
pub use step::step;
pub use stored::StoredError;
pub use transition::{Change, End, Transition, Why};
