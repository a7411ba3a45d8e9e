//! Plots of lines in a file of their own: bands, densities of states, convergence.

use crate::{
    axis::{Axis, Frame, extent, padded},
    canvas::{Anchor, Canvas, escape, short},
    palette::{ALGORITHMS, style_of},
    style::file_rules,
};

/// A plot of lines, or of values by dots joined by lines.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinePlot {
    /// Above the plot.
    pub title: String,
    /// Under the horizontal axis.
    pub x_label: String,
    /// Beside the vertical axis.
    pub y_label: String,
    /// The lines, those of one series in one colour.
    pub lines: Vec<PlotLine>,
    /// Names of the series; without names there is no legend.
    pub series: Vec<String>,
    /// Places on the horizontal axis with their names, each with a line across, instead of numbers.
    pub marks: Vec<(f64, String)>,
    /// Values that a dashed line is drawn at, with what stands there.
    pub levels: Vec<(f64, String)>,
    /// Lines of text under the plot.
    pub notes: Vec<String>,
    /// Range of the vertical axis; what the lines need if none.
    pub y_range: Option<(f64, f64)>,
    /// Whether points are dots as well.
    pub has_dots: bool,
}

/// A line of a plot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlotLine {
    /// Which series it belongs to.
    pub series: usize,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 88.0;
const NOTE_LINE: f64 = 16.0;

impl LinePlot {
    /// The plot as an SVG file.
    pub fn svg(&self) -> String {
        stacked_svg(std::slice::from_ref(self))
    }

    fn draw(&self) -> Canvas {
        let mut canvas = Canvas::new(WIDTH, HEIGHT);
        canvas.text((LEFT, 26.0), Anchor::Start, "head", &self.title);
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x_range = extent(points().map(|point| point.0)).unwrap_or((0.0, 1.0));
        let y_range = self.y_range.unwrap_or_else(|| {
            let found = extent(points().map(|point| point.1)).unwrap_or((0.0, 1.0));
            padded(found, 0.05)
        });
        let y_range = (y_range.0.min(y_range.1), y_range.0.max(y_range.1));
        let frame = Frame {
            x: Axis::linear(x_range.0, x_range.1, LEFT, WIDTH - RIGHT),
            y: Axis::linear(y_range.0, y_range.1, HEIGHT - BOTTOM, TOP),
            x_label: &self.x_label,
            y_label: &self.y_label,
        };
        match self.marks.is_empty() {
            true => frame.draw(&mut canvas),
            false => self.draw_marked(&frame, &mut canvas),
        }
        for (level, name) in &self.levels {
            if (y_range.0..=y_range.1).contains(level) {
                let y = frame.y.at(*level);
                canvas.line((LEFT, y), (WIDTH - RIGHT, y), "target");
                canvas.text((WIDTH - RIGHT - 4.0, y - 5.0), Anchor::End, "small", name);
            }
        }
        for line in &self.lines {
            let key = key_of(line.series);
            for piece in within(&line.points, y_range) {
                let at: Vec<(f64, f64)> = piece
                    .into_iter()
                    .map(|(x, y)| (frame.x.at(x), frame.y.at(y)))
                    .collect();
                canvas.polyline(&at, &format!("l-{key}"));
            }
            if self.has_dots {
                let is_point = |(x, y): &&(f64, f64)| x.is_finite() && y.is_finite();
                for &(x, y) in line.points.iter().filter(is_point) {
                    let at = (frame.x.at(x), frame.y.at(y));
                    canvas.circle(at, 4.0, &format!(r#"class="m-{key}""#));
                }
            }
        }
        for (line, note) in self.notes.iter().enumerate() {
            let y = HEIGHT - BOTTOM + 52.0 + NOTE_LINE * line as f64;
            canvas.text((LEFT, y), Anchor::Start, "small", note);
        }
        self.draw_legend(&mut canvas);
        canvas
    }

    /// The axes with names instead of numbers along the horizontal one.
    fn draw_marked(&self, frame: &Frame<'_>, canvas: &mut Canvas) {
        let ((left, right), (top, bottom)) = (frame.x.range(), frame.y.range());
        for (value, label) in frame.y.ticks(8) {
            let y = frame.y.at(value);
            canvas.line((left, y), (right, y), "grid");
            canvas.text((left - 6.0, y + 3.8), Anchor::End, "tick", &label);
        }
        canvas.line((left, bottom), (right, bottom), "axis");
        for (value, name) in &self.marks {
            let x = frame.x.at(*value);
            canvas.line((x, top), (x, bottom), "axis");
            canvas.text((x, bottom + 17.0), Anchor::Middle, "text", name);
        }
        let middle = 0.5 * (left + right);
        canvas.text(
            (middle, bottom + 34.0),
            Anchor::Middle,
            "label",
            &self.x_label,
        );
        canvas.vertical_text((14.0, 0.5 * (top + bottom)), "label", &self.y_label);
    }

    fn draw_legend(&self, canvas: &mut Canvas) {
        let mut x = LEFT;
        for (series, name) in self.series.iter().enumerate() {
            let key = key_of(series);
            canvas.line((x, 44.0), (x + 18.0, 44.0), &format!("l-{key}"));
            canvas.text((x + 24.0, 48.0), Anchor::Start, "text", name);
            x += 44.0 + 7.2 * name.chars().count() as f64;
        }
    }
}

/// Several plots one under another in one SVG file.
pub fn stacked_svg(plots: &[LinePlot]) -> String {
    let (width, height) = (short(WIDTH), short(HEIGHT * plots.len() as f64));
    let titles: Vec<&str> = plots.iter().map(|plot| plot.title.as_str()).collect();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\"><title>{}</title><style>{}</style>\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>",
        escape(&titles.join("; ")),
        file_rules(),
    );
    for (place, plot) in plots.iter().enumerate() {
        let y = short(HEIGHT * place as f64);
        svg += &format!("<g transform=\"translate(0 {y})\">{}</g>", plot.draw().body);
    }
    svg + "</svg>\n"
}

fn key_of(series: usize) -> &'static str {
    style_of(ALGORITHMS[series % ALGORITHMS.len()]).key
}

