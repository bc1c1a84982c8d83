//! Text from outside made fit for a terminal: what would move the cursor, change colours, reorder or hide text is shown
//! instead of obeyed.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with every hidden character as `\u{…}`. Everything else, emoji and right-to-left letters too, stays as it is.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::with_capacity(text.len() * 2), |mut out, c| {
        if is_hidden(c) {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
        out
    }))
}

/// Characters that a terminal obeys instead of showing, or that look like nothing: controls (C0, DEL, C1), separators of
/// lines and paragraphs, marks of direction, joiners and other characters without a width, fillers that look like a space.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(escape("\u{1b}[31mred\u{7}"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(escape("a\r\nb\tc\u{7f}"), "a\\u{d}\\u{a}b\\u{9}c\\u{7f}");
        assert_eq!(escape("c1 \u{9b}31m"), "c1 \\u{9b}31m");
        assert_eq!(escape("a\u{202e}b\u{2066}c\u{200f}"), "a\\u{202e}b\\u{2066}c\\u{200f}");
        assert_eq!(escape("a\u{200b}\u{feff}b\u{e0041}"), "a\\u{200b}\\u{feff}b\\u{e0041}");
    }

    #[test]
    fn readable_text_of_any_script_stays_as_it_is() {
        for text in ["lobby", "a b%\"'\\", "ŻÓŁ", "дом", "שלום", "こんにちは", "🦀❤\u{fe0f}", "e\u{301}"]
        {
            assert_eq!(escape(text), text);
        }
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_ever_left(text in any::<String>()) {
            prop_assert!(!escape(&text).chars().any(is_hidden));
        }
    }
}
