//! Bands as they lie in memory between uses.

use std::{borrow::Cow, ops::Range};

use crate::linear_algebra::Scalar;

/// What bands are kept in between uses; they are always worked on in double precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeptPrecision {
    Double,
    /// Rounding changes a coefficient by at most 6e-8 of itself, and so adds to a squared residual at
    /// most about the square of that times the cutoff, 2e-12 hartree² at 50 Ry: less than what bands
    /// are solved to, but for the strictest settings.
    Single,
}

/// The bands at all k-points, one column each.
///
/// They lie in one piece of memory: pieces that are given back and taken again at each k-point, beside
/// the work on others, would leave holes.
#[derive(Debug, Clone)]
pub(crate) struct Bands<S: Scalar> {
    /// Where those of each k-point end.
    ends: Vec<usize>,
    coefficients: Coefficients<S>,
}

#[derive(Debug, Clone)]
enum Coefficients<S: Scalar> {
    Double(Vec<S>),
    Single(Vec<S::Single>),
}

/// The place of the bands at one k-point.
#[derive(Debug)]
pub(crate) enum BandsMut<'a, S: Scalar> {
    Double(&'a mut [S]),
    Single(&'a mut [S::Single]),
}

impl<S: Scalar> Bands<S> {
    /// Zeros, so many coefficients at each k-point.
    pub(crate) fn zeros(
        lengths: impl IntoIterator<Item = usize>,
        precision: KeptPrecision,
    ) -> Self {
        let ends = lengths.into_iter().scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        let ends: Vec<usize> = ends.collect();
        let len = ends.last().copied().unwrap_or(0);
        let zero = S::from_real(0.0);
        Self {
            ends,
            coefficients: match precision {
                KeptPrecision::Double => Coefficients::Double(vec![zero; len]),
                KeptPrecision::Single => Coefficients::Single(vec![zero.narrowed(); len]),
            },
        }
    }

    /// Number of coefficients.
    pub(crate) fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Those at the k-point of this index.
    pub(crate) fn at(&self, k: usize) -> Cow<'_, [S]> {
        self.range(self.start(k)..self.ends[k])
    }

    /// Some of the coefficients at the k-point of this index.
    pub(crate) fn part(&self, k: usize, part: Range<usize>) -> Cow<'_, [S]> {
        let start = self.start(k);
        self.range(start + part.start..start + part.end)
    }

    /// Each k-point's place.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = BandsMut<'_, S>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let lengths = self.ends.iter().zip(starts).map(|(end, start)| end - start);
        let mut rest = match &mut self.coefficients {
            Coefficients::Double(all) => BandsMut::Double(all),
            Coefficients::Single(all) => BandsMut::Single(all),
        };
        lengths.map(move |length| {
            let (first, tail) = std::mem::take(&mut rest).split_at(length);
            rest = tail;
            first
        })
    }

    fn start(&self, k: usize) -> usize {
        k.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    fn range(&self, range: Range<usize>) -> Cow<'_, [S]> {
        match &self.coefficients {
            Coefficients::Double(all) => Cow::Borrowed(&all[range]),
            Coefficients::Single(all) => all[range].iter().map(|&c| S::widened(c)).collect(),
        }
    }
}

/// None, at no k-point.
impl<S: Scalar> Default for Bands<S> {
    fn default() -> Self {
        Self::zeros([], KeptPrecision::Double)
    }
}

impl<S: Scalar> Default for BandsMut<'_, S> {
    fn default() -> Self {
        Self::Double(&mut [])
    }
}

impl<S: Scalar> BandsMut<'_, S> {
    /// Fills `columns` with the bands.
    pub(crate) fn get(&self, columns: &mut Vec<S>) {
        columns.clear();
        match self {
            Self::Double(place) => columns.extend_from_slice(place),
            Self::Single(place) => columns.extend(place.iter().map(|&c| S::widened(c))),
        }
    }

    /// Keeps others, as many.
    pub(crate) fn set(&mut self, columns: &[S]) {
        match self {
            Self::Double(place) => place.copy_from_slice(columns),
            Self::Single(place) => {
                for (kept, &c) in place.iter_mut().zip(columns) {
                    *kept = c.narrowed();
                }
            }
        }
    }
}

impl<'a, S: Scalar> BandsMut<'a, S> {
    fn split_at(self, length: usize) -> (Self, Self) {
        match self {
            Self::Double(all) => {
                let (a, b) = all.split_at_mut(length);
                (Self::Double(a), Self::Double(b))
            }
            Self::Single(all) => {
                let (a, b) = all.split_at_mut(length);
                (Self::Single(a), Self::Single(b))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Identity: what is set at a k-point is what is there, to the precision it is kept in.
    #[test]
    fn each_k_point_has_its_place() {
        let lengths = [2, 0, 3];
        let columns = |k: usize| -> Vec<f64> {
            (0..lengths[k])
                .map(|i| 1.0 / (3 + 5 * k + i) as f64)
                .collect()
        };
        for (precision, error) in [(KeptPrecision::Double, 0.0), (KeptPrecision::Single, 6e-8)] {
            let mut bands = Bands::<f64>::zeros(lengths, precision);
            for (k, mut place) in bands.iter_mut().enumerate() {
                let mut before = vec![1.0; 4];
                place.get(&mut before);
                assert_eq!(before, vec![0.0; lengths[k]]);
                place.set(&columns(k));
            }
            assert_eq!(bands.len(), 5);
            for (k, length) in lengths.into_iter().enumerate() {
                assert_eq!(bands.at(k).len(), length);
                for (i, expected) in columns(k).into_iter().enumerate() {
                    let found = bands.at(k)[i];
                    assert!((found - expected).abs() <= error * expected);
                    assert_eq!(bands.part(k, i..i + 1)[0], found);
                }
            }
        }
    }
}
