//! Skeletons: lattices and exact positions whose elements are still to be chosen.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    CrystalError, CrystalGraph, Element, Lattice, SYMMETRY_TOLERANCE_ANG, SkeletonSymmetry,
    Structure,
    benchmark_skeletons::{BENCHMARK_CRYSTALS, BenchmarkCrystal},
    memo::{Memo, geometry_key},
    niggli::niggli_reduce,
    symmetry::{space_group, symmetrize},
};

/// Most sites of a filling whose space group is kept.
const MOST_SITES: usize = 64;
/// Most sites times permutations of a frame that is kept.
const MOST_IMAGES: usize = 4096;

/// The empty frame of a crystal: a lattice and positions whose elements are still to be chosen.
///
/// The geometry is exact: positions and lattice are snapped to the symmetry that they have within
/// a tolerance, so that a DFT code finds every operation. What the source listed is kept in
/// [`SkeletonSource`].
#[derive(Debug, Clone)]
pub struct Skeleton {
    /// Unique label, such as `C2` or the stem of a file.
    pub label: String,
    /// Lattice with exact symmetry, row vectors in Å.
    pub lattice: Lattice,
    /// Exact fractional positions.
    pub frac_coords: Vec<[f64; 3]>,
    /// Symmetry of the *empty* skeleton (all sites alike).
    pub symmetry: SkeletonSymmetry,
    /// CrystalNN bonds, computed once from the geometry alone.
    pub graph: CrystalGraph,
    /// Where the skeleton comes from and the geometry as it was published.
    pub source: SkeletonSource,
}

/// Provenance of a skeleton and its geometry before snapping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SkeletonSource {
    /// Plain name, such as `perovskite RbCaH3`.
    pub name: String,
    /// Row of the MP-20 validation table, for the benchmark skeletons.
    pub mp20_row: Option<u32>,
    /// Materials Project identifier, such as `mp-23949`.
    pub material_id: Option<String>,
    /// Formula of the source material.
    pub formula: Option<String>,
    /// Elements of the source material by site.
    pub elements: Option<Vec<Element>>,
    /// Space-group number of the *source material*, elements and all.
    pub space_group_number: u16,
    /// Lattice after the Niggli reduction and rebuilding from its parameters, not snapped.
    pub published_lattice: Lattice,
    /// Fractional positions in that lattice, not snapped.
    pub published_frac_coords: Vec<[f64; 3]>,
}

/// All that a skeleton is made of: what travels to other machines, bit for bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkeletonGeometry {
    /// Label of the skeleton.
    pub label: String,
    /// Exact lattice.
    pub lattice: Lattice,
    /// Exact fractional positions.
    pub frac_coords: Vec<[f64; 3]>,
    /// Provenance.
    pub source: SkeletonSource,
}

impl SkeletonGeometry {
    /// The skeleton of this geometry. Positions and lattice stay as they are, to the last bit.
    ///
    /// # Errors
    /// [`CrystalError`] for a geometry that no skeleton has.
    pub fn to_skeleton(&self) -> Result<Skeleton, CrystalError> {
        let positions = [&self.frac_coords, &self.source.published_frac_coords];
        let lattices = [self.lattice, self.source.published_lattice];
        for (lattice, frac_coords) in lattices.into_iter().zip(positions) {
            // Which elements does not matter to the geometry.
            let any = Element::all()
                .take(1)
                .collect::<Vec<_>>()
                .repeat(frac_coords.len());
            Structure::new(lattice, any, frac_coords.clone())?;
        }
        let (_, _, symmetry) =
            symmetrize(&self.lattice, &self.frac_coords, SYMMETRY_TOLERANCE_ANG)?;
        Ok(Skeleton {
            label: self.label.clone(),
            lattice: self.lattice,
            frac_coords: self.frac_coords.clone(),
            symmetry,
            graph: CrystalGraph::crystal_nn(&self.lattice, &self.frac_coords)?,
            source: self.source.clone(),
        })
    }
}

impl Skeleton {
    /// What the skeleton is made of.
    pub fn geometry(&self) -> SkeletonGeometry {
        SkeletonGeometry {
            label: self.label.clone(),
            lattice: self.lattice,
            frac_coords: self.frac_coords.clone(),
            source: self.source.clone(),
        }
    }

    /// The seven skeletons of the benchmark, C1 to C7.
    ///
    /// # Errors
    /// None in practice: the geometries are built in and tested.
    pub fn builtins() -> Result<Vec<Arc<Self>>, CrystalError> {
        BENCHMARK_CRYSTALS
            .iter()
            .map(|crystal| Self::from_benchmark(crystal).map(Arc::new))
            .collect()
    }

