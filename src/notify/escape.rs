//! Text from outside made fit for people to read, each medium in its own way.
//!
//! In every medium a value is first made [`visible`]: no line breaks, so that a channel's name cannot add lines of its
//! own, and nothing invisible, so that it cannot turn the text around or hide.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// Where a text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    /// Plain text: the texts of a webhook, mails.
    Plain,
    /// Slack's mrkdwn.
    Slack,
    /// Discord's Markdown.
    Discord,
}

/// The most characters of one value in a text. What is longer is cut, with `…`.
pub(super) const MAX_VALUE: usize = 200;

impl Medium {
    /// A value from outside, as it is written into a text.
    pub(super) fn escape(self, value: &str) -> String {
        let value = visible(value, MAX_VALUE);
        let mut out = String::with_capacity(value.len());
        for c in value.chars() {
            match self {
                Self::Plain => out.push(c),
                Self::Slack => slack(c, &mut out),
                Self::Discord => discord(c, &mut out),
            }
        }
        out
    }
}

impl Medium {
    /// A name, already escaped, so that it stands out: quoted, as code, in bold.
    pub(super) fn name(self, escaped: &str) -> String {
        match self {
            Self::Plain => format!("\"{escaped}\""),
            Self::Slack => format!("`{escaped}`"),
            Self::Discord => format!("**{escaped}**"),
        }
    }

    /// The address of a web page in a form that is inert in every medium; nothing if it is no such address.
    pub(super) fn address(self, link: &str) -> Option<String> {
        let known = link.starts_with("http://") || link.starts_with("https://");
        let encoded = percent_encode(link.as_bytes(), NOT_IN_LINKS).to_string();
        (known && encoded.len() <= MAX_LINK)
            .then(|| if self == Self::Slack { encoded.replace('&', "&amp;") } else { encoded })
    }

    /// An [`address`](Self::address) with a label of ours.
    pub(super) fn link(self, address: &str, label: &str) -> String {
        match self {
            Self::Plain => format!("{label}: {address}"),
            Self::Slack => format!("<{address}|{label}>"),
            Self::Discord => format!("[{label}](<{address}>)"),
        }
    }

    /// `text` in at most `max` UTF-16 units, never cut within an escape or a link.
    pub(super) fn cut(self, text: &str, max: usize) -> String {
        let mut units = 0;
        // So many bytes leave room for the `…`.
        let mut fits = 0;
        for (at, c) in text.char_indices() {
            units += c.len_utf16();
            if units < max {
                fits = at + c.len_utf8();
            } else if units > max {
                let kept = text.get(..fits).unwrap_or_default();
                return format!("{}…", self.without_broken_end(kept));
            }
        }
        text.to_owned()
    }

    fn without_broken_end(self, text: &str) -> &str {
        match self {
            Self::Plain => text,
            Self::Slack => [('&', ';'), ('<', '>')].into_iter().fold(text, |text, (open, close)| match text
                .rfind(open)
            {
                Some(at) if !text.get(at..).is_some_and(|rest| rest.contains(close)) => {
                    text.get(..at).unwrap_or_default()
                }
                _ => text,
            }),
            Self::Discord => {
                let backslashes = text.len() - text.trim_end_matches('\\').len();
                text.get(..text.len() - backslashes % 2).unwrap_or_default()
            }
        }
    }
}

/// The longest link, in bytes; a longer one is left out.
const MAX_LINK: usize = 1024;

/// All but what addresses of ours are made of: so nothing is left that means anything to Slack, Discord or HTML, but for
/// `&`. `%` stays, for what is encoded already is not encoded again.
const NOT_IN_LINKS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'&')
    .remove(b'=')
    .remove(b'%')
    .remove(b'[')
    .remove(b']');

/// `&`, `<` and `>` make mentions, channels and links; Slack's documentation names these three and no more. A backtick
/// would end the span of code in which the texts put names, and there is no escape for it, so its twin stands for it.
fn slack(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '`' => out.push('\u{2cb}'),
        c => out.push(c),
    }
}

/// Discord shows any punctuation after a backslash as it is. That also keeps `https://` from becoming a link and `@`
/// from becoming a mention.
fn discord(c: char, out: &mut String) {
    if c.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(c);
}

/// `text` in one line with everything that cannot be seen written as its number, cut to `max` characters.
pub(super) fn visible(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    // So much of `out` leaves room for the `…`.
    let mut fits = 0;
    for c in text.chars() {
        if is_seen(c) {
            out.push(c);
            length += 1;
        } else {
            out.extend(c.escape_unicode());
            length += c.escape_unicode().count();
        }
        if length < max {
            fits = out.len();
        } else if length > max {
            out.truncate(fits);
            out.push('…');
            break;
        }
    }
    out
}

/// Whether `c` shows where it stands and nowhere else. A combining mark, behind its letter, does.
fn is_seen(c: char) -> bool {
    // The standard library knows what is unprintable, and says so only by escaping it; a mark at the very beginning it
    // escapes too, hence the letter.
    (' '..='~').contains(&c) || String::from_iter(['x', c]).escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MEDIA: [Medium; 3] = [Medium::Plain, Medium::Slack, Medium::Discord];

    proptest! {
        #[test]
        fn what_is_visible_is_one_bounded_line_and_nothing_is_lost_before_the_cut(text in ".{0,60}", max in 1_usize..80) {
            let whole = visible(&text, usize::MAX);
            prop_assert!(whole.chars().all(is_seen));
            let shown = visible(&text, max);
            prop_assert!(shown.chars().count() <= max);
            prop_assert!(shown == whole || whole.starts_with(shown.strip_suffix('…').unwrap()));
        }

        #[test]
        fn a_cut_text_is_bounded_and_ends_within_nothing(name in ".{0,40}", max in 1_usize..120) {
            for medium in MEDIA {
                let link = medium.link("https://adsum.example/a", "see");
                let text = format!("{} {link} {}", medium.name(&medium.escape(&name)), medium.escape(&name));
                let cut = medium.cut(&text, max);
                prop_assert!(cut.encode_utf16().count() <= max);
                match medium {
                    Medium::Plain => {}
                    Medium::Slack => {
                        prop_assert_eq!(cut.matches('<').count(), cut.matches('>').count());
                        let entities = ["&amp;", "&lt;", "&gt;"].map(|entity| cut.matches(entity).count());
                        prop_assert_eq!(cut.matches('&').count(), entities.iter().sum::<usize>());
                    }
                    Medium::Discord => {
                        let kept = cut.strip_suffix('…').unwrap_or(&cut);
                        prop_assert_eq!((kept.len() - kept.trim_end_matches('\\').len()) % 2, 0);
                    }
                }
            }
        }

        #[test]
        fn an_address_keeps_nothing_that_means_anything(rest in ".{0,60}") {
            let inert = |c: char| c.is_ascii_alphanumeric() || "-._:/?&=%[]".contains(c);
            let address = Medium::Plain.address(&format!("https://{rest}")).unwrap();
            prop_assert!(address.chars().all(inert), "{}", address);
        }
    }

    #[test]
    fn what_is_no_web_address_is_no_link() {
        for link in
            ["", "javascript:alert(1)", "//adsum.example", "HTTPS://x", "data:text/html,x", " https://x"]
        {
            assert_eq!(Medium::Plain.address(link), None, "{link}");
        }
        assert_eq!(Medium::Plain.address(&format!("https://{}", "x".repeat(MAX_LINK))), None);
    }
}
