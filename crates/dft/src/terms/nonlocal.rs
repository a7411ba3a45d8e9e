//! Separable non-local part of the pseudopotentials: `E = Σ f ⟨ψ|β_i⟩ D_ij ⟨β_j|ψ⟩`.

use rustfft::num_complex::Complex64;

use crate::{
    basis::WaveBasis,
    linear_algebra::{ZERO, adjoint_product, product_into},
    model::Model,
    pseudo::real_spherical_harmonics,
    structure_factor::StructurePhases,
    vector::norm,
};

/// The couplings D of all projectors, in hartree: one real symmetric block an atom.
#[derive(Debug, Clone)]
pub(crate) struct Coupling {
    /// Side and entries (row by row) of each atom's block, in the order of the projectors.
    blocks: Vec<(usize, Vec<f64>)>,
}

impl Coupling {
    /// The bare couplings of the pseudopotentials, diagonal in l and m.
    pub(crate) fn bare(model: &Model) -> Self {
        let blocks = model.atoms.iter().map(|atom| {
            let species = &model.species[atom.species];
            let channels = projector_channels(model, atom.species);
            let side = channels.len();
            let mut block = vec![0.0; side * side];
            for (row, a) in channels.iter().enumerate() {
                for (column, b) in channels.iter().enumerate() {
                    if a.harmonic == b.harmonic {
                        block[row * side + column] = species.coupling_between(a.radial, b.radial);
                    }
                }
            }
            (side, block)
        });
        Self {
            blocks: blocks.collect(),
        }
    }

    /// `D p` for a column-major block of projections.
    pub(crate) fn apply(&self, projections: &[Complex64]) -> Vec<Complex64> {
        let total: usize = self.blocks.iter().map(|(side, _)| side).sum();
        let mut result = vec![ZERO; projections.len()];
        if total == 0 {
            return result;
        }
        for (p, out) in projections
            .chunks_exact(total)
            .zip(result.chunks_exact_mut(total))
        {
            let mut first = 0;
            for (side, block) in &self.blocks {
                let p = &p[first..first + side];
                for (row, out) in block.chunks_exact((*side).max(1)).zip(&mut out[first..]) {
                    *out = row.iter().zip(p).map(|(d, p)| p * d).sum();
                }
                first += side;
            }
        }
        result
    }

    /// `Σ_ij D_ij β_i(G) β_j*(G)` of each plane wave: the diagonal of the operator.
    fn diagonal(&self, projectors: &Projectors) -> Vec<f64> {
        let n = projectors.n;
        let column = |index: usize| &projectors.matrix[index * n..(index + 1) * n];
        let mut diagonal = vec![0.0; n];
        let mut first = 0;
        for (side, block) in &self.blocks {
            for row in 0..*side {
                for other in 0..*side {
                    let d = block[row * side + other];
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
        let by_species: Vec<Vec<Vec<Complex64>>> = (0..model.species.len())
            .map(|species| {
                let channels = projector_channels(model, species);
                let mut radial: Vec<(usize, Vec<f64>)> = Vec::new();
                let mut columns = vec![Vec::with_capacity(n); channels.len()];
                for channel in &channels {
                    if radial.iter().all(|(index, _)| *index != channel.radial) {
                        let species = &model.species[species];
                        let form = basis
                            .q_cart
                            .iter()
                            .map(|&q| scale * species.projector(channel.radial, norm(q)));
                        radial.push((channel.radial, form.collect()));
                    }
                }
                let l_max = model.species[species].l_max();
                for (g, &q) in basis.q_cart.iter().enumerate() {
                    let angular = real_spherical_harmonics(l_max, q);
                    for (channel, column) in channels.iter().zip(&mut columns) {
                        let form = radial
                            .iter()
                            .find(|(index, _)| *index == channel.radial)
                            .map_or(0.0, |(_, form)| form[g]);
                        let value = form * angular[channel.harmonic];
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
    pub(crate) fn energies(&self, coupling: &Coupling, bands: &[Complex64]) -> Vec<f64> {
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

    /// The diagonal of the non-local operator.
    pub(crate) fn diagonal(&self, coupling: &Coupling) -> Vec<f64> {
        coupling.diagonal(self)
    }
}

/// A projector of a species: which radial function, and which spherical harmonic.
struct Channel {
    radial: usize,
    l: usize,
    /// Index of Y_lm among all harmonics.
    harmonic: usize,
}

fn projector_channels(model: &Model, species: usize) -> Vec<Channel> {
    let species = &model.species[species];
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

fn minus_i_to_the(l: usize) -> Complex64 {
    [
        Complex64::new(1.0, 0.0),
        Complex64::new(0.0, -1.0),
        Complex64::new(-1.0, 0.0),
        Complex64::new(0.0, 1.0),
    ][l % 4]
}
