//! CHGNet written out term by term in f64: no shared products, no reverse pass, every image of a
//! generous box.

use std::f64::consts::PI;

use crystalgym_crystal::Structure;
use crystalgym_potential::Weights;

/// What the plain network says of a structure.
pub(crate) struct Plain {
    pub(crate) site_energies_ev: Vec<f64>,
    pub(crate) moments: Vec<f64>,
    /// Features before the last convolution, and after the readout's norm.
    pub(crate) before: Vec<Vec<f64>>,
    pub(crate) after: Vec<Vec<f64>>,
    /// Directed bonds and rows of the bond graph.
    pub(crate) size: [usize; 2],
}

impl Plain {
    pub(crate) fn energy_ev(&self) -> f64 {
        self.site_energies_ev.iter().sum()
    }
}

struct Edge {
    centre: usize,
    neighbour: usize,
    image: [i64; 3],
    length: f64,
    direction: [f64; 3],
}

struct Net<'a>(&'a Weights);

type Vector = Vec<f64>;

pub(crate) fn evaluate(weights: &Weights, structure: &Structure) -> Plain {
    let net = Net(weights);
    let sites = structure.elements.len();
    let mut edges = Vec::new();
    for i in 0..sites {
        for j in 0..sites {
            let (x, y) = (structure.frac_coords[i], structure.frac_coords[j]);
            let around = |k: usize| {
                let nearest = (x[k] - y[k]).round() as i64;
                nearest - 6..=nearest + 6
            };
            for a in around(0) {
                for b in around(1) {
                    for c in around(2) {
                        let image = [a, b, c];
                        let f = std::array::from_fn(|k| x[k] - y[k] - image[k] as f64);
                        let d = structure.lattice.to_cart(f);
                        let length = d.iter().map(|d| d * d).sum::<f64>().sqrt();
                        if length > 1e-8 && length <= 6.0 {
                            edges.push(Edge {
                                centre: i,
                                neighbour: j,
                                image,
                                length,
                                direction: d.map(|d| d / length),
                            });
                        }
                    }
                }
            }
        }
    }
    // The other direction of every edge, with which it shares its features.
    let twin: Vec<usize> = edges
        .iter()
        .map(|e| {
            edges
                .iter()
                .position(|o| {
                    o.centre == e.neighbour
                        && o.neighbour == e.centre
                        && o.image == e.image.map(|n| -n)
                })
                .unwrap()
        })
        .collect();
    let mut rows = Vec::new();
    for (e, first) in edges.iter().enumerate() {
        for (f, second) in edges.iter().enumerate() {
            if e != f && first.centre == second.centre && first.length < 3.0 && second.length < 3.0
            {
                rows.push((e, f));
            }
        }
    }

    let radial = |r: f64, cutoff: f64, graph: &str| -> Vector {
        let frequencies = net.list(&format!(
            "bond_basis_expansion.rbf_expansion_{graph}.frequencies"
        ));
        let x = r / cutoff;
        let envelope = match x < 1.0 {
            true => 1.0 - 45.0 * x.powi(8) + 80.0 * x.powi(9) - 36.0 * x.powi(10),
            false => 0.0,
        };
        let norm = (2.0 / cutoff).sqrt();
        frequencies
            .iter()
            .map(|w| envelope * norm * (w * x).sin() / r)
            .collect()
    };
    let map = |name: &str, x: &Vector| net.linear(name, None, x);
    let table = net.list("atom_embedding.embedding.weight");
    let mut atoms: Vec<Vector> = structure
        .elements
        .iter()
        .map(|element| table[(element.atomic_number() as usize - 1) * 64..][..64].to_vec())
        .collect();
    let of_edges = |name: &str, cutoff: f64, graph: &str| -> Vec<Vector> {
        edges
            .iter()
            .map(|edge| map(name, &radial(edge.length, cutoff, graph)))
            .collect()
    };
    let mut bonds = of_edges("bond_embedding.weight", 6.0, "ag");
    let atom_weights = of_edges("bond_weights_ag.weight", 6.0, "ag");
    let bond_weights = of_edges("bond_weights_bg.weight", 3.0, "bg");
    let frequencies = net.list("angle_basis_expansion.fourier_expansion.frequencies");
    let mut angles: Vec<Vector> = rows
        .iter()
        .map(|&(e, f)| {
            let (u, v) = (edges[e].direction, edges[f].direction);
            let cosine = u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
            let theta = (cosine * (1.0 - 1e-6)).acos();
            let mut basis = vec![1.0 / 2.0_f64.sqrt()];
            basis.extend(frequencies.iter().map(|k| (k * theta).sin()));
            basis.extend(frequencies.iter().map(|k| (k * theta).cos()));
            map(
                "angle_embedding.weight",
                &basis.iter().map(|x| x / PI.sqrt()).collect(),
            )
        })
        .collect();

    let mut before = Vec::new();
    let mut moments = Vec::new();
    for l in 0..4 {
        let mut sums = vec![vec![0.0; 64]; sites];
        for (e, edge) in edges.iter().enumerate() {
            let parts = [&atoms[edge.centre], &bonds[e], &atoms[edge.neighbour]];
            let z: Vector = parts.iter().flat_map(|x| x.iter().copied()).collect();
            let message = net.gated(&format!("atom_conv_layers.{l}.twoBody_atom"), &[0, 3], &z);
            for k in 0..64 {
                sums[edge.centre][k] += message[k] * atom_weights[e][k];
            }
        }
        for (atom, sum) in atoms.iter_mut().zip(&sums) {
            let change = map(
                &format!("atom_conv_layers.{l}.mlp_out.layers.1.weight"),
                sum,
            );
            add(atom, &change);
        }
        if l == 3 {
            break;
        }
        let row_input = |bonds: &[Vector], angles: &[Vector], row: usize| -> Vector {
            let (e, f) = rows[row];
            [&bonds[e], &bonds[f], &angles[row], &atoms[edges[e].centre]]
                .iter()
                .flat_map(|x| x.iter().copied())
                .collect()
        };
        let mut sums = vec![vec![0.0; 64]; edges.len()];
        for (row, &(e, f)) in rows.iter().enumerate() {
            let z = row_input(&bonds, &angles, row);
            let message = net.gated(&format!("bond_conv_layers.{l}.twoBody_bond"), &[0, 3], &z);
            for k in 0..64 {
                let m = message[k] * bond_weights[e][k] * bond_weights[f][k];
                sums[e][k] += m;
                sums[twin[e]][k] += m;
            }
        }
        for (bond, sum) in bonds.iter_mut().zip(&sums) {
            let change = map(
                &format!("bond_conv_layers.{l}.mlp_out.layers.1.weight"),
                sum,
            );
            add(bond, &change);
        }
        let changes: Vec<Vector> = (0..rows.len())
            .map(|row| {
                let z = row_input(&bonds, &angles, row);
                net.gated(&format!("angle_layers.{l}.twoBody_bond"), &[1], &z)
            })
            .collect();
        for (angle, change) in angles.iter_mut().zip(&changes) {
            add(angle, change);
        }
        if l == 2 {
            before = atoms.clone();
            moments = atoms
                .iter()
                .map(|x| net.linear("site_wise.weight", Some("site_wise.bias"), x)[0].abs())
                .collect();
        }
    }
    let after: Vec<Vector> = atoms.iter().map(|x| net.norm("readout_norm", x)).collect();
    let reference = net.list("composition_model.fc.weight");
    let site_energies_ev = after
        .iter()
        .zip(&structure.elements)
        .map(|(x, element)| {
            let mut x = x.clone();
            for n in [0, 2, 4] {
                x = net
                    .layer(&format!("mlp.layers.{n}"), &x)
                    .into_iter()
                    .map(silu)
                    .collect();
            }
            net.layer("mlp.layers.7", &x)[0] + reference[element.atomic_number() as usize - 1]
        })
        .collect();
    Plain {
        site_energies_ev,
        moments,
        before,
        after,
        size: [edges.len(), rows.len()],
    }
}

