//! What all states of one skeleton share.

use super::config::{InputStyle, MegnetConfig};
use crystalgym_crystal::{CrystalGraph, Lattice, Skeleton};

/// Bonds that differ by less than this in length (Å) are the same to the network.
const SAME_DISTANCE_ANG: f64 = 1e-6;

/// What all states of one skeleton share: bonds, their basis functions and the lattice inputs.
///
/// Bonds with the same ends and the same length carry the same features through every layer, so
/// they are kept once with their multiplicity, which weights the means and the readout; the
/// network's outputs are those of the full graph. The 36 directed bonds of a perovskite become 12.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphTemplate {
    /// Label of the skeleton.
    pub label: String,
    pub(crate) sites: usize,
    /// Directed bonds, equal ones counted each.
    pub(crate) bonds: usize,
    /// Ends of the bonds, sorted by target.
    pub(crate) sources: Vec<u32>,
    pub(crate) targets: Vec<u32>,
    pub(crate) multiplicity: Vec<f32>,
    /// Multiplicity over the number of bonds into the target.
    pub(crate) weight_in_target: Vec<f32>,
    /// Multiplicity over the number of bonds.
    pub(crate) weight_in_graph: Vec<f32>,
    /// One row of basis functions a bond.
    pub(crate) basis: Vec<f32>,
    /// The part of the state vector that does not change.
    pub(crate) lattice_inputs: Vec<f32>,
}

impl GraphTemplate {
    /// The template of a skeleton for networks of this configuration.
    pub fn new(skeleton: &Skeleton, config: &MegnetConfig) -> Self {
        Self::from_graph(
            &skeleton.label,
            &skeleton.lattice,
            skeleton.symmetry.space_group_number,
            &skeleton.graph,
            config,
        )
    }

    /// The template of any graph in a lattice.
    pub fn from_graph(
        label: &str,
        lattice: &Lattice,
        space_group_number: u16,
        graph: &CrystalGraph,
        config: &MegnetConfig,
    ) -> Self {
        let mut bonds: Vec<(u32, u32, f64)> = graph
            .edges
            .iter()
            .map(|edge| (edge.target as u32, edge.source as u32, edge.distance))
            .collect();
        bonds.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
        let mut classes: Vec<((u32, u32, f64), u32)> = Vec::new();
        for bond in bonds {
            match classes.last_mut() {
                Some((class, count))
                    if (class.0, class.1) == (bond.0, bond.1)
                        && bond.2 - class.2 < SAME_DISTANCE_ANG =>
                {
                    *count += 1;
                }
                _ => classes.push((bond, 1)),
            }
        }
        let mut into = vec![0_u32; graph.sites];
        for &((target, ..), count) in &classes {
            into[target as usize] += count;
        }
        let share = |count: u32, all: u32| (f64::from(count) / f64::from(all)) as f32;
        let all = graph.edges.len() as u32;
        Self {
            label: label.to_owned(),
            sites: graph.sites,
            bonds: graph.edges.len(),
            sources: classes.iter().map(|&((_, source, _), _)| source).collect(),
            targets: classes.iter().map(|&((target, ..), _)| target).collect(),
            multiplicity: classes.iter().map(|&(_, count)| count as f32).collect(),
            weight_in_target: classes
                .iter()
                .map(|&((target, ..), count)| share(count, into[target as usize]))
                .collect(),
            weight_in_graph: classes
                .iter()
                .map(|&(_, count)| share(count, all))
                .collect(),
            basis: classes
                .iter()
                .flat_map(|&((.., d), _)| gaussians(d, config))
                .collect(),
            lattice_inputs: lattice_inputs(lattice, space_group_number, graph.sites, config.inputs),
        }
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.sites
    }

    /// Number of different bonds, which the network's cost goes with.
    pub fn distinct_bonds(&self) -> usize {
        self.sources.len()
    }
}

/// exp(−w·(d − c)²) for evenly spaced centres c.
fn gaussians(distance_ang: f64, config: &MegnetConfig) -> impl Iterator<Item = f32> {
    let intervals = config.gaussian_centres.saturating_sub(1).max(1) as f64;
    (0..config.gaussian_centres).map(move |i| {
        let centre = config.gaussian_last_centre_ang * i as f64 / intervals;
        (-config.gaussian_width_per_ang2 * (distance_ang - centre).powi(2)).exp() as f32
    })
}

fn lattice_inputs(
    lattice: &Lattice,
    space_group_number: u16,
    sites: usize,
    style: InputStyle,
) -> Vec<f32> {
    let (lengths, angles) = (lattice.lengths(), lattice.angles());
    let numbers: Vec<f64> = match style {
        InputStyle::Published => [lengths, angles].concat(),
        InputStyle::Corrected => lengths
            .iter()
            .map(|length| length / 10.0)
            .chain(angles.iter().map(|angle| angle / 90.0 - 1.0))
            .chain([
                f64::from(space_group_number) / 230.0,
                lattice.volume() / sites as f64 / 20.0,
            ])
            .collect(),
    };
    numbers.into_iter().map(|x| x as f32).collect()
}
