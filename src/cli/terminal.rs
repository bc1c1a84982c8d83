//! What standard output is: how wide, and whether colours are wanted.

use std::io::{self, IsTerminal as _, Write as _};

/// What is known of standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terminal {
    /// How many columns a line has; `None` where lines may be of any length (a file, a pipe).
    pub(super) width: Option<usize>,
    /// Whether colours are wanted.
    pub(super) colours: bool,
}

/// What a piece of text means, said by its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing special.
    Plain,
    /// Headings.
    Strong,
    /// Certainly so: yes, ok, a join.
    Good,
    /// Certainly not so: no, a leave.
    Bad,
    /// Not known: unknown, a gap.
    Doubt,
    /// Nothing there.
    Faint,
}

impl Terminal {
    /// Standard output, as the system and the environment describe it. <https://no-color.org>
    pub(super) fn of_stdout() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_terminal = io::stdout().is_terminal();
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            width: is_terminal.then(terminal_size::terminal_size).flatten().map(|(width, _)| width.0.into()),
            colours: is_terminal && !is_dumb && !set("NO_COLOR"),
        }
    }

    /// `text` in the colour of its tone.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            _ if !self.colours => return text.to_owned(),
            Tone::Plain => return text.to_owned(),
            Tone::Strong => "1",
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Doubt => "33",
            Tone::Faint => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Writes a text that ends with a newline to standard output, at once.
///
/// # Errors
///
/// What the system says; a closed pipe too.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        stdout.write_all(b"\n")?;
    }
    stdout.flush()
}
