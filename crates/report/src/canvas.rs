//! A drawing in the making.

use std::fmt::Write as _;

use crystalgym_benchmark::visible_lines;

/// Where a text stands relative to its position.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing in the making: SVG elements that carry classes instead of colours, so that one drawing
/// serves as a file and in a page with a light and a dark mode.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Canvas {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) body: String,
}

impl Canvas {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            body: String::new(),
        }
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let (x1, y1, x2, y2) = (short(from.0), short(from.1), short(to.0), short(to.1));
        let _ = write!(
            self.body,
            r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#
        );
    }

    pub(crate) fn polyline(&mut self, points: &[(f64, f64)], class: &str) {
        let d = path(points);
        let _ = write!(self.body, r#"<path class="{class}" d="{d}"/>"#);
    }

    pub(crate) fn polygon(&mut self, points: &[(f64, f64)], class: &str) {
        let d = path(points);
        let _ = write!(self.body, r#"<path class="{class}" d="{d}Z"/>"#);
    }

    pub(crate) fn rect(&mut self, corner: (f64, f64), size: (f64, f64), attributes: &str) {
        let (x, y, w, h) = (
            short(corner.0),
            short(corner.1),
            short(size.0),
            short(size.1),
        );
        let _ = write!(
            self.body,
            r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" {attributes}/>"#
        );
    }

    pub(crate) fn circle(&mut self, at: (f64, f64), radius: f64, attributes: &str) {
        let (x, y, r) = (short(at.0), short(at.1), short(radius));
        let _ = write!(
            self.body,
            r#"<circle cx="{x}" cy="{y}" r="{r}" {attributes}/>"#
        );
    }

    pub(crate) fn text(&mut self, at: (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let (x, y) = (short(at.0), short(at.1));
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let text = escape(text);
        let _ = write!(
            self.body,
            r#"<text class="{class}" x="{x}" y="{y}"{anchor}>{text}</text>"#
        );
    }

    /// A text that is read from below, centred on its position.
    pub(crate) fn vertical_text(&mut self, at: (f64, f64), class: &str, text: &str) {
        let (x, y) = (short(at.0), short(at.1));
        let text = escape(text);
        let _ = write!(
            self.body,
            r#"<text class="{class}" transform="translate({x} {y}) rotate(-90)" text-anchor="middle">{text}</text>"#
        );
    }

    /// What `draw` draws, with a tooltip.
    pub(crate) fn with_tooltip(&mut self, tooltip: &str, draw: impl FnOnce(&mut Self)) {
        let _ = write!(self.body, "<g><title>{}</title>", escape(tooltip));
        draw(self);
        self.body += "</g>";
    }

    pub(crate) fn raw(&mut self, markup: &str) {
        self.body += markup;
    }
}

fn path(points: &[(f64, f64)]) -> String {
    let mut d = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        let _ = write!(d, "{command}{} {}", short(*x), short(*y));
    }
    d
}

/// Tenths of a pixel are enough.
pub(crate) fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0" } else { text }.to_owned()
}

/// Text that is safe between tags and in attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible_lines(text).chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_element() {
        let mut canvas = Canvas::new(10.0, 10.0);
        canvas.text((0.0, -0.01), Anchor::Start, "t", "<script>\"&'\u{1}");
        assert_eq!(
            canvas.body,
            r#"<text class="t" x="0" y="0">&lt;script&gt;&quot;&amp;&#39;\u{1}</text>"#
        );
    }
}
