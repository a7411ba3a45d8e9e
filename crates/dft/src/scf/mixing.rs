//! Density mixing: Anderson's method on a preconditioned residual.

use std::collections::VecDeque;

use faer::{MatRef, Side, prelude::Solve};
use rustfft::num_complex::{Complex32, Complex64};

use super::stagnation::Turn;
use crate::{
    basis::DensityGrid, density::Density, linear_algebra::Scalar, terms::hartree::hartree_energy,
};

/// How the next density is made from the ones before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixing {
    /// Share of the residual that is added, as `mixing_beta` of `pw.x`.
    pub damping: f64,
    /// The same in the first step, before anything is known of how the output answers the input. Where it
    /// answers ε times the input, `1/ε` would be best: some 0.2 to 0.3 in crystals.
    pub first_damping: f64,
    /// Number of earlier steps that are remembered.
    pub history: usize,
    /// `q` of Kerker's preconditioner `G²/(G² + q²)` in bohr⁻¹ (Phys. Rev. B 23, 3082 (1981)), for
    /// metals in long cells; 0 to leave it out.
    pub kerker_wave_number: f64,
    /// Added to the unit diagonal of the steps' products, so that nearly parallel ones cannot cancel
    /// in large numbers. It is the squared weight `w₀²` of D. D. Johnson, Phys. Rev. B 38, 12807
    /// (1988), whose method with equal weights of all steps is Anderson's; `pw.x` takes none.
    pub regularisation: f64,
}

impl Default for Mixing {
    /// The damping of the published decks but for the first step, `pw.x`'s history, and a regularisation with which copper,
    /// whose d bands cross the Fermi level, converges in half the iterations that 1e-12 takes, and
    /// insulators in as many.
    fn default() -> Self {
        Self {
            damping: 0.7,
            first_damping: 0.25,
            history: 8,
            kerker_wave_number: 0.0,
            regularisation: 1e-5,
        }
    }
}

/// Anderson's (Pulay's) mixing, D. G. Anderson, J. ACM 12, 547 (1965).
///
/// The occupations of the projectors, on which the one-centre terms depend, are mixed along with
/// the density, in the proportions that the density finds.
#[derive(Debug, Clone)]
pub(crate) struct Mixer {
    mixing: Mixing,
    last: Option<(Density, Density)>,
    /// Error in hartree that the next residual should have.
    expected_ha: f64,
    steps: VecDeque<Step>,
}

/// Differences of successive inputs and of their residuals.
#[derive(Debug, Clone)]
struct Step {
    input: Difference,
    residual: Difference,
}

/// A difference of densities, in single precision: the rounding, 6e-8 of each value, is far below
/// what answers of second order make of the equations in which steps are used.
#[derive(Debug, Clone)]
struct Difference {
    field: Vec<Complex32>,
    projector_occupations: Vec<f32>,
}

impl Difference {
    /// `a − b`
    fn new(a: &Density, b: &Density) -> Self {
        let (a_ij, b_ij) = (&a.projector_occupations, &b.projector_occupations);
        Self {
            field: (a.field.iter().zip(&b.field))
                .map(|(a, b)| (a - b).narrowed())
                .collect(),
            projector_occupations: (a_ij.entries().iter().zip(b_ij.entries()))
                .map(|(a, b)| (a - b).narrowed())
                .collect(),
        }
    }

    /// `density −= factor · self`
    fn take_from(&self, density: &mut Density, factor: f64) {
        for (value, &step) in density.field.iter_mut().zip(&self.field) {
            *value -= Complex64::widened(step) * factor;
        }
        let occupations = density.projector_occupations.entries_mut();
        for (value, &step) in occupations.iter_mut().zip(&self.projector_occupations) {
            *value -= f64::widened(step) * factor;
        }
    }
}

impl Mixer {
    pub(crate) fn new(mixing: Mixing) -> Self {
        Self {
            mixing,
            last: None,
            expected_ha: f64::INFINITY,
            steps: VecDeque::new(),
        }
    }

    /// Begins with another density, or another k-mesh, with what is known of how residuals answer to
    /// inputs.
    pub(crate) fn restart(&mut self) {
        self.last = None;
    }

