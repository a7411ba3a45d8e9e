//! A tree of sums.

use serde::{Deserialize, Serialize};

/// Weights under a binary tree of their sums: a weight is set, and a place drawn in proportion to
/// its weight, in `O(log n)` (Schaul et al. 2016, appendix B.2.1).
///
/// Every inner node is the sum of its two children whenever a leaf below it changes, so the tree
/// is a function of its leaves alone, to the last bit; only they are saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Leaves", into = "Leaves")]
pub struct SumTree {
    /// Number of leaves, a power of two.
    width: usize,
    /// Node 1 is the root, `2i` and `2i + 1` are the children of `i`, leaf `i` is `width + i`.
    nodes: Vec<f64>,
}

impl SumTree {
    /// A tree of `capacity` weights that are all zero.
    pub fn new(capacity: usize) -> Self {
        let width = capacity.max(1).next_power_of_two();
        Self {
            width,
            nodes: vec![0.0; 2 * width],
        }
    }

    /// Number of places.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Sum of all weights.
    pub fn total(&self) -> f64 {
        self.nodes[1]
    }

    /// The weight of a place.
    pub fn get(&self, place: usize) -> f64 {
        self.nodes[self.width + place]
    }

    /// Sets the weight of a place.
    pub fn set(&mut self, place: usize, weight: f64) {
        let mut node = self.width + place;
        self.nodes[node] = weight;
        while node > 1 {
            node /= 2;
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1];
        }
    }

    /// The place at which the running sum of weights first exceeds `mass`, for `mass` from 0 to
    /// [`Self::total`]; never one of weight zero unless all are.
    pub fn find(&self, mut mass: f64) -> usize {
        let mut node = 1;
        while node < self.width {
            let (left, right) = (self.nodes[2 * node], self.nodes[2 * node + 1]);
            // Rounding may leave more mass than there is: the right side must hold some of it.
            if mass < left || right == 0.0 {
                node *= 2;
            } else {
                mass -= left;
                node = 2 * node + 1;
            }
        }
        node - self.width
    }
}

/// Places of the largest tree that is read: as many as the largest replay buffer needs.
const MOST_PLACES: usize = 1 << 24;

/// A tree as it is saved: the weights up to the last one that is not zero.
#[derive(Serialize, Deserialize)]
struct Leaves {
    width: usize,
    weights: Vec<f64>,
}

impl From<SumTree> for Leaves {
    fn from(tree: SumTree) -> Self {
        let leaves = &tree.nodes[tree.width..];
        let used = leaves.iter().rposition(|weight| *weight != 0.0);
        Self {
            width: tree.width,
            weights: leaves[..used.map_or(0, |last| last + 1)].to_vec(),
        }
    }
}

impl TryFrom<Leaves> for SumTree {
    type Error = String;

    fn try_from(leaves: Leaves) -> Result<Self, String> {
        let (width, given) = (leaves.width, leaves.weights.len());
        if !(width.is_power_of_two() && width <= MOST_PLACES && given <= width) {
            return Err(format!("{given} weights of {width} places"));
        }
        let mut tree = Self::new(width);
        tree.nodes[width..width + leaves.weights.len()].copy_from_slice(&leaves.weights);
        for node in (1..width).rev() {
            tree.nodes[node] = tree.nodes[2 * node] + tree.nodes[2 * node + 1];
        }
        Ok(tree)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Oracle: the running sum over a plain list.
        #[test]
        fn places_are_those_of_the_running_sum(
            capacity in 1..40_usize,
            changes in prop::collection::vec((0..40_usize, 0..9_u32), 1..100),
            share in 0.0..1.0_f64,
        ) {
            let mut tree = SumTree::new(capacity);
            let mut plain = vec![0.0; capacity];
            for (place, weight) in changes {
                let place = place % capacity;
                tree.set(place, weight.into());
                plain[place] = f64::from(weight);
            }
            // Whole numbers, so that both sums are exact.
            let total: f64 = plain.iter().sum();
            prop_assert_eq!(tree.total(), total);
            if total > 0.0 {
                let mass = (share * total).floor();
                let mut sum = 0.0;
                let expected = plain.iter().position(|weight| { sum += weight; sum > mass });
                prop_assert_eq!(Some(tree.find(mass)), expected);
                prop_assert!(tree.get(tree.find(total)) > 0.0);
            }
            let text = serde_json::to_string(&tree).unwrap();
            prop_assert_eq!(serde_json::from_str::<SumTree>(&text).unwrap(), tree);
        }
    }
}
