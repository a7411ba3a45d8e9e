//! Bands as they lie in memory between uses.

use std::borrow::Cow;

use rustfft::num_complex::Complex64;

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

/// The bands at one k-point, one column each.
#[derive(Debug, Clone)]
pub(crate) enum Bands<S: Scalar> {
    Double(Vec<S>),
    Single(Vec<S::Single>),
}

impl<S: Scalar> Bands<S> {
    pub(crate) const NONE: Self = Self::Double(Vec::new());

    pub(crate) fn new(columns: Vec<S>, precision: KeptPrecision) -> Self {
        match precision {
            KeptPrecision::Double => Self::Double(columns),
            KeptPrecision::Single => Self::Single(columns.into_iter().map(S::narrowed).collect()),
        }
    }

    /// Number of coefficients.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Double(columns) => columns.len(),
            Self::Single(columns) => columns.len(),
        }
    }

    /// The first `len` coefficients.
    pub(crate) fn first(&self, len: usize) -> Cow<'_, [S]> {
        match self {
            Self::Double(columns) => Cow::Borrowed(&columns[..len]),
            Self::Single(columns) => columns[..len].iter().map(|&c| S::widened(c)).collect(),
        }
    }

    pub(crate) fn columns(&self) -> Cow<'_, [S]> {
        self.first(self.len())
    }

    pub(crate) fn into_columns(self) -> Vec<S> {
        match self {
            Self::Double(columns) => columns,
            Self::Single(columns) => columns.into_iter().map(S::widened).collect(),
        }
    }

    /// The same in complex numbers.
    pub(crate) fn into_complex(self) -> Bands<Complex64> {
        match self {
            Self::Double(columns) => {
                Bands::Double(columns.into_iter().map(S::to_complex).collect())
            }
            Self::Single(columns) => Bands::Single(
                (columns.into_iter())
                    .map(|c| S::widened(c).to_complex().narrowed())
                    .collect(),
            ),
        }
    }
}
