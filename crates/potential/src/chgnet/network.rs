//! CHGNet from a graph to its energy, and back to forces and stress.

use crystalgym_crystal::Structure;
use crystalgym_kernels::{Buffer, Start, Strided};
use pulp::Arch;

use super::{
    basis::{BASIS, BASIS_STRIDE, angular, radial},
    dense::{Dense, Rows},
    gated::Kept,
    graph::{ATOM_CUTOFF_ANG, BOND_CUTOFF_ANG, Graph},
    layers::{AngleUpdate, AtomConvolution, BondConvolution, Features, LayerScratch},
    readout::{Readout, ReadoutKept},
    row_kernels::WIDTH,
    weights::{ATOM_LAYERS, BOND_LAYERS, Weights},
};
use crate::{PotentialError, Prediction, Request, SiteFeatures};

/// 1 eV/Å³ in GPa.
const EV_PER_ANG3_GPA: f64 = 160.217_662_08;

/// All layers of the network.
#[derive(Debug)]
pub(super) struct Layers {
    arch: Arch,
    atom_embedding: Vec<f32>,
    atom_frequencies: Vec<f32>,
    bond_frequencies: Vec<f32>,
    angle_frequencies: Vec<f32>,
    bond_embedding: Dense,
    atom_weights: Dense,
    bond_weights: Dense,
    angle_embedding: Dense,
    atom_convolutions: Vec<AtomConvolution>,
    bond_convolutions: Vec<BondConvolution>,
    angle_updates: Vec<AngleUpdate>,
    readout: Readout,
}

/// Memory of one evaluation, used again by the next.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    features: Features,
    grads: Features,
    scratch: LayerScratch,
    /// Basis functions and their slopes, rows of [`BASIS_STRIDE`].
    atom_basis: Basis,
    bond_basis: Basis,
    angle_basis: Basis,
    /// Embeddings of the angles, and gradients of all basis functions.
    angles: Buffer,
    grad_basis: Buffer,
    atom_kept: [Kept; ATOM_LAYERS],
    bond_kept: [Kept; BOND_LAYERS],
    angle_kept: [Kept; BOND_LAYERS],
    readout: ReadoutKept,
}

#[derive(Debug, Default)]
struct Basis {
    values: Buffer,
    slopes: Buffer,
}

impl Layers {
    pub(super) fn new(weights: &Weights) -> Result<Self, PotentialError> {
        let list = |name: &str| weights.values(name).map(<[f32]>::to_vec);
        // One column more than published, of zeros, makes whole vectors.
        let embedding = |name: &str| -> Result<Dense, PotentialError> {
            let matrix = weights.values(name)?;
            Ok(Dense::new(BASIS_STRIDE, WIDTH, |o, i| match i < BASIS {
                true => matrix[o * BASIS + i],
                false => 0.0,
            }))
        };
        Ok(Self {
            arch: Arch::new(),
            atom_embedding: list("atom_embedding.embedding.weight")?,
            atom_frequencies: list("bond_basis_expansion.rbf_expansion_ag.frequencies")?,
            bond_frequencies: list("bond_basis_expansion.rbf_expansion_bg.frequencies")?,
            angle_frequencies: list("angle_basis_expansion.fourier_expansion.frequencies")?,
            bond_embedding: embedding("bond_embedding.weight")?,
            atom_weights: embedding("bond_weights_ag.weight")?,
            bond_weights: embedding("bond_weights_bg.weight")?,
            angle_embedding: embedding("angle_embedding.weight")?,
            atom_convolutions: (0..ATOM_LAYERS)
                .map(|layer| AtomConvolution::new(weights, layer))
                .collect::<Result<_, _>>()?,
            bond_convolutions: (0..BOND_LAYERS)
                .map(|layer| BondConvolution::new(weights, layer))
                .collect::<Result<_, _>>()?,
            // What the last one would change is not read by anything.
            angle_updates: (0..BOND_LAYERS - 1)
                .map(|layer| AngleUpdate::new(weights, layer))
                .collect::<Result<_, _>>()?,
            readout: Readout::new(weights)?,
        })
    }

