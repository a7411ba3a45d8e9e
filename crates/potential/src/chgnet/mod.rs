//! CHGNet 0.3.0: a graph network for energies, forces, stress and magnetic moments.
//!
//! Deng et al., Nature Machine Intelligence 5, 1031 (2023). Trained on the Materials Project's
//! relaxations (GGA and GGA+U with the corrections of MP2020), so its energies are on that scale.

mod basis;
mod dense;
mod gated;
mod graph;
mod layers;
mod network;
mod readout;
mod row_kernels;
mod weights;

use std::sync::{Mutex, PoisonError};

use crystalgym_crystal::Structure;

pub use self::weights::{Tensor, Weights};
use self::{
    graph::Graph,
    network::{Layers, Workspace},
    weights::ELEMENTS,
};
use crate::{InteratomicPotential, PotentialError, Prediction, Request, model};

/// Name and version.
pub(crate) const NAME: &str = "chgnet-0.3.0";

/// CHGNet 0.3.0.
///
/// The energy is a sum over sites, each read from what the site has heard of its surroundings in
/// four convolutions over bonds of up to 6 Å; bonds below 3 Å hear of their angles in three more.
/// Numbers are f32 where the network has them, geometry and sums over sites are f64: energies are
/// within 2e-6 eV/atom and forces within 2e-5 eV/Å of the same network in f64.
#[derive(Debug)]
pub struct Chgnet {
    layers: Layers,
    checksum: String,
    /// Memory of evaluations that are over.
    idle: Mutex<Vec<Workspace>>,
}

impl Chgnet {
    /// Elements up to Pu were trained on.
    pub const LARGEST_ATOMIC_NUMBER: u8 = ELEMENTS as u8;

    /// The network with these weights.
    ///
    /// # Errors
    /// [`PotentialError::Weights`], which weights that were checked do not give.
    pub fn new(weights: &Weights) -> Result<Self, PotentialError> {
        Ok(Self {
            layers: Layers::new(weights)?,
            checksum: weights.checksum(),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// The network as installed for this user.
    ///
    /// # Errors
    /// [`PotentialError::NotInstalled`] and what [`model::load_chgnet`] says of damaged weights.
    pub fn installed() -> Result<Self, PotentialError> {
        Self::new(&model::load_chgnet(&model::chgnet_folder()?)?)
    }

    /// Features of each site as the published agents compute them, rows of 64: the last convolution
    /// and the norm after it, which belong behind all other layers, are run after each of them
    /// (CrystalGym, `CHGNetRL`). No energy belongs to them.
    ///
    /// # Errors
    /// As [`InteratomicPotential::evaluate`].
    pub fn features_in_published_order(
        &self,
        structure: &Structure,
    ) -> Result<Vec<f32>, PotentialError> {
        self.with_graph(structure, |graph, workspace| {
            self.layers
                .features_in_published_order(structure, graph, workspace)
        })
    }

    /// Number of directed bonds and of rows of the bond graph (two for each angle).
    ///
    /// # Errors
    /// As [`InteratomicPotential::evaluate`].
    pub fn graph_size(structure: &Structure) -> Result<[usize; 2], PotentialError> {
        let graph = Graph::new(structure, NAME)?;
        Ok([graph.centres.len(), graph.row_firsts.len()])
    }

    /// What comes of a structure's graph, with memory that is used again.
    fn with_graph<T>(
        &self,
        structure: &Structure,
        run: impl FnOnce(&Graph, &mut Workspace) -> T,
    ) -> Result<T, PotentialError> {
        let unknown = structure
            .elements
            .iter()
            .position(|element| usize::from(element.atomic_number()) > ELEMENTS);
        if let Some(site) = unknown {
            return Err(PotentialError::UnknownElement {
                potential: NAME.to_owned(),
                element: structure.elements[site],
                site,
                largest: Self::LARGEST_ATOMIC_NUMBER,
            });
        }
        let graph = Graph::new(structure, NAME)?;
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workspace = idle().pop().unwrap_or_default();
        let found = run(&graph, &mut workspace);
        idle().push(workspace);
        Ok(found)
    }
}

impl InteratomicPotential for Chgnet {
    fn name(&self) -> &str {
        NAME
    }

    /// Name, and the checksum of the weights.
    fn identity(&self) -> String {
        format!("{NAME} {}", self.checksum)
    }

    /// # Errors
    /// [`PotentialError::UnknownElement`] beyond Pu (94), [`PotentialError::IsolatedAtom`] for a
    /// site without a neighbour within 6 Å, [`PotentialError::TooLarge`] for more than a million
    /// bonds or angles.
    fn evaluate(
        &self,
        structure: &Structure,
        request: Request,
    ) -> Result<Prediction, PotentialError> {
        self.with_graph(structure, |graph, workspace| {
            self.layers.evaluate(structure, graph, request, workspace)
        })
    }
}
