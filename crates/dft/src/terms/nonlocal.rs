//! Separable non-local part of the pseudopotentials: `E = Σ f ⟨ψ|β_i⟩ D_ij ⟨β_j|ψ⟩`.

use rustfft::num_complex::Complex64;

use crate::{
    basis::WaveBasis,
    linear_algebra::{adjoint_product, product_into},
    model::{Atom, Model},
    pseudo::{Pseudopotential, real_spherical_harmonics},
    structure_factor::StructurePhases,
    terms::atom_matrices::AtomMatrices,
    vector::norm,
};

/// Number of projectors of each atom.
pub(crate) fn projector_sides(model: &Model) -> Vec<usize> {
    let side = |atom: &Atom| {
        let l = model.species[atom.species].projector_l();
        l.iter().map(|l| 2 * l + 1).sum()
    };
    model.atoms.iter().map(side).collect()
}

/// The bare couplings D of the pseudopotentials in hartree, diagonal in l and m.
pub(crate) fn bare_coupling(model: &Model) -> AtomMatrices {
    let mut matrices = AtomMatrices::zeros(projector_sides(model));
    for (atom, block) in model.atoms.iter().zip(matrices.blocks_mut()) {
        let species = &model.species[atom.species];
        let channels = projector_channels(species);
        let side = channels.len();
        for (row, a) in channels.iter().enumerate() {
            for (column, b) in channels.iter().enumerate() {
                if a.harmonic == b.harmonic {
                    block[row * side + column] = species.coupling_between(a.radial, b.radial);
                }
            }
        }
    }
    matrices
}

/// All projectors at one k-point as a matrix, one column each, atoms in order.
#[derive(Debug, Clone)]
pub(crate) struct Projectors {
    n: usize,
    matrix: Vec<Complex64>,
}

impl Projectors {
    /// `⟨k+G|β⟩ = Ω^{−1/2} (−i)^l β(q) Y_lm(q̂) e^{−iG·τ}`, but for the phase `e^{−ik·τ}` of an
    /// atom, which no result depends on.
    pub(crate) fn new(model: &Model, basis: &WaveBasis) -> Self {
        let n = basis.len();
        let scale = 1.0 / model.cell.volume().sqrt();
        // The radial and angular parts are those of the species; atoms differ by phases.
        let q_max = basis.q_max();
        let by_species: Vec<Vec<Vec<Complex64>>> = model
            .species
            .iter()
            .map(|species| {
                let radial = radial_projectors(species, basis, q_max, scale);
                let channels = projector_channels(species);
                let mut columns = vec![Vec::with_capacity(n); channels.len()];
                let l_max = species.l_max();
                for (g, &q) in basis.q_cart.iter().enumerate() {
                    let angular = real_spherical_harmonics(l_max, q);
                    for (channel, column) in channels.iter().zip(&mut columns) {
                        let value = radial[channel.radial][g] * angular[channel.harmonic];
                        column.push(minus_i_to_the(channel.l) * value);
                    }
                }
                columns
            })
            .collect();
        let mut matrix = Vec::new();
        for atom in &model.atoms {
            let phases = StructurePhases::new(atom.frac, &basis.miller);
            let phases: Vec<Complex64> = basis.miller.iter().map(|&m| phases.phase(m)).collect();
            for column in &by_species[atom.species] {
                matrix.extend(column.iter().zip(&phases).map(|(beta, phase)| beta * phase));
            }
        }
        Self { n, matrix }
    }

    /// `⟨β|ψ⟩`, one column a band.
    pub(crate) fn project(&self, psi: &[Complex64]) -> Vec<Complex64> {
        adjoint_product(&self.matrix, psi, self.n)
    }

    /// `out += Σ |β⟩ c`
    pub(crate) fn add_combination(&self, coefficients: &[Complex64], out: &mut [Complex64]) {
        product_into(out, true, &self.matrix, coefficients, self.n, 1.0);
    }

