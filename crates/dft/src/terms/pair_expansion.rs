//! Pairs of projectors as sums of radial functions times spherical harmonics.

use crate::{
    pseudo::{GauntTable, Pseudopotential},
    terms::projector_channels::projector_channels,
};

/// How the occupations of one species' projectors become moments.
///
/// A pair of projectors (i, lm), (j, l'm') stands for `Σ_LM ⟨Y_LM Y_lm Y_l'm'⟩ f^L_ij(r) Y_LM`; with
/// occupations ρ the sum over pairs is `Σ_f Σ_M B_fM f(r) Y_LM` with the moments
/// `B_fM = Σ ρ ⟨Y_LM Y_lm Y_l'm'⟩`. The radial functions f are those of
/// [`Augmentation::functions`](crate::pseudo::Augmentation::functions), i ≤ j.
#[derive(Debug, Clone)]
pub(crate) struct PairExpansion {
    /// L of each radial function.
    function_l: Vec<usize>,
    /// Place of the first of the 2L+1 moments of each radial function.
    offsets: Vec<usize>,
    moment_count: usize,
    side: usize,
    terms: Vec<Term>,
}

/// `ρ[entry]` contributes `gaunt ρ` to a moment.
#[derive(Debug, Clone, Copy)]
struct Term {
    entry: u32,
    moment: u32,
    gaunt: f64,
}

impl PairExpansion {
    /// `None` for a potential without augmentation.
    pub(crate) fn new(species: &Pseudopotential) -> Option<Self> {
        let augmentation = species.augmentation()?;
        let functions = &augmentation.functions;
        let mut offsets = Vec::with_capacity(functions.len());
        let mut moment_count = 0;
        for function in functions {
            offsets.push(moment_count);
            moment_count += 2 * function.l + 1;
        }
        let find = |i: usize, j: usize, l: usize| {
            let (i, j) = (i.min(j), i.max(j));
            functions.iter().position(|f| (f.i, f.j, f.l) == (i, j, l))
        };
        let gaunt = GauntTable::new(species.l_max());
        let channels = projector_channels(species);
        let mut terms = Vec::new();
        for (row, a) in channels.iter().enumerate() {
            for (column, b) in channels.iter().enumerate() {
                for &(harmonic, gaunt) in gaunt.products(a.harmonic, b.harmonic) {
                    let l = harmonic.isqrt();
                    let Some(function) = find(a.radial, b.radial, l) else {
                        continue;
                    };
                    terms.push(Term {
                        entry: (row * channels.len() + column) as u32,
                        moment: (offsets[function] + harmonic - l * l) as u32,
                        gaunt,
                    });
                }
            }
        }
        Some(Self {
            function_l: functions.iter().map(|f| f.l).collect(),
            offsets,
            moment_count,
            side: channels.len(),
            terms,
        })
    }

    /// L of each radial function.
    pub(crate) fn function_l(&self) -> &[usize] {
        &self.function_l
    }

    /// Largest L.
    pub(crate) fn l_max(&self) -> usize {
        self.function_l.iter().copied().max().unwrap_or(0)
    }

    /// The places of the moments of a radial function, M = −L … L.
    pub(crate) fn moments_of(&self, function: usize) -> std::ops::Range<usize> {
        let first = self.offsets[function];
        first..first + 2 * self.function_l[function] + 1
    }

    /// Number of moments.
    pub(crate) fn moment_count(&self) -> usize {
        self.moment_count
    }

    /// `B_fM` of an atom's occupations.
    pub(crate) fn moments(&self, occupations: &[f64]) -> Vec<f64> {
        debug_assert_eq!(occupations.len(), self.side * self.side);
        let mut moments = vec![0.0; self.moment_count];
        for term in &self.terms {
            moments[term.moment as usize] += term.gaunt * occupations[term.entry as usize];
        }
        moments
    }

    /// Adds to an atom's couplings the derivatives of an energy by the occupations, from those
    /// by the moments.
    pub(crate) fn add_coupling(&self, by_moment: &[f64], coupling: &mut [f64]) {
        for term in &self.terms {
            coupling[term.entry as usize] += term.gaunt * by_moment[term.moment as usize];
        }
    }
}
