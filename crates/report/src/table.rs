//! Tables of aligned columns, without lines: they read well in a terminal, in a mail and in a log, and `awk` can cut them.

use comfy_table::{ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, TableStyle};
use owo_colors::Style;

/// The narrowest table; below that the lines are longer than asked.
const MIN_WIDTH: usize = 20;

/// The least columns for the last column, as long as the others fit beside it without being broken.
const MIN_LAST: usize = 16;

/// The most characters of a cell. Longer ones are cut: nobody reads them, and a word of a megabyte would take hours to wrap.
const MAX_CELL: usize = 2000;

/// ASCII's own separators of fields and records. comfy-table draws them as lines; they are cut out again before anybody
/// sees them, so that styles are put on after the layout and cannot disturb it.
const FIELD: char = '\u{1f}';
const RECORD: char = '\u{1e}';

/// The text of a cell, and how it looks.
///
/// Looks are for terminals: print through `anstream`, which takes them off where they do not belong.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell that looks like `style`.
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: text.into(),
            style,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::new())
    }
}

/// A table. Only its last column is wrapped, unless the width leaves it no room.
#[derive(Debug, Clone, Default)]
pub struct Table {
    header: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

impl Table {
    /// A table with these column heads.
    pub fn new(heads: &[&str]) -> Self {
        let head = |text: &&str| Cell::styled(*text, Style::new().bold());
        Self {
            header: heads.iter().map(head).collect(),
            ..Self::default()
        }
    }

    /// A table without column heads.
    pub fn headless() -> Self {
        Self::default()
    }

    /// Starts every line with this many spaces.
    #[must_use]
    pub fn indent(mut self, columns: usize) -> Self {
        self.indent = columns;
        self
    }

    /// Adds a row.
    #[must_use]
    pub fn row<I: IntoIterator<Item = C>, C: Into<Cell>>(mut self, cells: I) -> Self {
        self.push(cells);
        self
    }

    /// Adds a row.
    pub fn push<I: IntoIterator<Item = C>, C: Into<Cell>>(&mut self, cells: I) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text of at most `width` columns, each line with its newline.
    pub fn render(&self, width: usize) -> String {
        let rows: Vec<&[Cell]> = std::iter::once(self.header.as_slice())
            .chain(self.rows.iter().map(Vec::as_slice))
            .filter(|row| !row.is_empty())
            .collect();
        let mut out = String::new();
        let mut row = 0;
        for line in layout(&rows, width.saturating_sub(self.indent).max(MIN_WIDTH)) {
            if line.starts_with(RECORD) {
                row += 1;
                continue;
            }
            self.push_line(&mut out, &line, rows[row]);
        }
        out
    }

    /// Adds a line of a row, with its fields styled and without white space at its end.
    fn push_line(&self, out: &mut String, line: &str, row: &[Cell]) {
        let mut blanks = self.indent;
        for (index, field) in line.split(FIELD).enumerate() {
            let text = field.trim_end();
            if !text.is_empty() {
                out.extend(std::iter::repeat_n(' ', blanks));
                blanks = 0;
                let style = row.get(index).map(|cell| cell.style).unwrap_or_default();
                out.push_str(&style.style(text).to_string());
            }
            // What comfy-table put behind the text is ASCII spaces: as many columns as bytes. One more for the separator.
            blanks += field.len() - text.len() + 1;
        }
        out.push('\n');
    }
}

/// The lines of the table: fields between [`FIELD`], and a line of [`RECORD`] between two rows.
fn layout(rows: &[&[Cell]], width: usize) -> Vec<String> {
    let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    if columns == 0 {
        return Vec::new();
    }
    let mut table = comfy_table::Table::new();
    table
        .load_style(
            TableStyle::new()
                .content_lines(ContentLineStyle::none().junction(FIELD))
                .row_separator(LineStyle::none().fill(RECORD).junction(RECORD)),
        )
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX));
    for row in rows {
        table.add_row((0..columns).map(|i| {
            row.get(i)
                .map(|cell| printable(&cell.text))
                .unwrap_or_default()
        }));
    }
    let widths = table.column_max_content_widths();
    let before_last: usize = widths[..columns - 1]
        .iter()
        .map(|w| usize::from(*w) + 2)
        .sum();
    for (index, column) in table.column_iter_mut().enumerate() {
        let last = index + 1 == columns;
        // One space here and one for the separator make two between columns.
        column.set_padding((0, u16::from(!last)));
        if !last && before_last + MIN_LAST <= width {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.lines().collect()
}

/// The text without control characters: names of devices and files come from outside and must not steer the terminal. What
/// is too long is cut.
fn printable(text: &str) -> String {
    let cut = text.char_indices().nth(MAX_CELL).map(|(at, _)| at);
    text[..cut.unwrap_or(text.len())]
        .chars()
        .chain(cut.map(|_| '…'))
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn plain(table: &Table, width: usize) -> String {
        anstream::adapter::strip_str(&table.render(width)).to_string()
    }

    fn sample() -> Table {
        Table::new(&["ID", "VERDICT", "REASON"])
            .row(["sysctl/vm.swappiness", "ok", ""])
            .row([
                "irq/ens1f0-rx-3",
                "wrong",
                "it fires on CPU 5, which is isolated; the driver asked for it after the affinity was set",
            ])
            .row(["boot/isolcpus", "reboot-pending"])
    }

    #[test]
    fn wraps_the_last_column_only() {
        assert_snapshot!(plain(&sample(), 80), @r"
        ID                    VERDICT         REASON
        sysctl/vm.swappiness  ok
        irq/ens1f0-rx-3       wrong           it fires on CPU 5, which is isolated; the
                                              driver asked for it after the affinity was
                                              set
        boot/isolcpus         reboot-pending
        ");
    }

    #[test]
    fn holds_its_width_where_the_columns_cannot() {
        for width in 0..120 {
            for indent in [0, 2, 50] {
                let text = plain(&sample().indent(indent), width);
                let most = width.max(MIN_WIDTH + indent);
                assert!(
                    text.lines().all(|line| line.chars().count() <= most),
                    "{width}, {indent}:\n{text}"
                );
            }
        }
    }

    #[test]
    fn styles_do_not_move_columns() {
        let words = "a b c d e f g h i j k l";
        let without = Table::headless().row(["wrong", words]);
        let styled = Table::headless().row([
            Cell::styled("wrong", Style::new().red()),
            Cell::styled(words, Style::new().bold()),
        ]);
        assert_eq!(plain(&styled, 20), without.render(20));
        // Each line is styled by itself, so that nothing runs over into the next column.
        assert_eq!(
            styled.render(20).matches("\u{1b}[1m").count(),
            without.render(20).lines().count()
        );
    }

    #[test]
    fn long_words_are_cut() {
        for (length, shown) in [(MAX_CELL, MAX_CELL), (10 << 20, MAX_CELL)] {
            let text = Table::headless()
                .row(["x".to_owned(), "ü".repeat(length)])
                .render(80);
            assert_eq!(text.matches('ü').count(), shown);
            assert_eq!(text.contains('…'), length > shown);
        }
    }

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        let text = Table::headless()
            .row(["\u{1b}[2J\u{1f}\u{1e}", "ü日"])
            .row(["x", "y"])
            .render(40);
        assert_eq!(text, "\u{fffd}[2J\u{fffd}\u{fffd}  ü日\nx       y\n");
        assert_eq!(Table::headless().render(80), "");
        assert_eq!(
            plain(&Table::new(&["A"]).row(Vec::<String>::new()), 80),
            "A\n"
        );
    }
}