    /// A benchmark skeleton by its label (`C2`), MP-20 row (`630`), Materials Project identifier
    /// (`mp-23949`) or plain name (`perovskite-RbCaH3`), capitals or not.
    ///
    /// # Errors
    /// [`CrystalError::UnknownSkeleton`].
    pub fn builtin(name: &str) -> Result<Arc<Self>, CrystalError> {
        BENCHMARK_CRYSTALS
            .iter()
            .find(|crystal| {
                [crystal.label, crystal.material_id, crystal.name]
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(name))
                    || crystal.mp20_row.to_string() == name
            })
            .ok_or_else(|| CrystalError::UnknownSkeleton(name.to_owned()))
            .and_then(Self::from_benchmark)
            .map(Arc::new)
    }

    /// The empty frame of any structure.
    ///
    /// The cell is Niggli-reduced and rebuilt from its parameters, as the published environment
    /// does, then snapped to the symmetry that the empty frame has within `tolerance_ang` (usually
    /// [`SYMMETRY_TOLERANCE_ANG`]). Sites keep their order.
    ///
    /// # Errors
    /// [`CrystalError::InvalidStructure`] if [`Structure::new`] would refuse it;
    /// [`CrystalError::Symmetry`] if the symmetry search fails.
    pub fn from_structure(
        label: &str,
        structure: &Structure,
        tolerance_ang: f64,
    ) -> Result<Self, CrystalError> {
        // Its parameters alone would turn a left-handed cell into its mirror image.
        let structure = &Structure::new(
            structure.lattice,
            structure.elements.clone(),
            structure.frac_coords.clone(),
        )?
        .right_handed();
        let number = space_group_number(structure, tolerance_ang)?;
        let source = SkeletonSource {
            name: label.to_owned(),
            mp20_row: None,
            material_id: None,
            formula: Some(structure.formula()),
            elements: Some(structure.elements.clone()),
            space_group_number: number,
            published_lattice: structure.lattice,
            published_frac_coords: structure.frac_coords.clone(),
        };
        Self::from_source(label, source, tolerance_ang)
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.frac_coords.len()
    }

    fn from_benchmark(crystal: &BenchmarkCrystal) -> Result<Self, CrystalError> {
        let lattice =
            Lattice::from_parameters([crystal.length_ang; 3], [crystal.angle_degrees; 3])?;
        let source = SkeletonSource {
            name: crystal.name.to_owned(),
            mp20_row: Some(crystal.mp20_row),
            material_id: Some(crystal.material_id.to_owned()),
            formula: Some(crystal.formula.to_owned()),
            elements: Some(crystal.elements()?),
            space_group_number: crystal.space_group_number,
            published_lattice: lattice,
            published_frac_coords: crystal.frac_coords.to_vec(),
        };
        Self::from_source(crystal.label, source, SYMMETRY_TOLERANCE_ANG)
    }

    /// `source` holds the geometry as listed; it leaves with the reduced one.
    fn from_source(
        label: &str,
        mut source: SkeletonSource,
        tolerance_ang: f64,
    ) -> Result<Self, CrystalError> {
        let (reduced, _) = niggli_reduce(&source.published_lattice)?;
        if reduced != source.published_lattice {
            for x in &mut source.published_frac_coords {
                let frac = reduced.to_frac(source.published_lattice.to_cart(*x));
                *x = frac.map(|x| x - x.floor());
            }
        }
        source.published_lattice = Lattice::from_parameters(reduced.lengths(), reduced.angles())?;
        let (lattice, frac_coords) = (&source.published_lattice, &source.published_frac_coords);
        let frame = Frame::of(lattice, frac_coords, tolerance_ang)?;
        Ok(Self {
            label: label.to_owned(),
            lattice: frame.lattice,
            frac_coords: frame.frac_coords.clone(),
            symmetry: frame.symmetry.clone(),
            graph: frame.graph.clone(),
            source,
        })
    }
}

/// What follows from the geometry of an empty skeleton alone.
struct Frame {
    lattice: Lattice,
    frac_coords: Vec<[f64; 3]>,
    symmetry: SkeletonSymmetry,
    graph: CrystalGraph,
}

impl Frame {
    fn of(
        lattice: &Lattice,
        frac_coords: &[[f64; 3]],
        tolerance_ang: f64,
    ) -> Result<Arc<Self>, CrystalError> {
        static KNOWN: Memo<Frame> = Memo::new();
        let find = || {
            let (lattice, frac_coords, symmetry) = symmetrize(lattice, frac_coords, tolerance_ang)?;
            let graph = CrystalGraph::crystal_nn(&lattice, &frac_coords)?;
            Ok(Self {
                lattice,
                frac_coords,
                symmetry,
                graph,
            })
        };
        let key = geometry_key(lattice, frac_coords, [tolerance_ang.to_bits()]);
        // A supercell of equal sites has a megabyte of permutations, and there may be hundreds of them.
        let is_small = |frame: &Self| {
            let permutations = frame.symmetry.site_permutations.len();
            permutations * frame.frac_coords.len() <= MOST_IMAGES
        };
        KNOWN.of(key, find, is_small)
    }
}

