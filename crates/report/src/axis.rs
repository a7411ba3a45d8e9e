//! Axes: ticks, and values as pixels.

use crate::canvas::{Anchor, Canvas};

/// A map from values to pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

/// The largest value of an axis; a difference of two such is a number.
const LARGEST: f64 = 1e300;
/// The smallest value of a logarithmic axis.
const SMALLEST: f64 = 1e-30;

impl Axis {
    /// A linear axis; a range without extent is widened, one that is no range is [`LARGEST`]'s or 0 to 1.
    pub(crate) fn linear(low: f64, high: f64, from: f64, to: f64) -> Self {
        let (low, high) = match low.is_nan() || high.is_nan() {
            true => (0.0, 1.0),
            false => (
                low.min(high).clamp(-LARGEST, LARGEST),
                low.max(high).clamp(-LARGEST, LARGEST),
            ),
        };
        let (low, high) = match high - low {
            extent if extent > 1e-12 * low.abs().max(high.abs()) && extent > 0.0 => (low, high),
            _ => (low - 0.5, high + 0.5),
        };
        Self {
            low,
            high,
            from,
            to,
            logarithmic: false,
        }
    }

    /// An axis of whole decades around positive values.
    pub(crate) fn decades(low: f64, high: f64, from: f64, to: f64) -> Self {
        let low = within(low, SMALLEST, LARGEST).log10().floor();
        let high = within(high, SMALLEST, LARGEST).log10().ceil();
        Self {
            low,
            high: if high > low { high } else { low + 1.0 },
            from,
            to,
            logarithmic: true,
        }
    }

    /// The pixel of a value, a little outside of the axis for one that is not on it or no number.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let value = match self.logarithmic {
            true => value.max(SMALLEST).log10(),
            false => value,
        };
        let share = (value - self.low) / (self.high - self.low);
        let share = within(share, -0.02, 1.02);
        self.from + share * (self.to - self.from)
    }

    pub(crate) fn range(&self) -> (f64, f64) {
        (self.from.min(self.to), self.from.max(self.to))
    }

    /// Values to be marked, about `count` of them, with their labels.
    pub(crate) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        if self.logarithmic {
            let (low, high) = (self.low as i32, self.high as i32);
            let step = ((high - low) as usize).div_ceil(count.max(1)).max(1);
            return (low..=high)
                .step_by(step)
                .map(|power| (10f64.powi(power), compact(10f64.powi(power))))
                .collect();
        }
        let step = nice_step((self.high - self.low) / count.max(1) as f64);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last)
            .map(|index| {
                let value = index as f64 * step;
                (value, compact(value))
            })
            .collect()
    }
}

/// The nearest number between two others; the lower one of what is no number.
fn within(value: f64, low: f64, high: f64) -> f64 {
    match value.is_nan() {
        true => low,
        false => value.clamp(low, high),
    }
}

/// 1, 2 or 5 times a power of ten, not below `rough`.
fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.max(1e-300).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let fits = steps.into_iter().find(|step| *step >= rough * (1.0 - 1e-9));
    fits.unwrap_or(10.0 * power)
}

/// A number as short as it stays clear: `0.25`, `−1`, `20k`, `1.5M`.
pub(crate) fn compact(value: f64) -> String {
    let size = value.abs();
    let (scaled, suffix) = match size {
        _ if size >= 1e6 => (value / 1e6, "M"),
        _ if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        0.0 => 0,
        size => (3 - size.log10().floor() as i32).clamp(0, 6) as usize,
    };
    let text = format!("{scaled:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    let text = if text == "-0" { "0" } else { text };
    format!("{}{suffix}", text.replace('-', "\u{2212}"))
}

/// The axes of a panel: values against values, with light lines across.
pub(crate) struct Frame<'a> {
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) x_label: &'a str,
    pub(crate) y_label: &'a str,
}

impl Frame<'_> {
    pub(crate) fn draw(&self, canvas: &mut Canvas) {
        let ((left, right), (top, bottom)) = (self.x.range(), self.y.range());
        for (value, label) in self.y.ticks(6) {
            let y = self.y.at(value);
            canvas.line((left, y), (right, y), "grid");
            canvas.text((left - 6.0, y + 3.8), Anchor::End, "tick", &label);
        }
        canvas.line((left, bottom), (right, bottom), "axis");
        for (value, label) in self.x.ticks(5) {
            let x = self.x.at(value);
            canvas.line((x, bottom), (x, bottom + 4.0), "axis");
            canvas.text((x, bottom + 16.0), Anchor::Middle, "tick", &label);
        }
        let middle = 0.5 * (left + right);
        canvas.text(
            (middle, bottom + 32.0),
            Anchor::Middle,
            "label",
            self.x_label,
        );
        canvas.vertical_text((12.0, 0.5 * (top + bottom)), "label", self.y_label);
    }
}

/// The smallest and the largest of the finite values, `None` without one.
pub(crate) fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|value| value.is_finite())
        .fold(None, |extent, value| match extent {
            None => Some((value, value)),
            Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
        })
}

/// A range with a margin on both sides.
pub(crate) fn padded((low, high): (f64, f64), share: f64) -> (f64, f64) {
    let margin = share * (high - low);
    (low - margin, high + margin)
}

/// Mean, smallest and largest.
pub(crate) fn spread(values: &[f64]) -> Option<(f64, f64, f64)> {
    let (low, high) = extent(values.iter().copied())?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Some((mean, low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let labels = |axis: Axis| -> Vec<String> {
            axis.ticks(4).into_iter().map(|(_, label)| label).collect()
        };
        let axis = Axis::linear(-1.0, 1.0, 0.0, 100.0);
        assert_eq!(labels(axis), ["\u{2212}1", "\u{2212}0.5", "0", "0.5", "1"]);
        assert_eq!(
            (axis.at(-1.0), axis.at(0.0), axis.at(1.0)),
            (0.0, 50.0, 100.0)
        );
        assert_eq!(labels(Axis::linear(0.0, 9e4, 0.0, 1.0)), ["0", "50k"]);
        let decades = Axis::decades(0.02, 70.0, 0.0, 1.0);
        assert_eq!(labels(decades), ["0.01", "0.1", "1", "10", "100"]);
        assert!(Axis::linear(2.0, 2.0, 0.0, 1.0).at(2.0).is_finite());
    }

    /// Whatever the ends are, there are few ticks, all labels are numbers and all places are finite.
    #[test]
    fn every_range_makes_an_axis() {
        let ends = [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            1e300,
            -1e20,
            0.0,
            5.0,
            5.0 + 1e-15,
        ];
        for (low, high) in ends.iter().flat_map(|a| ends.map(|b| (*a, b))) {
            for axis in [
                Axis::linear(low, high, 10.0, 110.0),
                Axis::decades(low, high, 10.0, 110.0),
            ] {
                let ticks = axis.ticks(6);
                assert!(ticks.len() <= 14, "{low} {high}: {}", ticks.len());
                for (value, label) in &ticks {
                    assert!(!label.contains("NaN") && !label.contains("inf"), "{label}");
                    assert!((7.9..=112.1).contains(&axis.at(*value)));
                }
                for value in ends {
                    let at = axis.at(value);
                    assert!((7.9..=112.1).contains(&at), "{low} {high} {value}: {at}");
                }
            }
        }
    }
}
