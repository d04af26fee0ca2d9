//! Tables for a terminal.

use super::style::Style;
use super::summary::WIDTH;

/// Between two columns.
const GAP: usize = 2;

/// How a column's cells are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows under headings; every row has a cell for each column.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[(&str, Align)]) -> Self {
        Self { columns: columns.iter().map(|(name, align)| ((*name).to_owned(), *align)).collect(), rows: Vec::new() }
    }

    /// One more column, behind the others, with its cell of each row.
    pub(super) fn column(&mut self, name: &str, align: Align, cells: Vec<String>) {
        self.columns.push((name.to_owned(), align));
        for (row, cell) in self.rows.iter_mut().zip(cells) {
            row.push(cell);
        }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// How wide the widest line is.
    pub(super) fn width(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
    }

    /// The heading and a line for each row, each indented and at most as wide as a terminal.
    pub(super) fn lines(&self, indent: usize, style: Style) -> Vec<String> {
        let widths = self.widths();
        let names: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let line = |cells: &[String]| cut(&format!("{:indent$}{}", "", self.line(cells, &widths)));
        let heading = style.dim(&line(&names));
        [heading].into_iter().chain(self.rows.iter().map(|row| line(row))).collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let aligned = cells.iter().zip(widths).zip(&self.columns).map(|((cell, width), (_, align))| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        aligned.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    }

    fn widths(&self) -> Vec<usize> {
        let of = |index: usize, name: &str| {
            let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
            cells.chain([name.chars().count()]).max().unwrap_or(0)
        };
        self.columns.iter().enumerate().map(|(index, (name, _))| of(index, name)).collect()
    }
}

/// Text that a terminal shows and does not obey: control characters are escaped.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A line that fits the terminal.
pub(super) fn cut(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    line.chars().take(WIDTH - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_text_left() {
        let mut table = Table::new(&[("name", Align::Left), ("n", Align::Right)]);
        table.row(vec![String::from("a"), String::from("1")]);
        table.row(vec![String::from("longer"), String::from("1,000")]);
        table.column("more", Align::Left, vec![String::from("x"), String::new()]);
        assert_eq!(table.lines(2, Style::plain()), ["  name        n  more", "  a           1  x", "  longer  1,000"]);
    }

    #[test]
    fn no_line_is_wider_than_a_terminal_or_moves_its_cursor() {
        let mut table = Table::new(&[("name", Align::Left)]);
        table.row(vec!["\x1b[2J\u{9b}é".repeat(40)]);
        let lines = table.lines(2, Style::plain());
        assert!(
            lines.iter().all(|line| line.chars().count() <= WIDTH && !line.contains(char::is_control)),
            "{lines:?}"
        );
        assert!(lines[1].ends_with('…'));
    }
}
