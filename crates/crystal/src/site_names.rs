//! Sites of a skeleton by name: by number, by the element of its source material, by Wyckoff orbit, or
//! by the letter that the element has in the formula of a prototype.

use crate::{
    CrystalError, Element, SYMMETRY_TOLERANCE_ANG, Skeleton, formula::place_in_formula,
    symmetry::wyckoff_positions,
};

impl Skeleton {
    /// The sites that a name stands for, in ascending order:
    ///
    /// - `3` the site of this number, counted from 0;
    /// - `Cs` all sites that the source material has this element on;
    /// - `4a`, or `a` alone: all sites of the source material on a Wyckoff position, with the
    ///   multiplicity in the conventional cell;
    /// - `A`, `B`, `B2`, `B3`, …, `X`: all sites of one element of the source material as in the
    ///   formulas of prototypes: the elements in the order of the formula, of which the last is X, so
    ///   that Cs₂AgBiBr₆ is A₂BB2X₆. An element of the material with that symbol comes first.
    ///
    /// # Errors
    /// [`CrystalError::UnknownSite`] with the names that there are; [`CrystalError::Symmetry`] if the
    /// symmetry of the material cannot be found.
    pub fn sites_named(&self, name: &str) -> Result<Vec<usize>, CrystalError> {
        let sites = self.sites();
        if let Ok(site) = name.parse::<usize>() {
            return match site < sites {
                true => Ok(vec![site]),
                false => Err(self.unknown_site(name, &[])),
            };
        }
        let Some(elements) = self.source.elements.as_deref() else {
            return Err(self.unknown_site(name, &[]));
        };
        let of_element = |wanted: Element| -> Vec<usize> {
            (0..sites)
                .filter(|&site| elements[site] == wanted)
                .collect()
        };
        let roles = roles(elements);
        if let Ok(element) = name.parse::<Element>()
            && elements.contains(&element)
        {
            return Ok(of_element(element));
        }
        if let Some((element, _)) = roles.iter().find(|(_, role)| role == name) {
            return Ok(of_element(*element));
        }
        let orbits = self.wyckoff_orbits()?;
        let found: Vec<usize> = (0..sites)
            .filter(|&site| {
                let orbit = &orbits[site];
                let letter = orbit.trim_start_matches(|c: char| c.is_ascii_digit());
                orbit == name || letter == name
            })
            .collect();
        match found.is_empty() {
            true => Err(self.unknown_site(name, &orbits)),
            false => Ok(found),
        }
    }

    /// The Wyckoff position of every site of the source material, such as `4a`: multiplicity in the
    /// conventional cell, and letter.
    ///
    /// # Errors
    /// [`CrystalError::Symmetry`] if the search fails, or the elements of the material are not known.
    pub fn wyckoff_orbits(&self) -> Result<Vec<String>, CrystalError> {
        let source = &self.source;
        let Some(elements) = &source.elements else {
            return Err(CrystalError::Symmetry(format!(
                "the elements of skeleton {} are not known",
                self.label
            )));
        };
        let kinds: Vec<i32> = elements.iter().map(|e| e.atomic_number().into()).collect();
        wyckoff_positions(
            &source.published_lattice,
            &source.published_frac_coords,
            &kinds,
            SYMMETRY_TOLERANCE_ANG,
        )
    }

    fn unknown_site(&self, name: &str, orbits: &[String]) -> CrystalError {
        let mut known = match self.sites() {
            1 => vec!["0".to_owned()],
            sites => vec![format!("0 to {}", sites - 1)],
        };
        if let Some(elements) = &self.source.elements {
            let roles = roles(elements);
            known.extend(
                roles
                    .iter()
                    .map(|(element, role)| format!("{element} ({role})")),
            );
        }
        let mut orbits = orbits.to_vec();
        orbits.sort();
        orbits.dedup();
        known.extend(orbits);
        CrystalError::UnknownSite {
            skeleton: self.label.clone(),
            name: name.to_owned(),
            known: known.join(", "),
        }
    }
}

