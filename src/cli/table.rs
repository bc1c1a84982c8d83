//! Tables as `kubectl` and `docker ps` print them: headings, two spaces between columns, no lines. Columns are aligned by
//! what a terminal shows, and cut to its width. Where that is too narrow, each row is a paragraph with a line for each field.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::escape::escape;
use super::terminal::{Terminal, Tone};

/// Spaces between two columns.
const GAP: usize = 2;

/// No column is cut below so many columns of the terminal.
const NARROWEST: usize = 8;

/// One field of a table, escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
    whole: bool,
}

impl Cell {
    /// Text from anywhere.
    pub(super) fn new(tone: Tone, text: &str) -> Self {
        Self { text: escape(text).into_owned(), tone, whole: false }
    }

    /// Text from anywhere, in no special colour.
    pub(super) fn plain(text: &str) -> Self {
        Self::new(Tone::Plain, text)
    }

    /// Nothing is known or nothing is there.
    pub(super) fn none() -> Self {
        Self::new(Tone::Faint, "-")
    }

    /// The same, never to be cut: part of a time or a number would be wrong.
    pub(super) fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// The text, escaped, in its colour.
    pub(super) fn paint(&self, terminal: Terminal) -> String {
        terminal.paint(self.tone, &self.text)
    }

    fn width(&self) -> usize {
        self.text.width()
    }
}

/// Rows under headings.
#[derive(Debug, Clone)]
pub(super) struct Table {
    headings: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub(super) fn new(headings: &[&str]) -> Self {
        Self {
            headings: headings.iter().map(|text| Cell::new(Tone::Strong, text)).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. What it lacks on the right stays empty.
    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The lines of the table, each ending with a newline.
    pub(super) fn render(&self, terminal: Terminal) -> String {
        let widths = self.widths(terminal.width);
        let whole = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        if terminal.width.is_some_and(|available| whole > available) {
            return self.paragraphs(terminal);
        }
        let lines = std::iter::once(&self.headings).chain(&self.rows);
        lines.map(|cells| line(cells, &widths, terminal)).collect()
    }

    /// A line for each field that says something, an empty one between two rows.
    fn paragraphs(&self, terminal: Terminal) -> String {
        let widest = self.headings.iter().map(Cell::width).max().unwrap_or(0);
        let field = |(heading, cell): (&Cell, &Cell)| {
            let (name, value) = (heading.paint(terminal), cell.paint(terminal));
            format!("{name}{}{value}\n", " ".repeat(widest - heading.width() + GAP))
        };
        let row = |cells: &Vec<Cell>| -> String {
            self.headings.iter().zip(cells).filter(|(_, cell)| !cell.text.is_empty()).map(field).collect()
        };
        self.rows.iter().map(row).collect::<Vec<String>>().join("\n")
    }

    fn widths(&self, available: Option<usize>) -> Vec<usize> {
        let mut columns: Vec<(usize, bool)> =
            self.headings.iter().map(|heading| (heading.width(), false)).collect();
        for row in &self.rows {
            for ((width, whole), cell) in columns.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
                *whole |= cell.whole;
            }
        }
        if let Some(available) = available {
            shrink(&mut columns, available);
        }
        columns.into_iter().map(|(width, _)| width).collect()
    }
}

/// Takes columns of the terminal from the widest column that may be cut, until all fit or none can give any.
fn shrink(columns: &mut [(usize, bool)], available: usize) {
    let gaps = GAP * columns.len().saturating_sub(1);
    while columns.iter().map(|(width, _)| width).sum::<usize>() + gaps > available {
        let cuttable = columns.iter_mut().filter(|(_, whole)| !whole).map(|(width, _)| width);
        match cuttable.max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => return,
        }
    }
}

fn line(cells: &[Cell], widths: &[usize], terminal: Terminal) -> String {
    let mut line = String::new();
    let mut padding = 0;
    for (cell, &width) in cells.iter().zip(widths) {
        line.push_str(&" ".repeat(padding));
        let text = cut(&cell.text, width);
        line.push_str(&terminal.paint(cell.tone, &text));
        padding = GAP + width.saturating_sub(text.width());
    }
    // Nothing follows the last cell: no spaces at the end of a line.
    line.truncate(line.trim_end_matches(' ').len());
    line.push('\n');
    line
}

/// As much of `text` as fits into `width` columns, with `…` where something is missing.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |c: &char| match left.checked_sub(c.width().unwrap_or(0)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: Terminal = Terminal { width: None, colours: false };

    fn table(rows: &[[&str; 3]]) -> Table {
        let mut table = Table::new(&["CHANNEL", "USER", "N"]);
        for row in rows {
            table.row(row.iter().map(|text| Cell::plain(text)).collect());
        }
        table
    }

    #[test]
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let table = table(&[["こんにちは", "a", "1"], ["e\u{301}", "bob", "2"]]);
        assert_eq!(
            table.render(PIPE),
            "CHANNEL     USER  N\nこんにちは  a     1\ne\u{301}           bob   2\n"
        );
    }

    #[test]
    fn hostile_names_are_shown_not_obeyed() {
        let text = table(&[["\u{1b}[2J", "a\nb", "\u{202e}"]]).render(PIPE);
        assert_eq!(text, "CHANNEL    USER     N\n\\u{1b}[2J  a\\u{a}b  \\u{202e}\n");
    }

    #[test]
    fn a_table_is_cut_to_the_terminal_at_its_widest_columns() {
        let long = "x".repeat(100);
        let text = table(&[[&long, "bob", "1"]]).render(Terminal { width: Some(40), colours: false });
        for line in text.lines() {
            assert!(line.width() <= 40, "{line}");
        }
        assert!(text.contains('…') && text.contains("bob   1"), "{text}");
    }

    #[test]
    fn a_time_is_never_cut() {
        let mut table = Table::new(&["CHANNEL", "LAST OBSERVED (UTC)"]);
        table.row(vec![Cell::plain(&"x".repeat(30)), Cell::plain("2026-11-24 14:03:05.120").whole()]);
        let text = table.render(Terminal { width: Some(33), colours: false });
        assert!(text.contains("xxxxxxx…  2026-11-24 14:03:05.120\n"), "{text}");
    }

    #[test]
    fn where_columns_do_not_fit_each_row_is_a_paragraph() {
        let mut table = Table::new(&["CHANNEL", "SEEN (UTC)", "NOTE"]);
        for (name, note) in [("lobby", ""), ("hall", "gap")] {
            let time = Cell::plain("2026-11-24 14:03:05.120").whole();
            table.row(vec![Cell::plain(name), time, Cell::plain(note)]);
        }
        assert_eq!(
            table.render(Terminal { width: Some(37), colours: false }),
            "CHANNEL     lobby\nSEEN (UTC)  2026-11-24 14:03:05.120\n\n\
             CHANNEL     hall\nSEEN (UTC)  2026-11-24 14:03:05.120\nNOTE        gap\n"
        );
    }

    #[test]
    fn wide_characters_are_never_cut_in_half() {
        assert_eq!(cut("こんにちは", 6), "こん…");
        assert_eq!(cut("こん", 4), "こん");
    }

    #[test]
    fn colours_come_only_where_they_are_wanted() {
        let mut table = Table::new(&["A"]);
        table.row(vec![Cell::new(Tone::Doubt, "unknown")]);
        assert_eq!(table.render(PIPE), "A\nunknown\n");
        let coloured = table.render(Terminal { width: None, colours: true });
        assert_eq!(coloured, "\u{1b}[1mA\u{1b}[0m\n\u{1b}[33munknown\u{1b}[0m\n");
    }
}
