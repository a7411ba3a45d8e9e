//! What a model sees of a crystal: numbers that do not depend on the order of the sites.

use crystalgym_crystal::{Element, Skeleton};

use crate::charge::ChargeCount;

/// Members of each group of features, in their order: electronegativity, radius, valence electrons
/// and period over the sites; bonds; second neighbours; sites by their surroundings; electrons;
/// geometry.
pub const GROUP_SIZES: [usize; 9] = [4, 4, 5, 4, 8, 3, 8, 4, 4];

/// The place of the group of electron counts among [`GROUP_SIZES`].
const ELECTRONS: usize = 7;

/// Number of features.
pub const FEATURES: usize = {
    let (mut sum, mut group) = (0, 0);
    while group < GROUP_SIZES.len() {
        sum += GROUP_SIZES[group];
        group += 1;
    }
    sum
};

/// What is known of an atom.
#[derive(Clone, Copy)]
struct Descriptor {
    electronegativity: f64,
    radius_ang: f64,
    valence_electrons: f64,
    period: f64,
    /// Lowest common oxidation state.
    lowest_state: f64,
}

impl Descriptor {
    fn of(element: Element) -> Self {
        let data = element.data();
        Self {
            // Noble gases hold their electrons fast.
            electronegativity: data.electronegativity_pauling.unwrap_or(4.0),
            radius_ang: data.covalent_radius_ang.unwrap_or(1.5),
            valence_electrons: data.valence_electrons.into(),
            period: data.period.into(),
            lowest_state: data.oxidation_states.first().copied().unwrap_or(0).into(),
        }
    }
}

/// Turns fillings of one skeleton into features.
#[derive(Debug, Clone)]
pub struct FeatureMap {
    sites: usize,
    volume_ang3: f64,
    /// Undirected bonds with their lengths in Å.
    bonds: Vec<(usize, usize, f64)>,
    /// Pairs of sites with a common neighbour, with how often that is so.
    second: Vec<(usize, usize, f64)>,
    /// By site, how many more bonds than the mean, and how much longer, as a share of the mean.
    surroundings: Vec<[f64; 2]>,
    mean_bond_ang: f64,
    /// Whether electrons are counted; their features are 0 otherwise.
    counts_electrons: bool,
}

impl FeatureMap {
    /// For fillings of this skeleton; `counts_electrons` says whether the model is told what
    /// chemistry knows of oxidation states.
    pub fn new(skeleton: &Skeleton, counts_electrons: bool) -> Self {
        let edges = &skeleton.graph.edges;
        let sites = skeleton.sites();
        let bonds: Vec<_> = edges
            .iter()
            .step_by(2)
            .map(|edge| (edge.source, edge.target, edge.distance))
            .collect();
        let mut second = vec![0.0; sites * sites];
        for (place, first) in edges.iter().enumerate() {
            for next in edges.iter().filter(|next| next.source == first.target) {
                // The same bond back is no second neighbour.
                let back = place ^ 1;
                if !std::ptr::eq(next, &raw const edges[back]) {
                    let (low, high) =
                        (first.source.min(next.target), first.source.max(next.target));
                    second[low * sites + high] += 1.0;
                }
            }
        }
        let second = second
            .into_iter()
            .enumerate()
            .filter(|(_, times)| *times > 0.0);
        let mean_bond_ang = mean(bonds.iter().map(|bond| bond.2));
        let mean_degree = edges.len() as f64 / sites as f64;
        let surroundings = (0..sites).map(|site| {
            let ends = edges.iter().filter(|edge| edge.target == site);
            let degree = ends.clone().count() as f64;
            let length = match degree > 0.0 {
                true => mean(ends.map(|edge| edge.distance)),
                false => mean_bond_ang,
            };
            let relative =
                |value: f64, mean: f64| if mean > 0.0 { value / mean - 1.0 } else { 0.0 };
            [
                relative(degree, mean_degree),
                relative(length, mean_bond_ang),
            ]
        });
        Self {
            sites,
            volume_ang3: skeleton.lattice.volume().abs(),
            second: second
                .map(|(pair, times)| (pair / sites, pair % sites, times))
                .collect(),
            surroundings: surroundings.collect(),
            bonds,
            mean_bond_ang,
            counts_electrons,
        }
    }

