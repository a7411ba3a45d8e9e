//! Numbers that describe a partly filled crystal, site by site.

use std::sync::Arc;

use crystalgym_crystal::{Element, Skeleton};

use crate::{NetworkError, PartialCrystal, Trunk};

/// Descriptors of an element.
const OF_ELEMENT: usize = 6;
/// Flags of a site: empty, in focus.
const FLAGS: usize = 2;
/// Descriptors of a site that do not depend on its element.
const OF_FRAME: usize = 2;
const OF_SITE: usize = OF_ELEMENT + FLAGS + OF_FRAME;
/// Descriptors of a skeleton as a whole.
const OF_SKELETON: usize = 7;

/// Fixed descriptors of a crystal, all of order 1: 7 of the skeleton, then 10 of each site in the
/// skeleton's order, padded with zeros to the largest skeleton that they were made for.
///
/// Skeleton: lengths/10 Å, angles/90° − 1, volume per site/20 Å³. Site: of its element
/// ([`ElementData`](crystalgym_crystal::ElementData)) period/7, group/18, valence electrons/10,
/// electronegativity/4 (Pauling), mass/100 u and covalent radius/2 Å, all 0 if the site is empty
/// and any that is not known; 1 if empty; 1 if in focus; bonds/12, mean bond length/3 Å.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteDescriptors {
    elements: Arc<[[f32; OF_ELEMENT]]>,
    frames: Arc<[Frame]>,
    most_sites: usize,
}

/// What does not change within a skeleton.
#[derive(Debug, Clone, PartialEq)]
struct Frame {
    skeleton: [f32; OF_SKELETON],
    sites: Vec<[f32; OF_FRAME]>,
}

impl SiteDescriptors {
    /// Descriptors for these skeletons and these elements to choose from.
    pub fn new(skeletons: &[Arc<Skeleton>], elements: &[Element]) -> Self {
        Self {
            elements: elements.iter().copied().map(of_element).collect(),
            frames: skeletons.iter().map(|skeleton| frame(skeleton)).collect(),
            most_sites: skeletons
                .iter()
                .map(|skeleton| skeleton.sites())
                .max()
                .unwrap_or(0),
        }
    }
}

impl Trunk for SiteDescriptors {
    fn width(&self) -> usize {
        OF_SKELETON + self.most_sites * OF_SITE
    }

    fn features(&self, crystal: PartialCrystal<'_>, out: &mut [f32]) {
        let frame = &self.frames[crystal.skeleton];
        let (of_skeleton, of_sites) = out.split_at_mut(OF_SKELETON);
        of_skeleton.copy_from_slice(&frame.skeleton);
        of_sites.fill(0.0);
        let rows = of_sites.chunks_exact_mut(OF_SITE);
        let sites = frame.sites.iter().zip(crystal.node_types);
        for (site, (row, (of_frame, &node_type))) in rows.zip(sites).enumerate() {
            let (of_element, rest) = row.split_at_mut(OF_ELEMENT);
            match self.elements.get(usize::from(node_type)) {
                Some(known) => of_element.copy_from_slice(known),
                None => rest[0] = 1.0,
            }
            rest[1] = f32::from(site == crystal.focus);
            rest[FLAGS..].copy_from_slice(of_frame);
        }
    }

    fn for_skeletons(&self, skeletons: &[Arc<Skeleton>]) -> Result<Self, NetworkError> {
        if let Some(large) = skeletons.iter().find(|s| s.sites() > self.most_sites) {
            return Err(NetworkError::Config {
                field: "skeletons",
                found: format!("{} with {} sites", large.label, large.sites()),
                expected: format!(
                    "at most {}, the sites of the largest skeleton that this perceptron was built for",
                    self.most_sites
                ),
            });
        }
        Ok(Self {
            frames: skeletons.iter().map(|skeleton| frame(skeleton)).collect(),
            ..self.clone()
        })
    }
}

fn of_element(element: Element) -> [f32; OF_ELEMENT] {
    let data = element.data();
    [
        f64::from(data.period) / 7.0,
        f64::from(data.group) / 18.0,
        f64::from(data.valence_electrons) / 10.0,
        data.electronegativity_pauling.unwrap_or(0.0) / 4.0,
        data.mass_u / 100.0,
        data.covalent_radius_ang.unwrap_or(0.0) / 2.0,
    ]
    .map(|x| x as f32)
}

fn frame(skeleton: &Skeleton) -> Frame {
    let lattice = &skeleton.lattice;
    let ([a, b, c], [alpha, beta, gamma]) = (lattice.lengths(), lattice.angles());
    let volume_per_site = lattice.volume() / skeleton.sites() as f64;
    let lengths = [a, b, c].map(|length| length / 10.0);
    let angles = [alpha, beta, gamma].map(|angle| angle / 90.0 - 1.0);
    let ([a, b, c], [alpha, beta, gamma]) = (lengths, angles);
    let of_skeleton = [a, b, c, alpha, beta, gamma, volume_per_site / 20.0];
    let of_site = |site: usize| {
        let edges = skeleton.graph.edges.iter();
        let into = edges.filter(|edge| edge.target == site);
        let (bonds, total) = into.fold((0.0, 0.0), |(bonds, total), edge| {
            (bonds + 1.0, total + edge.distance)
        });
        let mean = if bonds > 0.0 { total / bonds } else { 0.0 };
        [bonds / 12.0, mean / 3.0].map(|x| x as f32)
    };
    Frame {
        skeleton: of_skeleton.map(|x| x as f32),
        sites: (0..skeleton.sites()).map(of_site).collect(),
    }
}