    /// Energy of a structure and what was asked for beside it.
    pub(super) fn evaluate(
        &self,
        structure: &Structure,
        graph: &Graph,
        request: Request,
        workspace: &mut Workspace,
    ) -> Prediction {
        let keep = request == Request::Derivatives;
        self.embed(structure, graph, workspace);
        self.convolve(graph, keep, workspace);
        let before_readout = workspace.features.atoms.to_vec();
        let last = ATOM_LAYERS - 1;
        self.atom_convolutions[last].forward(
            self.arch,
            graph,
            &mut workspace.features,
            keep.then_some(&mut workspace.atom_kept[last]),
            &mut workspace.scratch,
        );
        let sites = self.readout.forward(
            self.arch,
            &structure.elements,
            &workspace.features.atoms,
            &mut workspace.readout,
        );
        let magnetic_moments = self.readout.magnetic_moments(&before_readout);
        let after_readout = workspace.readout.features().to_vec();
        let (forces_ev_ang, stress_gpa) = match request {
            Request::Energy => (Vec::new(), [[0.0; 3]; 3]),
            Request::Derivatives => {
                self.backward(graph, workspace);
                self.forces_and_stress(structure, graph, workspace)
            }
        };
        Prediction {
            energy_ev: sites.iter().sum(),
            forces_ev_ang,
            stress_gpa,
            site_energies_ev: Some(sites),
            magnetic_moments: Some(magnetic_moments),
            features: Some(SiteFeatures {
                width: WIDTH,
                before_readout,
                after_readout,
            }),
        }
    }

    /// Features of atoms as the published agents compute them (CrystalGym, `CHGNetRL`): the last
    /// convolution and the norm, which belong behind the other layers, come after each of them.
    pub(super) fn features_in_published_order(
        &self,
        structure: &Structure,
        graph: &Graph,
        workspace: &mut Workspace,
    ) -> Vec<f32> {
        self.embed(structure, graph, workspace);
        for layer in 0..BOND_LAYERS {
            self.convolve_once(layer, graph, false, workspace);
            let Workspace {
                features,
                scratch,
                readout,
                ..
            } = &mut *workspace;
            let last = &self.atom_convolutions[ATOM_LAYERS - 1];
            last.forward(self.arch, graph, features, None, scratch);
            self.readout
                .normalise(self.arch, &mut features.atoms, readout);
        }
        workspace.features.atoms.to_vec()
    }

    /// Features of atoms, bonds and angles before any convolution.
    fn embed(&self, structure: &Structure, graph: &Graph, workspace: &mut Workspace) {
        let arch = self.arch;
        let features = &mut workspace.features;
        let atoms = features.atoms.resize(graph.atoms * WIDTH);
        for (row, element) in atoms.chunks_exact_mut(WIDTH).zip(&structure.elements) {
            let start = (usize::from(element.atomic_number()) - 1) * WIDTH;
            row.copy_from_slice(&self.atom_embedding[start..start + WIDTH]);
        }
        let bonds = graph.bonds.len();
        let short = graph.short_bonds;
        workspace.atom_basis.fill(bonds, |bond, values, slopes| {
            let length = graph.bonds[bond].length;
            radial(
                length,
                ATOM_CUTOFF_ANG,
                &self.atom_frequencies,
                values,
                slopes,
            );
        });
        workspace.bond_basis.fill(short, |bond, values, slopes| {
            let length = graph.bonds[bond].length;
            radial(
                length,
                BOND_CUTOFF_ANG,
                &self.bond_frequencies,
                values,
                slopes,
            );
        });
        let angles = graph.angles.len();
        workspace.angle_basis.fill(angles, |angle, values, slopes| {
            angular(
                graph.angles[angle].cosine,
                &self.angle_frequencies,
                values,
                slopes,
            );
        });
        for (dense, rows, basis, out) in [
            (
                &self.bond_embedding,
                bonds,
                &workspace.atom_basis,
                &mut features.bonds,
            ),
            (
                &self.atom_weights,
                bonds,
                &workspace.atom_basis,
                &mut features.atom_weights,
            ),
            (
                &self.bond_weights,
                short,
                &workspace.bond_basis,
                &mut features.bond_weights,
            ),
            (
                &self.angle_embedding,
                angles,
                &workspace.angle_basis,
                &mut workspace.angles,
            ),
        ] {
            let x = Strided {
                data: &basis.values,
                stride: BASIS_STRIDE,
            };
            let y = Rows {
                data: out.resize(rows * WIDTH),
                stride: WIDTH,
            };
            dense.forward(arch, rows, x, Start::Zero, y);
        }
        let rows = features.angles.resize(graph.row_angles.len() * WIDTH);
        for (row, &angle) in rows.chunks_exact_mut(WIDTH).zip(&graph.row_angles) {
            row.copy_from_slice(&workspace.angles[angle as usize * WIDTH..][..WIDTH]);
        }
    }