    /// The features of a filling, one element for each site; as many as [`FEATURES`], in the
    /// groups of [`GROUP_SIZES`].
    pub fn of(&self, elements: &[Element]) -> Vec<f64> {
        let atoms: Vec<Descriptor> = elements.iter().map(|e| Descriptor::of(*e)).collect();
        let mut features = Vec::with_capacity(FEATURES);
        let statistics = |of: fn(&Descriptor) -> f64| spread_of(atoms.iter().map(of));
        features.extend(statistics(|atom| atom.electronegativity));
        features.extend(statistics(|atom| atom.radius_ang));
        features.extend(statistics(|atom| atom.valence_electrons));
        features.push(mean(atoms.iter().map(|atom| atom.lowest_state)));
        features.extend(statistics(|atom| atom.period));
        self.bonded(&atoms, elements, &mut features);
        self.second_neighbours(&atoms, elements, &mut features);
        for kind in 0..2 {
            let contrast = |of: fn(&Descriptor) -> f64| {
                mean(
                    atoms
                        .iter()
                        .zip(&self.surroundings)
                        .map(|(atom, s)| s[kind] * of(atom)),
                )
            };
            features.push(contrast(|atom| atom.electronegativity));
            features.push(contrast(|atom| atom.radius_ang));
            features.push(contrast(|atom| atom.valence_electrons));
            features.push(contrast(|atom| atom.period));
        }
        features.extend(self.electrons(elements));
        let volume = self.volume_ang3 / self.sites as f64;
        let cubes: f64 = atoms.iter().map(|atom| atom.radius_ang.powi(3)).sum();
        features.extend([
            volume.ln(),
            self.mean_bond_ang.max(0.1).ln(),
            self.bonds.len() as f64 / self.sites as f64,
            cubes / self.volume_ang3,
        ]);
        features
    }

    /// Over bonds: differences of electronegativity and of valence, sums of radii by length.
    fn bonded(&self, atoms: &[Descriptor], elements: &[Element], features: &mut Vec<f64>) {
        let pairs = || {
            self.bonds
                .iter()
                .map(|&(a, b, length)| (&atoms[a], &atoms[b], length))
        };
        let polar = pairs().map(|(a, b, _)| (a.electronegativity - b.electronegativity).abs());
        let [mean_polar, spread_polar, _, most_polar] = spread_of(polar);
        let filled = pairs().map(|(a, b, length)| (a.radius_ang + b.radius_ang) / length);
        let [mean_filled, spread_filled, _, most_filled] = spread_of(filled);
        let valence = pairs().map(|(a, b, _)| (a.valence_electrons - b.valence_electrons).abs());
        let same = self
            .bonds
            .iter()
            .map(|&(a, b, _)| f64::from(u8::from(elements[a] == elements[b])));
        features.extend([
            mean_polar,
            spread_polar,
            most_polar,
            mean_filled,
            spread_filled,
            most_filled,
            mean(valence),
            mean(same),
        ]);
    }

    fn second_neighbours(
        &self,
        atoms: &[Descriptor],
        elements: &[Element],
        features: &mut Vec<f64>,
    ) {
        let total: f64 = self.second.iter().map(|pair| pair.2).sum();
        let over = |of: &dyn Fn(usize, usize) -> f64| {
            let pairs = self.second.iter();
            let sum: f64 = pairs.map(|&(a, b, times)| times * of(a, b)).sum();
            if total > 0.0 { sum / total } else { 0.0 }
        };
        features.extend([
            over(&|a, b| (atoms[a].electronegativity - atoms[b].electronegativity).abs()),
            over(&|a, b| (atoms[a].radius_ang - atoms[b].radius_ang).abs()),
            over(&|a, b| f64::from(u8::from(elements[a] == elements[b]))),
        ]);
    }

    fn electrons(&self, elements: &[Element]) -> [f64; GROUP_SIZES[ELECTRONS]] {
        if !self.counts_electrons {
            return [0.0; GROUP_SIZES[ELECTRONS]];
        }
        let count = ChargeCount::of(elements);
        let sites = self.sites as f64;
        // Without cations or anions it counts as one charge a site.
        let imbalance = count
            .imbalance
            .map_or(1.0, |charge| f64::from(charge) / sites);
        [
            imbalance.min(1.0),
            f64::from(u8::from(count.is_balanced())),
            f64::from(count.surplus) / sites,
            f64::from(count.surplus.abs()) / sites,
        ]
    }
}

