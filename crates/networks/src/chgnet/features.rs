//! Features of crystals by CHGNet, each crystal computed once for all networks of the process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use crystalgym_crystal::{Crystal, Element, Skeleton};
use crystalgym_potential::{Chgnet, InteratomicPotential, PotentialError, Request};
use serde::{Deserialize, Serialize};

use crate::trunk::Memory;

/// Features of a site.
pub(super) const WIDTH: usize = 64;
/// Crystals that are remembered: some 40 MB.
const CAPACITY: usize = 20_000;

/// In which order the layers of the trunk run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerOrder {
    /// CHGNet's own.
    #[default]
    Corrected,
    /// That of the published agents: the last convolution and the norm after each of the three layers.
    Published,
}

/// Features of crystals by CHGNet, remembered by canonical filling.
///
/// Sites that a symmetry of the empty skeleton turns into each other have the same features, so that a
/// crystal is computed once in its canonical filling ([`Crystal::canonical`]).
#[derive(Debug)]
pub struct ChgnetFeatures {
    chgnet: Chgnet,
    memory: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    /// Geometries of skeletons by the bits of their numbers.
    geometries: HashMap<Vec<u64>, usize>,
    crystals: Memory<Key, Arc<[f32]>>,
    computed: usize,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    geometry: usize,
    order: LayerOrder,
    elements: Vec<Element>,
}

/// Features of the sites of a crystal.
#[derive(Debug)]
pub(super) struct Sites {
    places: Vec<usize>,
    features: Arc<[f32]>,
}

impl Sites {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Site and features, in the canonical order: sums over them are the same for equivalent fillings,
    /// to the last bit.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[f32; WIDTH])> {
        let rows = self.features.as_chunks::<WIDTH>().0;
        self.places.iter().copied().zip(rows)
    }
}

impl ChgnetFeatures {
    /// Features by this network.
    pub fn new(chgnet: Chgnet) -> Self {
        Self {
            chgnet,
            memory: Mutex::default(),
        }
    }

    /// Features by CHGNet as installed for this user, the same for all networks of the process that
    /// are alive.
    ///
    /// # Errors
    /// [`PotentialError::NotInstalled`], or what is wrong with the weights.
    pub fn installed() -> Result<Arc<Self>, PotentialError> {
        static SHARED: Mutex<Weak<ChgnetFeatures>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(features) = shared.upgrade() {
            return Ok(features);
        }
        let features = Arc::new(Self::new(Chgnet::installed()?));
        *shared = Arc::downgrade(&features);
        Ok(features)
    }

    /// Crystals that were computed so far, and not remembered.
    pub fn computed(&self) -> usize {
        self.memory().computed
    }

    /// A number for the geometry of a skeleton, which stands for it in the memory.
    pub(super) fn geometry(&self, skeleton: &Skeleton) -> usize {
        let lattice = skeleton.lattice.vectors();
        let numbers = lattice.as_flattened().iter();
        let numbers = numbers.chain(skeleton.frac_coords.as_flattened());
        let bits: Vec<u64> = numbers.map(|x| x.to_bits()).collect();
        let geometries = &mut self.memory().geometries;
        let next = geometries.len();
        *geometries.entry(bits).or_insert(next)
    }

    /// Features of the sites of a crystal in its canonical order, each with the site that they are of.
    ///
    /// # Errors
    /// [`PotentialError`] for a crystal that CHGNet does not cover.
    pub(super) fn sites(
        &self,
        geometry: usize,
        crystal: &Crystal,
        order: LayerOrder,
    ) -> Result<Sites, PotentialError> {
        let places = crystal.canonical_sites();
        let elements: Vec<Element> = places
            .iter()
            .map(|&site| crystal.elements()[site])
            .collect();
        let key = Key {
            geometry,
            order,
            elements,
        };
        let known = self.memory().crystals.recall(&key, CAPACITY / 2);
        let features = match known {
            Some(known) => known,
            None => {
                // Without the lock: two that ask for the same crystal at once get the same numbers.
                let structure = crystal.canonical().structure();
                let found: Arc<[f32]> = match order {
                    LayerOrder::Published => {
                        self.chgnet.features_in_published_order(&structure)?.into()
                    }
                    LayerOrder::Corrected => {
                        let found = self.chgnet.evaluate(&structure, Request::Energy)?;
                        found
                            .features
                            .map_or_else(Vec::new, |f| f.after_readout)
                            .into()
                    }
                };
                let mut memory = self.memory();
                memory.computed += 1;
                memory.crystals.keep(key, Arc::clone(&found), CAPACITY / 2);
                found
            }
        };
        Ok(Sites { places, features })
    }

    /// Every entry is written whole, so that what a panic elsewhere left behind is sound.
    fn memory(&self) -> MutexGuard<'_, Remembered> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
