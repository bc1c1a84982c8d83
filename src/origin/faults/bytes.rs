//! Faults in the text of an answer.

use fastrand::Rng;

use super::rule::Fault;

/// The text after what the fault does to it; the same after one that does nothing to text.
pub(crate) fn spoil(fault: Fault, mut body: Vec<u8>, chance: &mut Rng) -> Vec<u8> {
    match fault {
        // An object is not whole before its last byte.
        Fault::CutJson if body.len() > 1 => body.truncate(chance.usize(1..body.len())),
        Fault::BrokenJson if chance.bool() => body.insert(body.len().saturating_sub(1), b','),
        Fault::BrokenJson => body.insert(0, b'}'),
        Fault::InvalidUtf8 => {
            // Inside the first text there is.
            let at = body.iter().position(|byte| *byte == b'"').map_or(body.len(), |quote| quote + 1);
            body.insert(at, 0xFF);
        }
        _ => {}
    }
    body
}
