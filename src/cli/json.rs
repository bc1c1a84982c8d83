//! JSON for programs that is safe on a terminal too: the answer as it came, in order and to the last digit, with
//! characters a terminal would obey as `\uXXXX`.

use std::fmt::Write as _;

use super::escape::is_hidden;

/// `json`, which must be valid JSON, with one member or item a line.
pub(super) fn pretty(json: &str) -> String {
    Writer { out: String::with_capacity(json.len() * 2), depth: 0, indent: true }.write(json)
}

/// `json`, which must be valid JSON, on one line.
pub(super) fn compact(json: &str) -> String {
    Writer { out: String::with_capacity(json.len()), depth: 0, indent: false }.write(json)
}

struct Writer {
    out: String,
    depth: usize,
    indent: bool,
}

impl Writer {
    fn write(mut self, json: &str) -> String {
        let mut chars = json.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' => self.string(&mut chars),
                '{' | '[' => {
                    self.out.push(c);
                    while chars.next_if(char::is_ascii_whitespace).is_some() {}
                    // Empty ones stay on their line.
                    if let Some(end) = chars.next_if(|c| matches!(c, '}' | ']')) {
                        self.out.push(end);
                    } else {
                        self.depth += 1;
                        self.line();
                    }
                }
                '}' | ']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.line();
                    self.out.push(c);
                }
                ',' => {
                    self.out.push(c);
                    self.line();
                }
                ':' => self.out.push_str(if self.indent { ": " } else { ":" }),
                c if c.is_ascii_whitespace() => {}
                c => self.out.push(c),
            }
        }
        self.out
    }

    /// The rest of a string, its opening quote read.
    fn string(&mut self, chars: &mut impl Iterator<Item = char>) {
        self.out.push('"');
        let mut escaped = false;
        for c in chars {
            if is_hidden(c) {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    // Writing to a string cannot fail.
                    let _ = write!(self.out, "\\u{unit:04x}");
                }
            } else {
                self.out.push(c);
            }
            if c == '"' && !escaped {
                return;
            }
            escaped = c == '\\' && !escaped;
        }
    }

    fn line(&mut self) {
        if self.indent {
            self.out.push('\n');
            for _ in 0..self.depth {
                self.out.push_str("  ");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn order_numbers_and_escapes_stay_as_they_came() {
        let json = "{ \"b\" : [ 1.10, 12345678901234567890123, {} , [ ] ],\r\n\"a\":\"\\\"\\\\\\u001b\" }";
        assert_eq!(compact(json), "{\"b\":[1.10,12345678901234567890123,{},[]],\"a\":\"\\\"\\\\\\u001b\"}");
        assert_eq!(
            pretty(json),
            "{\n  \"b\": [\n    1.10,\n    12345678901234567890123,\n    {},\n    []\n  ],\n  \"a\": \"\\\"\\\\\\u001b\"\n}"
        );
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(
            compact("\"\u{202e}\u{9b}\u{7f}\u{e0041}é🦀\""),
            "\"\\u202e\\u009b\\u007f\\udb40\\udc41é🦀\""
        );
    }

    proptest! {
        #[test]
        fn the_value_stays_the_same(texts in prop::collection::vec(any::<String>(), 0..5), number in any::<i64>()) {
            let value = json!({"texts": texts, "number": number, "none": null, "empty": {}});
            for written in [pretty(&value.to_string()), compact(&value.to_string())] {
                prop_assert!(!written.chars().any(|c| c != '\n' && is_hidden(c)));
                prop_assert_eq!(&serde_json::from_str::<Value>(&written).expect("JSON"), &value);
            }
        }
    }
}