/// The elements in the order of the formula with their letters: `A`, `B`, `B2`, …, `X`.
fn roles(elements: &[Element]) -> Vec<(Element, String)> {
    let mut distinct = elements.to_vec();
    distinct.sort_by_key(|element| place_in_formula(*element));
    distinct.dedup();
    let last = distinct.len() - 1;
    let role = |index: usize| match index {
        _ if index == last && last > 0 => "X".to_owned(),
        0 => "A".to_owned(),
        1 => "B".to_owned(),
        _ => format!("B{index}"),
    };
    let numbered = distinct.into_iter().enumerate();
    numbered
        .map(|(index, element)| (element, role(index)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lattice, Structure};

    fn skeleton(lattice: Lattice, sites: &[(&str, [f64; 3])]) -> Skeleton {
        let elements = sites.iter().map(|(symbol, _)| symbol.parse().unwrap());
        let structure = Structure::new(
            lattice,
            elements.collect(),
            sites.iter().map(|(_, x)| *x).collect(),
        );
        Skeleton::from_structure("mine", &structure.unwrap(), SYMMETRY_TOLERANCE_ANG).unwrap()
    }

    fn double_perovskite() -> Skeleton {
        let half = 11.25 / 2.0;
        let lattice = Lattice::new([[0.0, half, half], [half, 0.0, half], [half, half, 0.0]]);
        let x = 0.251;
        skeleton(
            lattice.unwrap(),
            &[
                ("Cs", [0.25; 3]),
                ("Cs", [0.75; 3]),
                ("Ag", [0.5; 3]),
                ("Bi", [0.0; 3]),
                ("Br", [1.0 - x, x, x]),
                ("Br", [x, 1.0 - x, 1.0 - x]),
                ("Br", [1.0 - x, x, 1.0 - x]),
                ("Br", [x, 1.0 - x, x]),
                ("Br", [1.0 - x, 1.0 - x, x]),
                ("Br", [x, x, 1.0 - x]),
            ],
        )
    }

    /// Oracle: International Tables, Fm-3m (225): elpasolite has 8c, 4b, 4a and 24e.
    #[test]
    fn sites_of_a_double_perovskite_have_names() {
        let skeleton = double_perovskite();
        let named = |name: &str| skeleton.sites_named(name).unwrap();
        let bromine = vec![4, 5, 6, 7, 8, 9];
        for name in ["Cs", "A", "8c", "c"] {
            assert_eq!(named(name), [0, 1], "{name}");
        }
        for name in ["Br", "X", "24e", "e"] {
            assert_eq!(named(name), bromine, "{name}");
        }
        assert_eq!((named("Ag"), named("B")), (vec![2], vec![2]));
        assert_eq!((named("Bi"), named("B2")), (vec![3], vec![3]));
        assert_eq!(named("9"), [9]);
        let orbits = skeleton.wyckoff_orbits().unwrap();
        let mut of_b = [orbits[2].as_str(), orbits[3].as_str()];
        of_b.sort_unstable();
        assert_eq!(of_b, ["4a", "4b"]);
    }

    #[test]
    fn an_unknown_name_brings_those_that_there_are() {
        let skeleton = double_perovskite();
        for name in ["10", "K", "B3", "z"] {
            let error = skeleton.sites_named(name).unwrap_err().to_string();
            assert!(error.contains(&format!("'{name}'")), "{error}");
            assert!(
                error.contains("0 to 9, Cs (A), Ag (B), Bi (B2), Br (X)"),
                "{error}"
            );
        }
    }

    /// A symbol of the material is its element before it is a letter.
    #[test]
    fn boron_is_an_element_first() {
        let lattice = Lattice::from_parameters([3.6; 3], [60.0; 3]).unwrap();
        let nitride = skeleton(lattice, &[("N", [0.25; 3]), ("B", [0.0; 3])]);
        assert_eq!(nitride.sites_named("B").unwrap(), [1]);
        assert_eq!(nitride.sites_named("A").unwrap(), [1]);
        assert_eq!(nitride.sites_named("X").unwrap(), [0]);
    }
}
