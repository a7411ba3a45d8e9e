//! The algorithms' marks.

use crate::{
    canvas::{Canvas, short},
    palette::{AlgorithmStyle, Shape},
};

/// Draws an algorithm's mark; `hollow` for the second of two kinds of values.
pub(crate) fn mark(
    canvas: &mut Canvas,
    style: &AlgorithmStyle,
    (x, y): (f64, f64),
    size: f64,
    hollow: bool,
) {
    let class = match hollow {
        true => format!("h-{}", style.key),
        false => format!("m-{}", style.key),
    };
    let points: Vec<(f64, f64)> = match style.shape {
        Shape::Circle => {
            canvas.circle((x, y), size, &format!(r#"class="{class}""#));
            return;
        }
        Shape::Square => vec![(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        Shape::Diamond => vec![(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
        Shape::Triangle => vec![(0.0, -1.2), (1.15, 0.85), (-1.15, 0.85)],
        Shape::Down => vec![(0.0, 1.2), (1.15, -0.85), (-1.15, -0.85)],
        Shape::Cross => star(std::f64::consts::FRAC_PI_4),
        Shape::Plus => star(0.0),
        Shape::Pentagon => (0..5)
            .map(|corner| {
                let turn = f64::from(corner) * std::f64::consts::TAU / 5.0;
                (1.15 * turn.sin(), -1.15 * turn.cos())
            })
            .collect(),
    };
    let points: Vec<(f64, f64)> = points
        .into_iter()
        .map(|(dx, dy)| (x + size * dx, y + size * dy))
        .collect();
    canvas.polygon(&points, &class);
}

/// A cross with arms of some width.
fn star(turn: f64) -> Vec<(f64, f64)> {
    let (arm, half) = (1.3, 0.42);
    let corners = [
        (half, half),
        (arm, half),
        (arm, -half),
        (half, -half),
        (half, -arm),
        (-half, -arm),
        (-half, -half),
        (-arm, -half),
        (-arm, half),
        (-half, half),
        (-half, arm),
        (half, arm),
    ];
    let (sin, cos) = turn.sin_cos();
    corners
        .map(|(x, y)| (cos * x - sin * y, sin * x + cos * y))
        .to_vec()
}

/// A mark on its own, for legends in a page.
pub(crate) fn legend_mark(style: &AlgorithmStyle) -> String {
    let mut canvas = Canvas::new(18.0, 14.0);
    canvas.line((0.0, 7.0), (18.0, 7.0), &format!("l-{}", style.key));
    mark(&mut canvas, style, (9.0, 7.0), 4.2, false);
    format!(
        r#"<svg class="mark" width="{0}" height="{1}" viewBox="0 0 {0} {1}" aria-hidden="true">{2}</svg>"#,
        short(canvas.width),
        short(canvas.height),
        canvas.body
    )
}
