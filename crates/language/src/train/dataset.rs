//! Crystals of files as examples to learn from, moved about anew each time they are seen.

use crystalgym_crystal::Element;
use serde::{Deserialize, Serialize};

use super::gradient::Example;
use crate::{CrystalRow, CrystalText, CrystalTokenizer, Described, LanguageError, random, tokens};

/// Which property a prompt tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// None, as published.
    #[default]
    None,
    /// The density in g/cm³.
    Density,
    /// The band gap in eV, where it is known.
    BandGap,
}

/// How crystals are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Writing {
    /// Which property a prompt tells.
    pub condition: Condition,
    /// Whether the cell is moved by a random vector, as published.
    pub translate: bool,
    /// Whether the sites come in random order, as an agent fills them, or in that of the file.
    pub shuffle_sites: bool,
}

impl Default for Writing {
    fn default() -> Self {
        Self {
            condition: Condition::Density,
            translate: true,
            shuffle_sites: true,
        }
    }
}

impl Writing {
    /// As the published fine-tuning did it.
    pub fn published() -> Self {
        Self {
            condition: Condition::None,
            translate: true,
            shuffle_sites: false,
        }
    }

    /// What the prompt of a crystal tells.
    fn described(self, row: &CrystalRow) -> Option<Described> {
        match self.condition {
            Condition::None => None,
            Condition::Density => Some(described("density", row.structure.density_g_cm3())),
            Condition::BandGap => Some(described("band gap", row.band_gap_ev?)),
        }
    }

    /// The prompt of a crystal and its elements; the draw says how it is moved and ordered.
    pub fn write(self, row: &CrystalRow, seed: u64, draw: u64) -> (String, Vec<Element>) {
        let structure = &row.structure;
        let sites = structure.elements.len();
        let key = random::key(seed, draw);
        let by = match self.translate {
            true => [0, 1, 2].map(|axis| random::unit(key, axis)),
            false => [0.0; 3],
        };
        let order = match self.shuffle_sites {
            true => random::shuffled(sites, key, 1),
            false => (0..sites).collect(),
        };
        let moved = order.iter().map(|&site| {
            let x = structure.frac_coords[site];
            [x[0] + by[0], x[1] + by[1], x[2] + by[2]]
        });
        let text = CrystalText::new(&structure.lattice, moved);
        let elements = order.iter().map(|&site| structure.elements[site]);
        (
            text.prompt(self.described(row).as_ref()),
            elements.collect(),
        )
    }

    /// The same as tokens.
    ///
    /// # Errors
    /// [`LanguageError::Tokenizer`] if the text cannot be written.
    pub fn example(
        self,
        tokenizer: &CrystalTokenizer,
        row: &CrystalRow,
        seed: u64,
        draw: u64,
    ) -> Result<Example, LanguageError> {
        let (prompt, elements) = self.write(row, seed, draw);
        let (prompt, completion) = tokens(tokenizer, &prompt, &elements)?;
        Ok(Example { prompt, completion })
    }
}

/// A property as prompts say it.
pub fn described(property: &str, value: f64) -> Described {
    let unit = match property {
        "density" => "g/cm3",
        "band gap" => "eV",
        _ => "GPa",
    };
    Described {
        property: property.to_owned(),
        value,
        unit: unit.to_owned(),
    }
}

/// Shares of elements told right by two models that do not look at the crystal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baselines {
    /// Always the most frequent element.
    pub most_frequent: f64,
    /// The element that most often follows the one before.
    pub follower: f64,
}

impl Baselines {
    /// Counts on some crystals and judges on others, written alike.
    pub fn new(writing: Writing, train: &[CrystalRow], judged: &[CrystalRow], seed: u64) -> Self {
        let none = 0;
        // By the element before, 0 at the beginning, and by element.
        let mut counts = vec![[0_u32; 119]; 119];
        let each = |rows: &[CrystalRow], call: &mut dyn FnMut(usize, usize)| {
            for (draw, row) in rows.iter().enumerate() {
                let (_, elements) = writing.write(row, seed, draw as u64);
                let mut before = none;
                for element in elements {
                    let element = usize::from(element.atomic_number());
                    call(before, element);
                    before = element;
                }
            }
        };
        each(train, &mut |before, element| counts[before][element] += 1);
        let best =
            |counts: &[u32; 119]| (0..119).max_by_key(|&element| (counts[element], 119 - element));
        let mut all = [0; 119];
        for row in &counts {
            all.iter_mut()
                .zip(row)
                .for_each(|(sum, count)| *sum += count);
        }
        let frequent = best(&all);
        let (mut sites, mut right) = (0_u32, [0_u32; 2]);
        each(judged, &mut |before, element| {
            sites += 1;
            right[0] += u32::from(frequent == Some(element));
            let seen = counts[before].iter().any(|count| *count > 0);
            let follower = if seen {
                best(&counts[before])
            } else {
                frequent
            };
            right[1] += u32::from(follower == Some(element));
        });
        let [most_frequent, follower] =
            right.map(|right| f64::from(right) / f64::from(sites.max(1)));
        Self {
            most_frequent,
            follower,
        }
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_crystal::{Lattice, Structure};

    use super::*;

    fn row(symbols: &[&str]) -> CrystalRow {
        let lattice = Lattice::from_parameters([4.0, 5.0, 6.0], [90.0; 3]).unwrap();
        let elements = symbols
            .iter()
            .map(|symbol| symbol.parse().unwrap())
            .collect();
        let places = (0..symbols.len()).map(|i| [i as f64 / symbols.len() as f64, 0.25, 0.0]);
        CrystalRow {
            name: "x".to_owned(),
            structure: Structure::new(lattice, elements, places.collect()).unwrap(),
            band_gap_ev: Some(1.25),
        }
    }

    #[test]
    fn writing_moves_all_sites_alike_and_keeps_elements_at_their_places() {
        let row = row(&["Na", "Cl", "Mg"]);
        let plain = Writing {
            translate: false,
            shuffle_sites: false,
            condition: Condition::BandGap,
        };
        let (prompt, elements) = plain.write(&row, 1, 1);
        assert!(prompt.contains("Its band gap is 1.25 eV."));
        assert!(prompt.ends_with("0.000 0.250 0.000\n0.333 0.250 0.000\n0.667 0.250 0.000\n"));
        assert_eq!(elements, row.structure.elements);
        assert_eq!(plain.write(&row, 2, 5), (prompt, elements));

        let both = Writing::default();
        assert_ne!(both.write(&row, 1, 1), both.write(&row, 1, 2));
        let (prompt, elements) = both.write(&row, 1, 1);
        let lines: Vec<&str> = prompt.lines().skip(3).collect();
        let x = |symbol: &str| {
            let at = elements
                .iter()
                .position(|element| element.symbol() == symbol)
                .unwrap();
            lines[at].split(' ').next().unwrap().parse::<f64>().unwrap()
        };
        let apart = (x("Cl") - x("Na")).rem_euclid(1.0);
        assert!((apart - 1.0 / 3.0).abs() < 2e-3, "{apart}");
    }

    #[test]
    fn baselines_by_hand() {
        let writing = Writing::published();
        let train = [row(&["Na", "Cl"]), row(&["Na", "Cl"]), row(&["Na", "F"])];
        let judged = [row(&["Na", "Cl"]), row(&["Mg", "Na"])];
        let found = Baselines::new(writing, &train, &judged, 1);
        // Na is the most frequent (2 of 4); Na begins, Cl follows Na (2 of 4), Mg has no follower: Na.
        assert_eq!(found.most_frequent, 0.5);
        assert_eq!(found.follower, 0.75);
    }
}
