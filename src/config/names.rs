//! What names of channels and groups, and patterns, may be (SPEC.md section 2, "Which channels").

/// The longest name, in bytes.
pub const MAX_NAME: usize = 1_024;

/// What a channel or pattern may be, for messages.
pub(super) const CHANNEL: &str =
    "a channel name or a pattern with `*`: 1 to 1024 bytes, no `,`, not ending in `-pnpres`, not `.` or `..`";

/// What a group may be, for messages.
pub(super) const GROUP: &str =
    "the name of a channel group: 1 to 1024 bytes, no `,`, no `*`, not `.` or `..`";

pub(super) fn channel(text: &str) -> Option<String> {
    // "." and ".." cannot stand in a URL's path: clients and proxies resolve them.
    let good = is_name(text) && !text.ends_with("-pnpres");
    good.then(|| text.to_owned())
}

pub(super) fn group(text: &str) -> Option<String> {
    (is_name(text) && !text.contains('*')).then(|| text.to_owned())
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && !text.contains(',') && text != "." && text != ".."
}

/// Whether a name in the configuration is a pattern.
pub fn is_pattern(text: &str) -> bool {
    text.contains('*')
}

/// Whether a pattern matches a whole name: `*` stands for any run of characters, also none; all else for itself.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut last = None;
    // Between the first and the last piece the earliest place is as good as any.
    for piece in pieces {
        if let Some(piece) = last.replace(piece) {
            let Some((_, after)) = rest.split_once(piece) else { return false };
            rest = after;
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_run_of_characters() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "lobby"),
            ("room.*", "room.1"),
            ("room.*", "room."),
            ("*.vip", "a.vip"),
            ("a*b*c", "abc"),
            ("a*b*c", "a--b--b--c"),
            ("**", "x"),
            ("é*", "éa"),
            ("lobby", "lobby"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("room.*", "room"),
            ("*.vip", "a.vip.b"),
            ("a*a", "a"),
            ("a*b*c", "acb"),
            ("lobby", "lobby2"),
            ("", "x"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn names_that_cannot_be_asked_for_are_refused() {
        let long = "x".repeat(MAX_NAME + 1);
        for name in ["", "a,b", "lobby-pnpres", ".", "..", long.as_str()] {
            assert_eq!(channel(name), None, "{name}");
        }
        for name in ["lobby", "a b", "%", "\"'", "🦀", "\u{202e}x", "\u{1b}[31m", "room.*"] {
            assert_eq!(channel(name).as_deref(), Some(name));
        }
    }
}