    /// All layers but the last convolution of atoms.
    fn convolve(&self, graph: &Graph, keep: bool, workspace: &mut Workspace) {
        for layer in 0..BOND_LAYERS {
            self.convolve_once(layer, graph, keep, workspace);
        }
    }

    /// One convolution of atoms, then of bonds, then of angles.
    fn convolve_once(&self, layer: usize, graph: &Graph, keep: bool, workspace: &mut Workspace) {
        let Workspace {
            features,
            scratch,
            atom_kept,
            bond_kept,
            angle_kept,
            ..
        } = workspace;
        let arch = self.arch;
        let kept = keep.then_some(&mut atom_kept[layer]);
        self.atom_convolutions[layer].forward(arch, graph, features, kept, scratch);
        if graph.row_firsts.is_empty() {
            return;
        }
        let kept = keep.then_some(&mut bond_kept[layer]);
        self.bond_convolutions[layer].forward(arch, graph, features, kept, scratch);
        if let Some(update) = self.angle_updates.get(layer) {
            let kept = keep.then_some(&mut angle_kept[layer]);
            update.forward(arch, graph, features, kept, scratch);
        }
    }

    /// Gradient of the energy by the embeddings of bonds and angles and the weights of bonds.
    fn backward(&self, graph: &Graph, workspace: &mut Workspace) {
        let Workspace {
            features,
            grads,
            scratch,
            atom_kept,
            bond_kept,
            angle_kept,
            readout,
            ..
        } = workspace;
        let arch = self.arch;
        grads.atoms.resize(graph.atoms * WIDTH);
        grads.bonds.reset(graph.bonds.len() * WIDTH);
        grads.atom_weights.reset(graph.bonds.len() * WIDTH);
        grads.bond_weights.reset(graph.short_bonds * WIDTH);
        grads.angles.reset(graph.row_firsts.len() * WIDTH);
        self.readout.backward(arch, readout, &mut grads.atoms);
        for layer in (0..ATOM_LAYERS).rev() {
            if layer < BOND_LAYERS && !graph.row_firsts.is_empty() {
                if let Some(update) = self.angle_updates.get(layer) {
                    update.backward(arch, graph, &angle_kept[layer], grads, scratch);
                }
                let kept = &bond_kept[layer];
                self.bond_convolutions[layer].backward(arch, graph, features, kept, grads, scratch);
            }
            let kept = &atom_kept[layer];
            self.atom_convolutions[layer].backward(arch, graph, features, kept, grads, scratch);
        }
    }

