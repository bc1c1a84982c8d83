//! Text from outside made fit for a log or a terminal.

/// The most characters of an answer that an error repeats.
pub(super) const MAX_EXCERPT: usize = 120;

/// `text` with control, format and other unprintable characters escaped, cut to `max` characters.
pub(super) fn shown(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for c in text.chars() {
        let piece: String = match c {
            '"' | '\'' | '\\' => c.into(),
            _ => c.escape_debug().collect(),
        };
        length += piece.chars().count();
        if length > max.saturating_sub(1) {
            out.push('…');
            return out;
        }
        out.push_str(&piece);
    }
    out
}

/// The part of `text` around byte `at`, fit for an error.
pub(super) fn excerpt(text: &str, at: usize) -> String {
    const BEFORE: usize = MAX_EXCERPT / 2;
    let start = text.floor_char_boundary(at.saturating_sub(BEFORE));
    shown(text.get(start..).unwrap_or_default(), MAX_EXCERPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_direction_marks_never_reach_the_terminal_raw() {
        assert_eq!(shown("a\u{1b}[31m\u{202e}\n\"b\"", 120), "a\\u{1b}[31m\\u{202e}\\n\"b\"");
    }

    #[test]
    fn what_is_shown_never_exceeds_its_limit() {
        let text = "\u{0}é".repeat(500);
        for max in [1, 2, 10, MAX_EXCERPT] {
            assert!(shown(&text, max).chars().count() <= max);
        }
    }

    #[test]
    fn an_excerpt_starts_on_a_character_wherever_it_is_taken() {
        let text = "é".repeat(300);
        for at in 0..700 {
            assert!(excerpt(&text, at).chars().count() <= MAX_EXCERPT);
        }
    }
}
