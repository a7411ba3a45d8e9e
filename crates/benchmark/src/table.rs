//! A table in plain strings, as Markdown, CSV and LaTeX.

use std::fmt::Write as _;

use crystalgym_evaluation::{csv_row, latex, markdown};

/// A table in plain strings, to be written in any format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// File name without extension.
    pub name: &'static str,
    /// Title.
    pub title: String,
    /// What the columns mean.
    pub note: &'static str,
    /// Names of the columns.
    pub columns: Vec<&'static str>,
    /// Rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// GitHub's Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<String> = cells.map(|cell| markdown(&cell)).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let title = markdown(&self.title);
        let mut text = format!("### {title}\n\n{}\n\n", self.note);
        text += &line(&mut self.columns.iter().map(|&column| column.to_owned()));
        let numeric = self.numeric_columns();
        let rule = |&numeric: &bool| if numeric { "---:" } else { "---" }.to_owned();
        text += &line(&mut numeric.iter().map(rule));
        for row in &self.rows {
            text += &line(&mut row.iter().cloned());
        }
        text
    }

    /// Comma-separated values (RFC 4180), title and note left out.
    pub fn csv(&self) -> String {
        let mut text = csv_row(&self.columns);
        for row in &self.rows {
            text += &csv_row(row);
        }
        text
    }

    /// A LaTeX table.
    pub fn latex(&self) -> String {
        let line = |cells: Vec<String>| format!("{} \\\\\n", cells.join(" & "));
        let mut table = String::new();
        let numeric = self.numeric_columns();
        let columns: String = (numeric
            .iter()
            .map(|&numeric| if numeric { 'r' } else { 'l' }))
        .collect();
        let title = latex(&self.title);
        let _ = write!(
            table,
            "\\begin{{table}}\n\\caption{{{title}}}\n\\begin{{tabular}}{{{columns}}}\n\\hline\n"
        );
        table += &line(self.columns.iter().map(|column| latex(column)).collect());
        table += "\\hline\n";
        for row in &self.rows {
            table += &line(row.iter().map(|cell| latex(cell)).collect());
        }
        table + "\\hline\n\\end{tabular}\n\\end{table}\n"
    }

    /// Which columns hold nothing but numbers, and stand to the right.
    fn numeric_columns(&self) -> Vec<bool> {
        (0..self.columns.len())
            .map(|column| are_numbers(self.rows.iter().filter_map(|row| row.get(column))))
            .collect()
    }
}

/// Whether cells hold numbers alone, as `0.81`, `0.81 (0.75 to 0.9)`, `3 of 5` and `2.5 %`; empty ones
/// say nothing.
pub fn are_numbers<'a>(cells: impl Iterator<Item = &'a String>) -> bool {
    let is_word = |word: &str| {
        let word = word.trim_matches(['(', ')', ',']);
        matches!(word, "to" | "of" | "%" | "one" | "seed") || word.parse::<f64>().is_ok()
    };
    let mut numbers = 0;
    for cell in cells.filter(|cell| !cell.is_empty()) {
        if !cell.split_whitespace().all(is_word) {
            return false;
        }
        numbers += usize::from(cell.contains(|c: char| c.is_ascii_digit()));
    }
    numbers > 0
}

/// A number with the digits that mean something: three decimals below ten, four digits to ten
/// thousand, whole numbers above.
pub fn shown_number(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        _ if size < 9.9995 => 3,
        _ if size < 99.995 => 2,
        _ if size < 999.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: written out by hand.
    #[test]
    fn numbers_stand_to_the_right_with_few_digits() {
        let shown: Vec<String> = [0.123_456, -5.0, 9.9999, 45.678, 123.456, 45_678.9]
            .map(shown_number)
            .to_vec();
        assert_eq!(
            shown,
            ["0.123", "-5.000", "10.00", "45.68", "123.5", "45679"]
        );
        let table = Table {
            name: "t",
            title: "T".to_owned(),
            note: "n",
            columns: vec!["name", "mean", "share", "empty"],
            rows: vec![
                vec![
                    "3d".into(),
                    "0.81 (0.75 to 0.9)".into(),
                    "3 of 5".into(),
                    String::new(),
                ],
                vec!["4".into(), String::new(), "2.5 %".into(), String::new()],
            ],
        };
        assert!(table.markdown().contains("| --- | ---: | ---: | --- |"));
        assert!(table.latex().contains("{lrrl}"));
    }
}