/// Space-group number of a filled structure, which hangs on where its elements are alike alone.
fn space_group_number(structure: &Structure, tolerance_ang: f64) -> Result<u16, CrystalError> {
    static KNOWN: Memo<u16> = Memo::new();
    let mut elements = Vec::new();
    let kinds: Vec<i32> = (structure.elements.iter())
        .map(|element| {
            let known = elements.iter().position(|known| known == element);
            known.unwrap_or_else(|| {
                elements.push(*element);
                elements.len() - 1
            }) as i32
        })
        .collect();
    let (lattice, frac_coords) = (&structure.lattice, &structure.frac_coords);
    let others = (kinds.iter()).map(|&kind| kind as u64);
    let others = others.chain([tolerance_ang.to_bits()]);
    let key = geometry_key(lattice, frac_coords, others);
    let find = || Ok(space_group(lattice, frac_coords, &kinds, tolerance_ang)?.0);
    let found = KNOWN.of(key, find, |_| kinds.len() <= MOST_SITES)?;
    Ok(*found)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::Crystal;

    fn compose(first: &[usize], second: &[usize]) -> Vec<usize> {
        first.iter().map(|&site| second[site]).collect()
    }

    /// Oracle: the skeleton itself.
    #[test]
    fn a_geometry_makes_the_same_skeleton_elsewhere() {
        for skeleton in Skeleton::builtins().unwrap() {
            let text = serde_json::to_string(&skeleton.geometry()).unwrap();
            let geometry: SkeletonGeometry = serde_json::from_str(&text).unwrap();
            assert_eq!(geometry, skeleton.geometry());
            let again = geometry.to_skeleton().unwrap();
            assert_eq!(again.symmetry, skeleton.symmetry, "{}", skeleton.label);
            assert_eq!(again.geometry(), geometry);
        }
    }

    /// Oracle: spglib through pymatgen on the seven empty frames (tests/oracle).
    #[test]
    fn empty_benchmark_skeletons_have_their_symmetry() {
        let expected = [
            ("C1", 221, 6),
            ("C2", 221, 6),
            ("C3", 223, 48),
            ("C4", 229, 8),
            ("C5", 221, 6),
            ("C6", 221, 24),
            ("C7", 215, 24),
        ];
        for (name, space_group, permutations) in expected {
            let skeleton = Skeleton::builtin(name).unwrap();
            let found = &skeleton.symmetry;
            println!(
                "{name} {} {}",
                found.space_group_number,
                found.site_permutations.len()
            );
            assert_eq!(found.space_group_number, space_group, "{name}");
            assert_eq!(found.site_permutations.len(), permutations, "{name}");
        }
    }

    #[test]
    fn site_permutations_form_a_group() {
        for skeleton in Skeleton::builtins().unwrap() {
            let group: HashSet<_> = skeleton
                .symmetry
                .site_permutations
                .iter()
                .cloned()
                .collect();
            assert!(group.contains(&(0..skeleton.sites()).collect::<Vec<_>>()));
            for p in &group {
                for q in &group {
                    assert!(group.contains(&compose(p, q)), "{}", skeleton.label);
                }
            }
        }
    }

    /// Closed form: four interchangeable sites and 18 elements make C(21, 4) multisets.
    #[test]
    fn c6_has_5985_distinct_compositions() {
        let skeleton = Skeleton::builtin("C6").unwrap();
        let elements: Vec<_> = crate::Element::all().take(18).collect();
        let mut distinct = HashSet::new();
        for index in 0..18usize.pow(4) {
            let filling = (0..4)
                .map(|site| elements[index / 18usize.pow(site) % 18])
                .collect();
            let crystal = Crystal::new(Arc::clone(&skeleton), filling).unwrap();
            distinct.insert(crystal.canonical().elements().to_vec());
        }
        assert_eq!(distinct.len(), 5985);
    }

    #[test]
    fn snapping_moves_little_and_keeps_the_volume() {
        for skeleton in Skeleton::builtins().unwrap() {
            let source = &skeleton.source;
            let ratio = skeleton.lattice.volume() / source.published_lattice.volume();
            assert!((ratio - 1.0).abs() < 1e-12);
            for (exact, published) in skeleton
                .frac_coords
                .iter()
                .zip(&source.published_frac_coords)
            {
                for (x, y) in exact.iter().zip(published) {
                    let d = x - y;
                    assert!((d - d.round()).abs() < 1e-4, "{}: {x} {y}", skeleton.label);
                }
            }
        }
    }

    /// The operations hold to rounding: snapping again at a tolerance of 1e-7 Å finds the same.
    #[test]
    fn snapped_geometry_is_exact() {
        for skeleton in Skeleton::builtins().unwrap() {
            let (_, _, symmetry) =
                symmetrize(&skeleton.lattice, &skeleton.frac_coords, 1e-7).unwrap();
            assert_eq!(symmetry, skeleton.symmetry, "{}", skeleton.label);
        }
    }

    #[test]
    fn names_of_all_kinds_find_a_skeleton() {
        for name in ["C2", "c2", "630", "mp-23949", "perovskite-RbCaH3"] {
            assert_eq!(Skeleton::builtin(name).unwrap().label, "C2");
        }
        assert!(
            Skeleton::builtin("C8")
                .unwrap_err()
                .to_string()
                .contains("'C8'")
        );
    }
}
