//! Stress of the non-local pseudopotential.

use rustfft::num_complex::Complex64;

use super::weights::CoupledProjections;
use crate::{
    DftError,
    basis::WaveBasis,
    cancellation::Cancellation,
    linear_algebra::Scalar,
    model::Model,
    pseudo::{Pseudopotential, real_spherical_harmonics, real_spherical_harmonics_gradient},
    structure_factor::StructurePhases,
    terms::{
        atomic_columns::minus_i_to_the,
        projector_channels::projector_channels,
        strain::{COMPONENTS, add_diagonal},
    },
    vector::{Matrix3, Vector3, norm},
};

/// What the bands `psi` of one k-point add to
/// `∂E/∂ε_ab = Σ_n w f_n 2 Re Σ_ij ⟨ψ|∂β_i/∂ε_ab⟩ (D_ij − ε_n q_ij) ⟨β_j|ψ⟩`.
///
/// D holds the augmentation charges' `∫ V Q` and PAW's one-centre couplings; `ε_n q_ij` keeps the
/// bands orthonormal as the overlap changes with the cell.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn nonlocal_strain(
    model: &Model,
    waves: &WaveBasis,
    psi: &[Complex64],
    found: &CoupledProjections,
    cancellation: Cancellation<'_>,
) -> Result<Matrix3, DftError> {
    let mut sum = [[0.0; 3]; 3];
    if found.coupled.is_empty() {
        return Ok(sum);
    }
    let q_cart = waves.q_cart(&model.cell);
    let parts = species_parts(model, waves, &q_cart);
    for (a, b) in COMPONENTS {
        cancellation.check()?;
        let strained = strained_projectors(model, &waves.miller, &q_cart, &parts, (a, b));
        let projections = Complex64::adjoint_product(&strained, psi, waves.len());
        let value = 2.0 * real_product(&projections, &found.coupled);
        sum[a][b] += value;
        if a != b {
            sum[b][a] += value;
        }
    }
    // β ∝ Ω^{−1/2}
    add_diagonal(&mut sum, -real_product(&found.projections, &found.coupled));
    Ok(sum)
}

/// `Σ Re a* b`
fn real_product(a: &[Complex64], b: &[Complex64]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| a.re * b.re + a.im * b.im)
        .sum()
}

/// `β(q) Y_lm(q̂)/√Ω` of one projector and its gradient in q, plane wave by plane wave.
struct ProjectorParts {
    l: usize,
    gradient: Vec<Vector3>,
}

fn species_parts(model: &Model, waves: &WaveBasis, q_cart: &[Vector3]) -> Vec<Vec<ProjectorParts>> {
    let scale = 1.0 / model.cell.volume().sqrt();
    let parts = |species: &Pseudopotential| {
        let channels = projector_channels(species);
        let slopes = radial_projectors(species, waves.q_max(), q_cart);
        let mut parts: Vec<ProjectorParts> = (channels.iter())
            .map(|channel| ProjectorParts {
                l: channel.l,
                gradient: Vec::with_capacity(waves.len()),
            })
            .collect();
        let l_max = species.l_max();
        for (g, &q) in q_cart.iter().enumerate() {
            let y = real_spherical_harmonics(l_max, q);
            let dy = real_spherical_harmonics_gradient(l_max, q);
            // q̂ = 0 at q = 0, where the factor q of the strain leaves nothing.
            let unit = q.map(|x| x / norm(q).max(f64::MIN_POSITIVE));
            for (channel, parts) in channels.iter().zip(&mut parts) {
                let (value, slope) = slopes[channel.radial][g];
                let harmonic = channel.harmonic;
                parts.gradient.push(std::array::from_fn(|a| {
                    scale * (slope * unit[a] * y[harmonic] + value * dy[harmonic][a])
                }));
            }
        }
        parts
    };
    model.species.iter().map(|species| parts(species)).collect()
}

/// β and dβ/dq at each |k + G| of each radial projector, from the tables that the energy is made
/// with.
fn radial_projectors(
    species: &Pseudopotential,
    q_max: f64,
    q_cart: &[Vector3],
) -> Vec<Vec<(f64, f64)>> {
    let tables = species
        .radial_functions()
        .map(|_| species.wave_tables(q_max));
    (0..species.projector_count())
        .map(|index| {
            let form = |q: f64| match &tables {
                Some(tables) => {
                    let table = &tables.projectors[index];
                    (table.value(q), table.derivative(q))
                }
                None => (
                    species.projector(index, q),
                    species.projector_derivative(index, q),
                ),
            };
            q_cart.iter().map(|&q| form(norm(q))).collect()
        })
        .collect()
}

/// `∂⟨k+G|β⟩/∂ε_ab` but for the part of Ω: `−½ (q_b ∂_a + q_a ∂_b)` of the form factor; columns in
/// the order of the projectors.
fn strained_projectors(
    model: &Model,
    miller: &[[i32; 3]],
    q_cart: &[Vector3],
    parts: &[Vec<ProjectorParts>],
    (a, b): (usize, usize),
) -> Vec<Complex64> {
    let columns = model.atoms.iter().map(|atom| parts[atom.species].len());
    let mut matrix = Vec::with_capacity(columns.sum::<usize>() * miller.len());
    for atom in &model.atoms {
        let phases = StructurePhases::new(atom.frac, miller);
        let phases: Vec<Complex64> = miller.iter().map(|&m| phases.phase(m)).collect();
        for part in &parts[atom.species] {
            let factor = minus_i_to_the(part.l) * -0.5;
            let columns = part.gradient.iter().zip(q_cart).zip(&phases);
            matrix.extend(columns.map(|((gradient, q), phase)| {
                phase * factor * (q[b] * gradient[a] + q[a] * gradient[b])
            }));
        }
    }
    matrix
}
