//! The best crystals so far, to be learned from again.

use std::collections::BTreeMap;

use crystalgym_environment::{Episode, Task, random::uniform_below};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::update::Sample;

/// Episodes with what fills their sites at the end, the best first.
type Kept = Vec<(Sample, Box<[u8]>)>;

/// The best episodes of each skeleton and target, no crystal twice.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct BestEpisodes {
    /// By skeleton.
    kept: BTreeMap<u16, Kept>,
}

impl BestEpisodes {
    /// Keeps an episode if it is among the `most` best of its skeleton.
    pub(super) fn add(&mut self, sample: &Sample, filling: &[u8], most: usize) {
        let kept = self.kept.entry(sample.episode.start.skeleton).or_default();
        if kept.iter().any(|(_, other)| **other == *filling) {
            return;
        }
        let place = kept.partition_point(|(other, _)| other.reward >= sample.reward);
        if place < most {
            kept.insert(place, (sample.clone(), filling.into()));
            kept.truncate(most);
        }
    }

    /// Some of them, drawn evenly over skeletons, each told from a start site drawn anew.
    pub(super) fn draw(&self, count: usize, task: &Task, rng: &mut Pcg64) -> Vec<Sample> {
        let skeletons: Vec<&Kept> = self.kept.values().filter(|kept| !kept.is_empty()).collect();
        if skeletons.is_empty() {
            return Vec::new();
        }
        let draw = |_| {
            let kept = skeletons[uniform_below(rng, skeletons.len())];
            let (sample, filling) = &kept[uniform_below(rng, kept.len())];
            let mut start = sample.episode.start.clone();
            if task.board().start_site().is_none() {
                start.start = uniform_below(rng, start.node_types.len()) as u16;
            }
            let told = task.process().history(task.board(), &start, filling);
            match told {
                Some(actions) => Sample {
                    episode: Episode { start, actions },
                    ..sample.clone()
                },
                None => sample.clone(),
            }
        };
        (0..count).map(draw).collect()
    }

    /// All that are kept.
    pub(super) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.kept.values().flatten().map(|(sample, _)| sample)
    }
}
