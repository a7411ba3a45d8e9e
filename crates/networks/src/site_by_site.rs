//! A network for actions that choose their site: shown each site in turn as the one in focus.

use std::sync::Arc;

use crystalgym_crystal::Skeleton;
use crystalgym_environment::{Observation, Task};

use crate::{Gradients, GraphNetwork, NetworkError, Outputs, Parameters};

/// A network that answers for one site in focus, asked about every site where actions choose theirs.
///
/// A state with n sites is shown n times. What is said of the actions on a site stands at that site's
/// place, zeros at those of sites that only larger skeletons have; what is said of the state as a
/// whole is the mean over its sites. The same parameters serve all sites, so that a network that is
/// invariant under permutations of the sites gives permuted answers. Where one site is in focus,
/// this is the network itself.
#[derive(Debug, Clone)]
pub struct SiteBySite<N> {
    network: N,
    /// `None` where one site is in focus.
    layout: Option<Layout>,
}

/// What a row of outputs is made of.
#[derive(Debug, Clone, Copy)]
struct Layout {
    whole: usize,
    each_site: usize,
    /// Sites of the largest skeleton.
    sites: usize,
}

impl Layout {
    fn row(self) -> usize {
        self.whole + self.sites * self.each_site
    }
}

/// Memory of the passes of a [`SiteBySite`] network.
#[derive(Debug)]
pub struct SiteBySiteWorkspace<W> {
    network: W,
    /// Rows of the network for each state.
    sites: Vec<usize>,
    outputs: Vec<f32>,
}

impl<N: GraphNetwork> SiteBySite<N> {
    /// A network for what the task does, out of one that `build` makes with so many outputs for a
    /// site in focus.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn new(
        task: &Task,
        outputs: Outputs,
        build: impl FnOnce(usize) -> Result<N, NetworkError>,
    ) -> Result<Self, NetworkError> {
        let elements = task.elements().len();
        let chooses_site = task.process().chooses_site();
        Ok(Self {
            network: build(outputs.total(elements))?,
            layout: chooses_site.then(|| Layout {
                whole: outputs.whole,
                each_site: outputs.each_action * elements,
                sites: most_sites(task.skeletons()),
            }),
        })
    }
}

fn most_sites(skeletons: &[Arc<Skeleton>]) -> usize {
    let sites = skeletons.iter().map(|skeleton| skeleton.sites());
    sites.max().unwrap_or(0)
}

impl<N: GraphNetwork> GraphNetwork for SiteBySite<N> {
    type Workspace = SiteBySiteWorkspace<N::Workspace>;

    fn workspace(&self, threads: usize) -> Result<Self::Workspace, NetworkError> {
        Ok(SiteBySiteWorkspace {
            network: self.network.workspace(threads)?,
            sites: Vec::new(),
            outputs: Vec::new(),
        })
    }

    fn for_skeletons(&self, skeletons: &[Arc<Skeleton>]) -> Result<Self, NetworkError> {
        let sites = most_sites(skeletons);
        Ok(Self {
            network: self.network.for_skeletons(skeletons)?,
            layout: self.layout.map(|layout| Layout { sites, ..layout }),
        })
    }

    fn last_layers(&self) -> &'static str {
        self.network.last_layers()
    }

    fn features_per_state(&self) -> usize {
        let shown = self.layout.map_or(1, |layout| layout.sites);
        self.network.features_per_state() * shown
    }

    fn n_outputs(&self) -> usize {
        self.layout.map_or(self.network.n_outputs(), Layout::row)
    }

    fn parameters(&self) -> &Parameters {
        self.network.parameters()
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        self.network.parameters_mut()
    }

    fn forward<'w>(
        &self,
        seen: &[Observation<'_>],
        workspace: &'w mut Self::Workspace,
    ) -> Result<&'w [f32], NetworkError> {
        let Some(layout) = self.layout else {
            return self.network.forward(seen, &mut workspace.network);
        };
        // One row at least, so that a state without sites is found to be none.
        let shown = |state: &Observation<'_>| state.node_types.len().max(1);
        let mut rows = Vec::with_capacity(seen.len() * layout.sites);
        for state in seen {
            let sites = 0..shown(state);
            rows.extend(sites.map(|focus| Observation { focus, ..*state }));
        }
        let answers = self.network.forward(&rows, &mut workspace.network)?;

        workspace.sites.clear();
        workspace.sites.extend(seen.iter().map(shown));
        let outputs = &mut workspace.outputs;
        outputs.clear();
        outputs.resize(seen.len() * layout.row(), 0.0);
        let mut answers = answers.chunks_exact(layout.whole + layout.each_site);
        for (row, &sites) in outputs.chunks_exact_mut(layout.row()).zip(&workspace.sites) {
            let (whole, of_actions) = row.split_at_mut(layout.whole);
            for (site, answer) in answers.by_ref().take(sites).enumerate() {
                let (of_whole, of_site) = answer.split_at(layout.whole);
                for (sum, value) in whole.iter_mut().zip(of_whole) {
                    *sum += value / sites as f32;
                }
                let start = site * layout.each_site;
                of_actions[start..start + of_site.len()].copy_from_slice(of_site);
            }
        }
        Ok(outputs)
    }

    fn backward(
        &self,
        grad_outputs: &[f32],
        workspace: &mut Self::Workspace,
        gradients: &mut Gradients,
    ) -> Result<(), NetworkError> {
        let network = &mut workspace.network;
        let Some(layout) = self.layout else {
            return self.network.backward(grad_outputs, network, gradients);
        };
        if grad_outputs.len() != workspace.outputs.len() {
            return Err(NetworkError::Length {
                what: "gradient of the outputs",
                found: grad_outputs.len(),
                expected: workspace.outputs.len(),
            });
        }
        let shown: usize = workspace.sites.iter().sum();
        let mut grad_answers = Vec::with_capacity(shown * (layout.whole + layout.each_site));
        for (row, &sites) in grad_outputs
            .chunks_exact(layout.row())
            .zip(&workspace.sites)
        {
            let (whole, of_actions) = row.split_at(layout.whole);
            for site in 0..sites {
                grad_answers.extend(whole.iter().map(|grad| grad / sites as f32));
                let start = site * layout.each_site;
                grad_answers.extend_from_slice(&of_actions[start..start + layout.each_site]);
            }
        }
        self.network.backward(&grad_answers, network, gradients)
    }
}