/// The pieces of a line between two heights, cut where it crosses them.
fn within(points: &[(f64, f64)], (low, high): (f64, f64)) -> Vec<Vec<(f64, f64)>> {
    let is_inside = |y: f64| (low..=high).contains(&y);
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut piece = Vec::new();
    piece.extend(points.first().filter(|first| is_inside(first.1)));
    for pair in points.windows(2) {
        let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
        let crossing = |level: f64| {
            let share = (level - y1) / (y2 - y1);
            (share, (x1 + share * (x2 - x1), level))
        };
        let mut crossings: Vec<(f64, (f64, f64))> = [low, high]
            .into_iter()
            .filter(|level| (y1 - level) * (y2 - level) < 0.0)
            .map(crossing)
            .collect();
        crossings.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, point) in crossings {
            piece.push(point);
            if piece.len() > 1 {
                pieces.push(std::mem::take(&mut piece));
            }
        }
        if is_inside(y2) {
            piece.push((x2, y2));
        } else if !piece.is_empty() {
            // It leaves at a point that lies on a border.
            pieces.push(std::mem::take(&mut piece));
        }
    }
    pieces.push(piece);
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand.
    #[test]
    fn lines_are_cut_where_they_leave() {
        let range = (0.0, 1.0);
        let line = [(0.0, -1.0), (2.0, 1.0), (4.0, 0.5), (5.0, 2.5)];
        let expected = vec![vec![(1.0, 0.0), (2.0, 1.0), (4.0, 0.5), (4.25, 1.0)]];
        assert_eq!(within(&line, range), expected);
        // Through the whole height, there and back.
        let line = [(0.0, -1.0), (3.0, 2.0), (6.0, -1.0)];
        let expected = vec![vec![(1.0, 0.0), (2.0, 1.0)], vec![(4.0, 1.0), (5.0, 0.0)]];
        assert_eq!(within(&line, range), expected);
        assert!(within(&[(0.0, 2.0), (1.0, 3.0)], range).is_empty());
        assert!(within(&[], range).is_empty());
    }

    #[test]
    fn a_plot_shows_its_lines_and_names() {
        let plot = LinePlot {
            title: "Bands of <Si>".to_owned(),
            lines: vec![PlotLine {
                series: 0,
                points: vec![(0.0, 0.0), (1.0, 2.0)],
            }],
            marks: vec![(0.0, "Γ".to_owned()), (1.0, "X".to_owned())],
            levels: vec![(0.5, "top".to_owned())],
            ..LinePlot::default()
        };
        let svg = plot.svg();
        assert!(svg.contains("Bands of &lt;Si&gt;") && svg.contains(">Γ<"));
        assert_eq!(svg.matches("class=\"l-ppo\"").count(), 1);
        assert!(LinePlot::default().svg().contains("</svg>"));
        // Whatever is asked for, what is drawn are numbers.
        for y_range in [
            (f64::NAN, 1.0),
            (5.0, -5.0),
            (f64::MIN, f64::MAX),
            (1.0, f64::INFINITY),
        ] {
            let svg = LinePlot {
                y_range: Some(y_range),
                has_dots: true,
                ..plot.clone()
            }
            .svg();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