    /// The next input density from the last input and the residual `R = ρ_out − ρ_in`:
    /// `ρ − Σ γᵢ Δρᵢ + α K (R − Σ γᵢ ΔRᵢ)` with γ that makes `R − Σ γᵢ ΔRᵢ` smallest in the
    /// Hartree norm `Σ |R|²/G²`.
    pub(crate) fn next(
        &mut self,
        grid: &DensityGrid,
        input: &Density,
        residual: &Density,
    ) -> Density {
        if let Some((last_input, last_residual)) = self.last.take() {
            if self.steps.len() == self.mixing.history {
                self.steps.pop_front();
            }
            self.steps.push_back(Step {
                input: Difference::new(input, &last_input),
                residual: Difference::new(residual, &last_residual),
            });
        }
        self.last = Some((input.clone(), residual.clone()));

        let gamma = self.coefficients(grid, &residual.field);
        let mut next = input.clone();
        let mut best = residual.clone();
        for (&gamma, step) in gamma.iter().zip(&self.steps) {
            step.input.take_from(&mut next, gamma);
            step.residual.take_from(&mut best, gamma);
        }
        self.expected_ha = hartree_energy(grid, &best.field);
        let q2 = self.mixing.kerker_wave_number.powi(2);
        for (best, g2) in best.field.iter_mut().zip(&grid.g2).skip(1) {
            *best *= g2 / (g2 + q2);
        }
        best.field[0] = Complex64::new(0.0, 0.0);
        let damping = match self.steps.is_empty() {
            true => self.mixing.first_damping,
            false => self.mixing.damping,
        };
        next.add_scaled(damping, &best);
        next
    }

    /// How a residual lies to the one that [`next`](Self::next) took last; `None` where it took none of this
    /// mesh.
    pub(crate) fn turn(&self, grid: &DensityGrid, residual: &Density) -> Option<Turn> {
        let (_, last) = self.last.as_ref()?;
        let product = |a: &Density, b: &Density| -> f64 {
            let pairs = a.field.iter().zip(&b.field).zip(&grid.g2).skip(1);
            pairs
                .map(|((&a, &b), g2)| Complex64::real_product(a, b) / g2)
                .sum()
        };
        let lengths2 = product(residual, residual) * product(last, last);
        Some(Turn {
            cosine: product(residual, last) / lengths2.sqrt().max(f64::MIN_POSITIVE),
            expected_ha: self.expected_ha,
        })
    }

    fn coefficients(&self, grid: &DensityGrid, residual: &[Complex64]) -> Vec<f64> {
        let m = self.steps.len();
        if m == 0 {
            return Vec::new();
        }
        let mut matrix = vec![0.0; m * m];
        let mut right = vec![0.0; m];
        for i in 0..m {
            right[i] = hartree_product(
                grid,
                &self.steps[i].residual.field,
                residual.iter().copied(),
            );
            for j in 0..=i {
                let (a, b) = (&self.steps[i].residual, &self.steps[j].residual);
                let b = b.field.iter().map(|&b| Complex64::widened(b));
                let product = hartree_product(grid, &a.field, b);
                matrix[i * m + j] = product;
                matrix[j * m + i] = product;
            }
        }
        // Scaled to a unit diagonal.
        let scale: Vec<f64> = (0..m)
            .map(|i| 1.0 / matrix[i * m + i].sqrt().max(f64::MIN_POSITIVE))
            .collect();
        for i in 0..m {
            right[i] *= scale[i];
            for j in 0..m {
                matrix[i * m + j] *= scale[i] * scale[j];
            }
            matrix[i * m + i] += self.mixing.regularisation;
        }
        match MatRef::from_column_major_slice(&matrix, m, m).llt(Side::Lower) {
            Ok(factor) => {
                let solution = factor.solve(MatRef::from_column_major_slice(&right, m, 1));
                (0..m).map(|i| solution[(i, 0)] * scale[i]).collect()
            }
            Err(_) => vec![0.0; m],
        }
    }
}

/// `Σ_{G≠0} Re a*(G) b(G) / G²`
fn hartree_product(grid: &DensityGrid, a: &[Complex32], b: impl Iterator<Item = Complex64>) -> f64 {
    let pairs = a.iter().map(|&a| Complex64::widened(a)).zip(b);
    (pairs.zip(&grid.g2).skip(1))
        .map(|((a, b), g2)| Complex64::real_product(a, b) / g2)
        .sum()
}
