//! What an episode is played on: skeletons with the order of their sites, and the elements allowed
//! there.

use std::sync::Arc;

use crystalgym_crystal::{Crystal, Skeleton};

use crate::{ActionSet, EnvironmentError, Traversal};

/// Skeletons, the order in which their sites are visited, and which elements may stand where.
#[derive(Debug, Clone)]
pub struct Board {
    skeletons: Vec<Arc<Skeleton>>,
    elements: ActionSet,
    /// Site at which every traversal starts; drawn for each episode if absent.
    start_site: Option<usize>,
    /// Order of the sites by skeleton and start site.
    traversals: Vec<Vec<Vec<u16>>>,
    /// Allowed elements by skeleton and site, none if nothing is restricted.
    allowed: Vec<Vec<Vec<bool>>>,
    all_allowed: Vec<bool>,
}

impl Board {
    /// A board on skeletons; `allowed` restricts the elements by skeleton and site.
    pub(crate) fn new(
        skeletons: Vec<Arc<Skeleton>>,
        elements: ActionSet,
        start_site: Option<usize>,
        allowed: Vec<Vec<Vec<bool>>>,
    ) -> Self {
        let traversal = |skeleton: &Skeleton, start| {
            let order = skeleton.graph.breadth_first(start);
            order.into_iter().map(|site| site as u16).collect()
        };
        let traversals = skeletons.iter().map(|skeleton| {
            let starts = 0..skeleton.sites();
            starts.map(|start| traversal(skeleton, start)).collect()
        });
        Self {
            traversals: traversals.collect(),
            skeletons,
            all_allowed: vec![true; elements.len()],
            elements,
            start_site,
            allowed,
        }
    }

    /// Skeletons that episodes are drawn from.
    pub fn skeletons(&self) -> &[Arc<Skeleton>] {
        &self.skeletons
    }

    /// Number of sites of a skeleton.
    pub fn sites(&self, skeleton: usize) -> usize {
        self.skeletons[skeleton].sites()
    }

    /// The elements to choose from; a node type is an index into them, and their number stands for
    /// an empty site.
    pub fn elements(&self) -> &ActionSet {
        &self.elements
    }

    /// The fixed start site, if there is one.
    pub fn start_site(&self) -> Option<usize> {
        self.start_site
    }

    /// Order in which the sites of a skeleton are visited from a start site: breadth first along
    /// its bonds.
    pub fn traversal(&self, skeleton: usize, start: usize) -> &[u16] {
        &self.traversals[skeleton][start]
    }

    /// The same as it is seen.
    pub fn seen_traversal(&self, skeleton: usize, start: usize) -> Traversal<'_> {
        Traversal {
            start,
            order: self.traversal(skeleton, start),
        }
    }

    /// Which elements are allowed on a site of a skeleton.
    pub fn allowed_at(&self, skeleton: usize, site: usize) -> &[bool] {
        let of_skeleton = self.allowed.get(skeleton);
        let of_site = of_skeleton.and_then(|sites| sites.get(site));
        of_site.unwrap_or(&self.all_allowed)
    }

    /// Whether every site of a skeleton holds an element that is allowed there.
    pub fn obeys(&self, skeleton: usize, node_types: &[u8]) -> bool {
        let sites = node_types.iter().enumerate();
        sites.into_iter().all(|(site, &node_type)| {
            self.allowed_at(skeleton, site).get(usize::from(node_type)) == Some(&true)
        })
    }

    /// The crystal that a complete list of node types (in site order) stands for.
    ///
    /// # Errors
    /// [`EnvironmentError::InvalidAction`] for a blank or unknown node type.
    pub fn crystal(&self, skeleton: usize, node_types: &[u8]) -> Result<Crystal, EnvironmentError> {
        let elements = self.elements.elements();
        let places = || node_types.iter().map(|&node_type| usize::from(node_type));
        if let Some(step) = places().position(|place| place >= elements.len()) {
            return Err(EnvironmentError::InvalidAction {
                action: node_types[step].into(),
                step,
                last: elements.len() - 1,
            });
        }
        let filling = places().map(|place| elements[place]).collect();
        Ok(Crystal::new(
            Arc::clone(&self.skeletons[skeleton]),
            filling,
        )?)
    }
}