    /// `−∂E/∂x` and `(1/V) ∂E/∂η`, through the lengths of the bonds and the cosines of the angles.
    fn forces_and_stress(
        &self,
        structure: &Structure,
        graph: &Graph,
        workspace: &mut Workspace,
    ) -> (Vec<[f64; 3]>, [[f64; 3]; 3]) {
        let Workspace {
            grads,
            atom_basis,
            bond_basis,
            angle_basis,
            angles,
            grad_basis,
            ..
        } = workspace;
        let arch = self.arch;
        let basis_gradient = |parts: &[(&Dense, &[f32])], rows: usize, out: &mut Buffer| {
            out.reset(rows * BASIS_STRIDE);
            for (dense, grad) in parts {
                let grad_y = Strided {
                    data: grad,
                    stride: WIDTH,
                };
                let grad_x = Rows {
                    data: out,
                    stride: BASIS_STRIDE,
                };
                dense.backward(arch, rows, grad_y, Start::Output, grad_x);
            }
        };
        // Gradient by each bond's length, then by its vector.
        let bonds = graph.bonds.len();
        let parts: [(&Dense, &[f32]); 2] = [
            (&self.bond_embedding, &grads.bonds),
            (&self.atom_weights, &grads.atom_weights),
        ];
        basis_gradient(&parts, bonds, grad_basis);
        let mut by_length = contractions(grad_basis, &atom_basis.slopes);
        let parts: [(&Dense, &[f32]); 1] = [(&self.bond_weights, &grads.bond_weights)];
        basis_gradient(&parts, graph.short_bonds, grad_basis);
        for (sum, x) in by_length
            .iter_mut()
            .zip(contractions(grad_basis, &bond_basis.slopes))
        {
            *sum += x;
        }
        let mut by_vector: Vec<[f64; 3]> = graph
            .bonds
            .iter()
            .zip(&by_length)
            .map(|(pair, slope)| pair.vector.map(|x| slope * x / pair.length))
            .collect();

        // Both rows of an angle share its embedding.
        let rows = angles.reset(graph.angles.len() * WIDTH);
        crystalgym_kernels::scatter_add(arch, WIDTH, &grads.angles, &graph.row_angles, rows);
        let parts: [(&Dense, &[f32]); 1] = [(&self.angle_embedding, angles)];
        basis_gradient(&parts, graph.angles.len(), grad_basis);
        let by_cosine = contractions(grad_basis, &angle_basis.slopes);
        for (angle, slope) in graph.angles.iter().zip(by_cosine) {
            let ends = [angle.first, angle.second];
            let [u, v] = ends.map(|end| end.direction(&graph.bonds));
            for (end, along, other) in [(ends[0], u, v), (ends[1], v, u)] {
                let factor = slope * end.sign / graph.bonds[end.bond as usize].length;
                let gradient = &mut by_vector[end.bond as usize];
                for k in 0..3 {
                    gradient[k] += factor * (other[k] - angle.cosine * along[k]);
                }
            }
        }

        let mut forces = vec![[0.0; 3]; graph.atoms];
        let mut virial = [[0.0; 3]; 3];
        for (pair, gradient) in graph.bonds.iter().zip(by_vector) {
            for k in 0..3 {
                forces[pair.first as usize][k] -= gradient[k];
                forces[pair.second as usize][k] += gradient[k];
                for l in 0..3 {
                    virial[k][l] += pair.vector[k] * gradient[l];
                }
            }
        }
        let scale = EV_PER_ANG3_GPA / structure.lattice.volume();
        (forces, virial.map(|row| row.map(|x| scale * x)))
    }
}

impl Basis {
    fn fill(&mut self, rows: usize, function: impl Fn(usize, &mut [f32], &mut [f32])) {
        let values = self.values.resize(rows * BASIS_STRIDE);
        let slopes = self.slopes.resize(rows * BASIS_STRIDE);
        let rows = values
            .chunks_exact_mut(BASIS_STRIDE)
            .zip(slopes.chunks_exact_mut(BASIS_STRIDE));
        for (row, (values, slopes)) in rows.enumerate() {
            function(row, values, slopes);
        }
    }
}

/// Scalar products of rows of [`BASIS_STRIDE`], summed in f64.
fn contractions(a: &[f32], b: &[f32]) -> Vec<f64> {
    a.chunks_exact(BASIS_STRIDE)
        .zip(b.chunks_exact(BASIS_STRIDE))
        .map(|(a, b)| {
            a.iter()
                .zip(b)
                .map(|(&a, &b)| f64::from(a) * f64::from(b))
                .sum()
        })
        .collect()
}
