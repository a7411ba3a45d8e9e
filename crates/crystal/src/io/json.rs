//! JSON: this crate's own form, pymatgen's dictionary of a `Structure`, or a list of either.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        IgnoredAny, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

use super::{
    fields::{element_of, parse_error},
    frames::pick,
};
use crate::{CrystalError, Element, Lattice, Structure};

const FORMAT: &str = "JSON";

/// By how much in Å or degrees two statements of one number may differ.
const AGREEMENT: f64 = 0.01;

/// A value that may be written as an object or as a list.
enum ObjectOrList<O, L> {
    Object(O),
    List(L),
}

impl<'de, O: Deserialize<'de>, L: Deserialize<'de>> Deserialize<'de> for ObjectOrList<O, L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<O, L>(PhantomData<(O, L)>);
        impl<'de, O: Deserialize<'de>, L: Deserialize<'de>> Visitor<'de> for Either<O, L> {
            type Value = ObjectOrList<O, L>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or a list")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                O::deserialize(MapAccessDeserializer::new(map)).map(ObjectOrList::Object)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                L::deserialize(SeqAccessDeserializer::new(list)).map(ObjectOrList::List)
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// All that tells the known forms apart, and what they hold.
#[derive(Deserialize)]
#[serde(expecting = "{lattice, elements, frac_coords} or pymatgen's {lattice, sites}")]
struct AnyStructure {
    lattice: Option<ObjectOrList<PymatgenLattice, [[f64; 3]; 3]>>,
    elements: Option<Vec<String>>,
    frac_coords: Option<Vec<[f64; 3]>>,
    sites: Option<Vec<PymatgenSite>>,
    pbc: Option<Boundaries>,
    // Of ASE's dictionaries and data bases.
    cell: Option<IgnoredAny>,
    ids: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct PymatgenLattice {
    matrix: Option<[[f64; 3]; 3]>,
    a: Option<f64>,
    b: Option<f64>,
    c: Option<f64>,
    alpha: Option<f64>,
    beta: Option<f64>,
    gamma: Option<f64>,
    pbc: Option<Boundaries>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Boundaries {
    All(Flag),
    Each(Vec<Flag>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Bool(bool),
    Number(u8),
}

#[derive(Deserialize)]
struct PymatgenSite {
    species: Vec<PymatgenSpecies>,
    abc: [f64; 3],
    xyz: Option<[f64; 3]>,
}

#[derive(Deserialize)]
struct PymatgenSpecies {
    element: String,
    occu: f64,
}

pub(super) fn read(text: &str, index: Option<usize>) -> Result<Structure, CrystalError> {
    let any: ObjectOrList<AnyStructure, Vec<AnyStructure>> = serde_json::from_str(text)
        .map_err(|error| parse_error(FORMAT, error.line().max(1), error.to_string()))?;
    let mut all = match any {
        ObjectOrList::Object(one) => vec![one],
        ObjectOrList::List(all) => all,
    };
    if all.is_empty() {
        return Err(error("the list is empty, expected at least one structure"));
    }
    let chosen = all.swap_remove(pick(all.len(), index)?);
    chosen.into_structure()
}

/// An error of the whole text, whose lines nobody counts.
fn error(message: impl Into<String>) -> CrystalError {
    parse_error(FORMAT, 1, message)
}

impl AnyStructure {
    fn into_structure(self) -> Result<Structure, CrystalError> {
        if let Some(boundaries) = &self.pbc {
            boundaries.require_periodic()?;
        }
        match (self.lattice, self.elements, self.frac_coords, self.sites) {
            (Some(lattice), Some(symbols), Some(frac_coords), None) => Ok(Structure {
                lattice: match lattice {
                    ObjectOrList::List(vectors) => Lattice::new(vectors)?,
                    ObjectOrList::Object(lattice) => lattice.into_lattice()?,
                },
                elements: symbols
                    .iter()
                    .map(|symbol| element_of(FORMAT, 1, symbol))
                    .collect::<Result<_, _>>()?,
                frac_coords,
            }),
            (Some(ObjectOrList::Object(lattice)), None, None, Some(sites)) => {
                let lattice = lattice.into_lattice()?;
                Ok(Structure {
                    lattice,
                    elements: sites
                        .iter()
                        .enumerate()
                        .map(|(site, read)| read.element(site, &lattice))
                        .collect::<Result<_, _>>()?,
                    frac_coords: sites.iter().map(|site| site.abc).collect(),
                })
            }
            (None, _, _, Some(_)) => Err(error(
                "sites without a lattice: a molecule is no crystal, expected pymatgen's Structure",
            )),
            _ if self.cell.is_some() || self.ids.is_some() => Err(error(
                "this looks like ASE's JSON, which is not read: expected {lattice, elements, \
                 frac_coords} or pymatgen's {lattice, sites}; ASE writes extxyz",
            )),
            _ => Err(error(
                "expected {lattice, elements, frac_coords} or pymatgen's {lattice, sites}",
            )),
        }
    }
}

impl Boundaries {
    fn require_periodic(&self) -> Result<(), CrystalError> {
        let is_closed = |flag: &Flag| matches!(flag, Flag::Bool(true) | Flag::Number(1));
        let closed = match self {
            Self::All(flag) => is_closed(flag),
            Self::Each(flags) => flags.len() == 3 && flags.iter().all(is_closed),
        };
        if closed {
            return Ok(());
        }
        Err(error(
            "pbc leaves a boundary open: only crystals, periodic along all three vectors, are read",
        ))
    }
}

impl PymatgenLattice {
    /// The vectors, or what the lengths and angles say; both must agree where both are given.
    fn into_lattice(self) -> Result<Lattice, CrystalError> {
        if let Some(boundaries) = &self.pbc {
            boundaries.require_periodic()?;
        }
        let given = [self.a, self.b, self.c, self.alpha, self.beta, self.gamma];
        let Some(vectors) = self.matrix else {
            let [
                Some(a),
                Some(b),
                Some(c),
                Some(alpha),
                Some(beta),
                Some(gamma),
            ] = given
            else {
                return Err(error(
                    "the lattice has no matrix, expected one or a, b, c, alpha, beta and gamma",
                ));
            };
            return Lattice::from_parameters([a, b, c], [alpha, beta, gamma]);
        };
        let lattice = Lattice::new(vectors)?;
        let [a, b, c] = lattice.lengths();
        let [alpha, beta, gamma] = lattice.angles();
        let names = ["a", "b", "c", "alpha", "beta", "gamma"];
        for ((name, given), found) in names.iter().zip(given).zip([a, b, c, alpha, beta, gamma]) {
            if let Some(given) = given
                && (given - found).abs() > AGREEMENT
            {
                return Err(error(format!(
                    "the lattice has {name} = {given}, but its matrix says {found}"
                )));
            }
        }
        Ok(lattice)
    }
}

impl PymatgenSite {
    fn element(&self, site: usize, lattice: &Lattice) -> Result<Element, CrystalError> {
        let [species] = self.species.as_slice() else {
            return Err(error(format!(
                "site {site} has {} species, expected one element that fills it",
                self.species.len()
            )));
        };
        if species.occu != 1.0 {
            return Err(error(format!(
                "site {site} is occupied by {}, expected 1: disordered sites cannot be read",
                species.occu
            )));
        }
        if let Some(xyz) = self.xyz {
            let cart = lattice.to_cart(self.abc);
            if (0..3).any(|axis| (cart[axis] - xyz[axis]).abs() > AGREEMENT) {
                return Err(error(format!(
                    "site {site} is at abc = {:?}, which is {cart:?} Å, but has xyz = {xyz:?}",
                    self.abc
                )));
            }
        }
        element_of(FORMAT, 1, &species.element)
    }
}

pub(super) fn write(structure: &Structure) -> String {
    // Plain numbers, strings and lists always serialise.
    serde_json::to_string_pretty(structure).unwrap_or_default() + "\n"
}