    /// `⟨ψ|β⟩ D ⟨β|ψ⟩` of each band, in hartree.
    pub(crate) fn energies(&self, coupling: &AtomMatrices, bands: &[Complex64]) -> Vec<f64> {
        let count = bands.len() / self.n.max(1);
        let projections = self.project(bands);
        let coupled = coupling.apply(&projections);
        let side = projections.len() / count.max(1);
        (0..count)
            .map(|band| {
                let range = band * side..(band + 1) * side;
                let pairs = projections[range.clone()].iter().zip(&coupled[range]);
                pairs.map(|(p, d)| (p.conj() * d).re).sum()
            })
            .collect()
    }

    /// `Σ_ij M_ij β_i(G) β_j*(G)` of each plane wave: the diagonal of the operator.
    pub(crate) fn diagonal(&self, matrices: &AtomMatrices) -> Vec<f64> {
        let n = self.n;
        let column = |index: usize| &self.matrix[index * n..(index + 1) * n];
        let mut diagonal = vec![0.0; n];
        let mut first = 0;
        for (&side, block) in matrices.sides().iter().zip(matrices.blocks()) {
            for row in 0..side {
                for other in 0..=row {
                    // Symmetric: both halves at once.
                    let weight = if other == row { 1.0 } else { 2.0 };
                    let d = weight * block[row * side + other];
                    if d == 0.0 {
                        continue;
                    }
                    let pairs = column(first + row).iter().zip(column(first + other));
                    for (sum, (a, b)) in diagonal.iter_mut().zip(pairs) {
                        *sum += d * (a.re * b.re + a.im * b.im);
                    }
                }
            }
            first += side;
        }
        diagonal
    }

    /// `Σ_n w_n Re ⟨ψ_n|β_i⟩⟨β_j|ψ_n⟩` of the projectors of each atom, added to `sum`.
    pub(crate) fn add_occupations(
        &self,
        bands: &[Complex64],
        weights: &[f64],
        sum: &mut AtomMatrices,
    ) {
        let projections = self.project(bands);
        let total: usize = sum.sides().iter().sum();
        if total == 0 {
            return;
        }
        let sides = sum.sides().to_vec();
        let mut first = 0;
        for (side, block) in sides.into_iter().zip(sum.blocks_mut()) {
            for (p, &weight) in projections.chunks_exact(total).zip(weights) {
                if weight == 0.0 {
                    continue;
                }
                let p = &p[first..first + side];
                for (row, a) in block.chunks_exact_mut(side.max(1)).zip(p) {
                    let a = a * weight;
                    for (sum, b) in row.iter_mut().zip(p) {
                        *sum += a.re * b.re + a.im * b.im;
                    }
                }
            }
            first += side;
        }
    }
}

/// `scale · β(|k+G|)` of each radial projector; interpolated in the tables that `pw.x` has too,
/// but for closed forms.
fn radial_projectors(
    species: &Pseudopotential,
    basis: &WaveBasis,
    q_max: f64,
    scale: f64,
) -> Vec<Vec<f64>> {
    let lengths: Vec<f64> = basis.q_cart.iter().map(|&q| norm(q)).collect();
    let tables = species
        .radial_functions()
        .map(|_| species.tables(q_max, 0.0));
    (0..species.projector_count())
        .map(|index| {
            let form = |&q: &f64| match &tables {
                Some(tables) => tables.projectors[index].value(q),
                None => species.projector(index, q),
            };
            lengths.iter().map(|q| scale * form(q)).collect()
        })
        .collect()
}

/// A projector of a species: which radial function, and which spherical harmonic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel {
    pub(crate) radial: usize,
    pub(crate) l: usize,
    /// Index of Y_lm among all harmonics.
    pub(crate) harmonic: usize,
}

/// The projectors of a species in the order of the rows of its [`AtomMatrices`].
pub(crate) fn projector_channels(species: &Pseudopotential) -> Vec<Channel> {
    (0..species.projector_count())
        .flat_map(|radial| {
            let l = species.projector_l()[radial];
            (l * l..(l + 1) * (l + 1)).map(move |harmonic| Channel {
                radial,
                l,
                harmonic,
            })
        })
        .collect()
}

/// `(−i)^l`
pub(crate) fn minus_i_to_the(l: usize) -> Complex64 {
    [
        Complex64::new(1.0, 0.0),
        Complex64::new(0.0, -1.0),
        Complex64::new(-1.0, 0.0),
        Complex64::new(0.0, 1.0),
    ][l % 4]
}
