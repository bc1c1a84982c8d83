//! What commands print.

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::daemon::Answer;
use super::escape::escape;
use super::failure::Failure;
use super::json;
use super::show::{self, Column, Kind, field, sentence};
use super::table::Table;
use super::terminal::{Terminal, print};

/// How a command prints its data.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Format {
    /// Print JSON: the answer as it came, safe on a terminal too
    #[arg(long)]
    json: bool,
}

/// A text for a person, put together before it is printed.
#[derive(Debug)]
pub(super) struct Page {
    terminal: Terminal,
    text: String,
}

impl Format {
    /// Whether JSON is wanted.
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a daemon's answer: as JSON, or as what `write` makes of it.
    ///
    /// # Errors
    ///
    /// Only what printing may say.
    pub(super) fn answer(
        self,
        answer: &Answer,
        write: impl FnOnce(&Value, &mut Page),
    ) -> Result<(), Failure> {
        if self.json {
            return Ok(print(&json::pretty(&answer.text))?);
        }
        let mut page = Page::new();
        write(&answer.value, &mut page);
        page.print()
    }

    /// Prints a result of our own: as JSON, or as what `write` makes of it.
    ///
    /// # Errors
    ///
    /// Only what printing may say.
    pub(super) fn result<T: Serialize>(
        self,
        result: &T,
        write: impl FnOnce(&T, &mut Page),
    ) -> Result<(), Failure> {
        if self.json {
            let text = serde_json::to_string(result).map_err(anyhow::Error::from)?;
            return Ok(print(&json::pretty(&text))?);
        }
        let mut page = Page::new();
        write(result, &mut page);
        page.print()
    }
}

impl Page {
    /// An empty page for standard output.
    pub(super) fn new() -> Self {
        Self { terminal: Terminal::of_stdout(), text: String::new() }
    }

    /// Adds a line; what would act on the terminal is escaped.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(&escape(line));
        self.text.push('\n');
    }

    /// Adds a line that begins with a word in its colour.
    pub(super) fn word_and_line(&mut self, word: &Value, line: &str) {
        self.text.push_str(&show::cell(word, Kind::Word).paint(self.terminal));
        self.line(line);
    }

    /// Adds a table, or a sentence where it would have no rows.
    pub(super) fn table(&mut self, items: &[Value], columns: &[Column], nothing: &str) {
        if items.is_empty() {
            self.line(nothing);
        } else {
            self.add(&show::table(items, columns));
        }
    }

    /// Adds a table.
    pub(super) fn add(&mut self, table: &Table) {
        self.text.push_str(&table.render(self.terminal));
    }

    /// Adds `name: value` for a field that is there.
    pub(super) fn field(&mut self, answer: &Value, name: &str, path: &str, kind: Kind) {
        let value = field(answer, path);
        if !value.is_null() {
            self.line(&format!("{name}: {}", sentence(value, kind)));
        }
    }

    /// Adds how much of the time asked about was observed, and how to read on, where an answer says so.
    pub(super) fn footer(&mut self, answer: &Value) {
        self.field(answer, "occupancy observed", "coverage.occupancy", Kind::Share);
        self.field(answer, "users observed", "coverage.users", Kind::Share);
        let next = field(answer, "next");
        if !next.is_null() {
            self.line(&format!("There is more: --after {}", sentence(next, Kind::Text)));
        }
    }

    /// Prints the page.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn print(self) -> Result<(), Failure> {
        if self.text.is_empty() { Ok(()) } else { Ok(print(&self.text)?) }
    }
}