fn add(x: &mut [f64], change: &[f64]) {
    for (x, change) in x.iter_mut().zip(change) {
        *x += change;
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

impl Net<'_> {
    fn list(&self, name: &str) -> Vector {
        self.0.tensors()[name]
            .values
            .iter()
            .copied()
            .map(f64::from)
            .collect()
    }

    fn linear(&self, weight: &str, bias: Option<&str>, x: &[f64]) -> Vector {
        let tensor = &self.0.tensors()[weight];
        let bias = bias.map_or_else(|| vec![0.0; tensor.shape[0]], |bias| self.list(bias));
        tensor
            .values
            .chunks(x.len())
            .zip(bias)
            .map(|(row, bias)| {
                bias + row
                    .iter()
                    .zip(x)
                    .map(|(w, x)| f64::from(*w) * x)
                    .sum::<f64>()
            })
            .collect()
    }

    fn layer(&self, name: &str, x: &[f64]) -> Vector {
        self.linear(&format!("{name}.weight"), Some(&format!("{name}.bias")), x)
    }

    fn norm(&self, name: &str, x: &[f64]) -> Vector {
        let mean = x.iter().sum::<f64>() / 64.0;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 64.0;
        let weight = self.list(&format!("{name}.weight"));
        let bias = self.list(&format!("{name}.bias"));
        (0..64)
            .map(|k| (x[k] - mean) / (variance + 1e-5).sqrt() * weight[k] + bias[k])
            .collect()
    }

    fn gated(&self, name: &str, layers: &[usize], z: &[f64]) -> Vector {
        let half = |half: &str, norm: &str| {
            let mut x = z.to_vec();
            for (n, layer) in layers.iter().enumerate() {
                if n > 0 {
                    x = x.into_iter().map(silu).collect();
                }
                x = self.layer(&format!("{name}.mlp_{half}.layers.{layer}"), &x);
            }
            self.norm(&format!("{name}.{norm}"), &x)
        };
        half("core", "bn1")
            .into_iter()
            .zip(half("gate", "bn2"))
            .map(|(core, gate)| silu(core) * sigmoid(gate))
            .collect()
    }
}
