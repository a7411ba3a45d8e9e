//! Which crystals are looked at for the next calculation.

use std::collections::{BTreeMap, BTreeSet};

use crystalgym_environment::{
    Task,
    random::{random_choice, uniform_below, uniform_unit},
};
use crystalgym_surrogate::{Filling, Fillings, canonical, images};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use crate::search::{fits, random_filling};

/// Fillings, images counted, up to which all of a skeleton are written down.
pub(super) const MOST_FILLINGS: usize = 2_500_000;
/// The best known fillings whose neighbours are looked at.
const PARENTS: usize = 8;
/// Of the crystals looked at, the best that are looked at again.
const SHORTLIST: usize = 512;
/// Share of the crystals looked at that are bred from the best known ones, where not all can be
/// written down.
const BRED: f64 = 0.4;

/// What has been looked at so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Pools {
    /// How far the walk through all fillings of a skeleton has come.
    cursors: BTreeMap<u16, u64>,
    shortlists: BTreeMap<u16, Vec<Filling>>,
    /// `None` within where there are too many.
    #[serde(skip)]
    all: BTreeMap<u16, Option<Fillings>>,
}

impl Pools {
    /// Canonical fillings of a skeleton that are to be looked at: all if there are at most `most`,
    /// else those that were good before, the neighbours of the best known ones, and the next of a
    /// walk through all of them, which is random where there are too many to write down.
    pub(super) fn candidates(
        &mut self,
        task: &Task,
        skeleton: u16,
        most: usize,
        best: &[&Filling],
        rng: &mut Pcg64,
    ) -> BTreeSet<Filling> {
        let all = self.all.entry(skeleton);
        let all = all.or_insert_with(|| Fillings::all(task, skeleton.into(), MOST_FILLINGS));
        let mut pool = BTreeSet::new();
        let mut take = |filling: &[u8]| {
            pool.insert(canonical(task, skeleton.into(), filling));
        };
        if let Some(all) = all
            && all.len() <= 2 * most
        {
            all.iter().for_each(take);
            return pool;
        }
        let shortlist = self.shortlists.get(&skeleton);
        shortlist
            .into_iter()
            .flatten()
            .for_each(|filling| take(filling));
        for parent in best.iter().take(PARENTS) {
            neighbours(task, skeleton.into(), parent).for_each(|filling| take(&filling));
        }
        match all {
            Some(all) => {
                let cursor = self.cursors.entry(skeleton).or_default();
                let count = all.len() as u64;
                let stride = stride(count);
                for _ in 0..most {
                    *cursor = (*cursor + stride) % count;
                    take(all.get(*cursor as usize));
                }
            }
            None => {
                for _ in 0..most {
                    let bred = !best.is_empty() && uniform_unit(rng) < BRED;
                    let filling = match bred {
                        true => child(task, skeleton.into(), best, rng),
                        false => random_filling(task, skeleton, rng),
                    };
                    take(&filling);
                }
            }
        }
        pool
    }

    /// Takes what was looked at, the best first.
    pub(super) fn keep<'a>(&mut self, skeleton: u16, ranked: impl Iterator<Item = &'a Filling>) {
        let shortlist = ranked.take(SHORTLIST).cloned().collect();
        self.shortlists.insert(skeleton, shortlist);
    }

    /// Whether what was read can be of this task.
    pub(super) fn belongs_to(&self, task: &Task) -> bool {
        let mut lists = self.shortlists.iter();
        let skeletons = task.skeletons().len();
        self.cursors
            .iter()
            .all(|(skeleton, cursor)| usize::from(*skeleton) < skeletons && *cursor < 1 << 40)
            && lists.all(|(skeleton, list)| list.iter().all(|f| fits(task, *skeleton, f)))
    }
}

/// All fillings that differ on one site and are allowed in some image.
fn neighbours<'a>(
    task: &'a Task,
    skeleton: usize,
    filling: &'a Filling,
) -> impl Iterator<Item = Filling> + 'a {
    let elements = task.elements().len() as u8;
    let on_site = move |site: usize| {
        (0..elements).map(move |element| {
            let mut neighbour = filling.clone();
            neighbour[site] = element;
            neighbour
        })
    };
    (0..filling.len())
        .flat_map(on_site)
        .filter(move |neighbour| {
            let mut images = images(task, skeleton, neighbour);
            images.any(|image| task.board().obeys(skeleton, &image.collect::<Vec<u8>>()))
        })
}

/// Two of the best known fillings crossed, with a chance of another element on each site.
fn child(task: &Task, skeleton: usize, best: &[&Filling], rng: &mut Pcg64) -> Filling {
    let mut parent = || {
        let (a, b) = (
            uniform_below(rng, best.len()),
            uniform_below(rng, best.len()),
        );
        best[a.min(b)]
    };
    let (mother, father) = (parent(), parent());
    let mut child = mother.clone();
    for site in 0..child.len() {
        if uniform_unit(rng) < 0.5 {
            child[site] = father[site];
        }
        if uniform_unit(rng) < 0.3 {
            child[site] = random_choice(task.board().allowed_at(skeleton, site), rng) as u8;
        }
    }
    child
}

/// A step with which a walk through `count` places comes to all of them: about the golden section,
/// so that any stretch of it is spread over all, and without a common divisor.
fn stride(count: u64) -> u64 {
    let golden = (count as f64 * 0.618_033_988_749_894_9) as u64;
    let divisor = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    (golden.max(1)..count.max(2))
        .find(|step| divisor(*step, count) == 1)
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_comes_everywhere() {
        for count in [1, 2, 3, 10, 97, 1000, 6561] {
            let stride = stride(count);
            let visited: BTreeSet<u64> = (0..count).map(|step| step * stride % count).collect();
            assert_eq!(visited.len() as u64, count);
        }
    }
}