/// Brings features to mean 0 and variance 1 over the fillings that it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardiser {
    means: Vec<f64>,
    scales: Vec<f64>,
}

impl Standardiser {
    /// From the features of typical fillings. What is the same in all of them is not seen.
    pub fn of(typical: &[Vec<f64>]) -> Self {
        let column = |place: usize| typical.iter().map(move |features| features[place]);
        let statistics: Vec<_> = (0..FEATURES)
            .map(|place| spread_of(column(place)))
            .collect();
        Self {
            means: statistics.iter().map(|statistics| statistics[0]).collect(),
            scales: statistics
                .iter()
                .map(|statistics| match statistics[1] {
                    spread if spread > 1e-9 => spread.recip(),
                    _ => 0.0,
                })
                .collect(),
        }
    }

    /// The features relative to the typical ones.
    pub fn standardised(&self, mut features: Vec<f64>) -> Box<[f64]> {
        let places = self.means.iter().zip(&self.scales);
        for (feature, (mean, scale)) in features.iter_mut().zip(places) {
            *feature = (*feature - mean) * scale;
        }
        features.into()
    }
}

fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0u32);
    for number in numbers {
        sum += number;
        count += 1;
    }
    sum / f64::from(count.max(1))
}

/// Mean, standard deviation, least and greatest; zeros of nothing.
fn spread_of(numbers: impl Iterator<Item = f64> + Clone) -> [f64; 4] {
    let mean = mean(numbers.clone());
    let (mut squares, mut count) = (0.0, 0u32);
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for number in numbers {
        squares += (number - mean).powi(2);
        least = least.min(number);
        most = most.max(number);
        count += 1;
    }
    match count {
        0 => [0.0; 4],
        count => [mean, (squares / f64::from(count)).sqrt(), least, most],
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_environment::random::uniform_below;
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    use super::*;

    fn random(sites: usize, rng: &mut Pcg64) -> Vec<Element> {
        let draw = |rng: &mut Pcg64| Element::from_atomic_number(1 + uniform_below(rng, 57) as u8);
        (0..sites).map(|_| draw(rng).unwrap()).collect()
    }

    /// Every operation of every benchmark skeleton leaves all features as they are; most other
    /// orders of the sites do not.
    #[test]
    fn symmetric_images_have_the_same_features() {
        let mut rng = Pcg64::seed_from_u64(1);
        for skeleton in Skeleton::builtins().unwrap() {
            let map = FeatureMap::new(&skeleton, true);
            let elements = random(skeleton.sites(), &mut rng);
            let features = map.of(&elements);
            assert_eq!(features.len(), FEATURES);
            for permutation in &skeleton.symmetry.site_permutations {
                let image: Vec<Element> = permutation.iter().map(|&from| elements[from]).collect();
                for (a, b) in features.iter().zip(map.of(&image)) {
                    assert!((a - b).abs() < 1e-6, "{}: {a} {b}", skeleton.label);
                }
            }
        }
    }

    /// Of a perovskite, exchanging the elements of A and B is another crystal, and is seen as one.
    #[test]
    fn other_orders_differ() {
        let skeleton = Skeleton::builtin("C2").unwrap();
        let map = FeatureMap::new(&skeleton, true);
        let elements = |symbols: &str| -> Vec<Element> {
            symbols
                .split_whitespace()
                .map(|s| s.parse().unwrap())
                .collect()
        };
        let (one, other) = (
            map.of(&elements("Rb Ca H H H")),
            map.of(&elements("Ca Rb H H H")),
        );
        let difference = one.iter().zip(&other).map(|(a, b)| (a - b).abs());
        assert!(difference.fold(0.0, f64::max) > 0.01);
    }

    /// Oracle: NaCl₃ on a chain by hand.
    #[test]
    fn means_and_spreads() {
        assert_eq!(
            spread_of([1.0, 2.0, 3.0, 6.0].into_iter()),
            [3.0, 3.5f64.sqrt(), 1.0, 6.0]
        );
        assert_eq!(spread_of(std::iter::empty()), [0.0; 4]);
    }
}
