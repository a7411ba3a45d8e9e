//! Text of somebody else on its way to a medium: seen as it is, and never obeyed.
//!
//! Names, reasons and labels come from files that anybody can write. Each medium has one function
//! that all of its text goes through where it leaves: [`visible`] for what has no markup of its own,
//! [`markdown`] and [`markdown_code`], [`latex`], [`csv_row`]; the page of a report has its own for HTML.

use std::borrow::Cow;

/// Whether a character moves the cursor, turns the direction of writing or cannot be seen at all.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with what controls a terminal, turns the direction of writing or cannot be seen written
/// out, as `\u{1b}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    shown(text, is_hidden)
}

/// The same for text of several lines, whose ends and tabs stay.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    shown(text, |c| is_hidden(c) && c != '\n' && c != '\t')
}

fn shown(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match hidden(c) {
            true => written.extend(c.escape_unicode()),
            false => written.push(c),
        }
    }
    Cow::Owned(written)
}

/// The text for a line or a cell of Markdown: no HTML, no link, no code, no further cell.
pub fn markdown(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 16);
    for c in visible(text).chars() {
        match c {
            '&' => written += "&amp;",
            '<' => written += "&lt;",
            '>' => written += "&gt;",
            '|' | '[' | ']' | '`' | '\\' => {
                written.push('\\');
                written.push(c);
            }
            _ => written.push(c),
        }
    }
    written
}

/// The text as code in Markdown, in which nothing but the end of it has a meaning.
pub fn markdown_code(text: &str) -> String {
    format!("`{}`", visible(text).replace('`', "'"))
}

/// The text for LaTeX: no character of it is a command.
pub fn latex(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 16);
    for c in visible(text).chars() {
        match c {
            '\\' => written += "\\textbackslash{}",
            '^' => written += "\\textasciicircum{}",
            '~' => written += "\\textasciitilde{}",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                written.push('\\');
                written.push(c);
            }
            _ => written.push(c),
        }
    }
    written
}

/// A row of comma-separated values (RFC 4180), in which no cell is a formula to a spreadsheet: where
/// one that is no number begins like one, an apostrophe stands before it.
pub fn csv_row(cells: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = cells
        .iter()
        .map(|cell| {
            let cell = visible(cell.as_ref());
            let formula = cell.starts_with(['=', '+', '-', '@']) && cell.parse::<f64>().is_err();
            let cell = match formula {
                true => Cow::Owned(format!("'{cell}")),
                false => cell,
            };
            match cell.contains([',', '"']) {
                true => format!("\"{}\"", cell.replace('"', "\"\"")),
                false => cell.into_owned(),
            }
        })
        .collect();
    quoted.join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: written out by hand.
    #[test]
    fn nothing_is_obeyed() {
        assert_eq!(visible("Ω é 水 a-b_c"), "Ω é 水 a-b_c");
        assert_eq!(
            visible("a\u{1b}[2J\u{202e}b\u{200b}\n\u{9b}"),
            "a\\u{1b}[2J\\u{202e}b\\u{200b}\\u{a}\\u{9b}"
        );
        assert_eq!(visible_lines("a\n\tb\r\u{7}"), "a\n\tb\\u{d}\\u{7}");
        assert_eq!(
            markdown("<script>a|b</script> [x](y) `c` \\"),
            "&lt;script&gt;a\\|b&lt;/script&gt; \\[x\\](y) \\`c\\` \\\\"
        );
        assert_eq!(markdown_code("a`<b>`\u{1b}|"), "`a'<b>'\\u{1b}|`");
        assert_eq!(
            latex("\\input{x} 5% a_b^2~#$&"),
            "\\textbackslash{}input\\{x\\} 5\\% a\\_b\\textasciicircum{}2\\textasciitilde{}\\#\\$\\&"
        );
        assert_eq!(
            csv_row(&["=cmd()", "-1.5", "-x", "@a", "a,\"b\"", "\t=1", "1e-3"]),
            "'=cmd(),-1.5,'-x,'@a,\"a,\"\"b\"\"\",\\u{9}=1,1e-3\n"
        );
    }
}
