//! Crystals as text: cell and places first, the elements last, so that naming the elements completes
//! the text (the form of CrystalGym's case study, in words of our own).

use crystalgym_crystal::{Element, Lattice, Structure};

use crate::{CrystalTokenizer, LanguageError};

/// What a crystal is said to be, beside where its sites are.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The property in words, such as `band gap`.
    pub property: String,
    /// Its value.
    pub value: f64,
    /// Its unit as it is written, such as `eV`.
    pub unit: String,
}

/// The cell and the places of a crystal, rounded as they are written: lengths to 0.1 Å, angles to 1°,
/// fractional coordinates to 0.001, from 0.000 to 0.999.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CrystalText {
    /// Lengths in 0.1 Å.
    lengths: [u32; 3],
    /// Angles in degrees.
    angles: [u32; 3],
    /// Coordinates in thousandths.
    places: Vec<[u16; 3]>,
}

impl CrystalText {
    /// What is written of a cell and fractional coordinates, in their order.
    pub fn new(lattice: &Lattice, frac_coords: impl IntoIterator<Item = [f64; 3]>) -> Self {
        let thousandth = |x: f64| (x * 1000.0).round().rem_euclid(1000.0) as u16;
        Self {
            lengths: lattice
                .lengths()
                .map(|length| (10.0 * length).round() as u32),
            angles: lattice.angles().map(|angle| angle.round() as u32),
            places: frac_coords.into_iter().map(|x| x.map(thousandth)).collect(),
        }
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.places.len()
    }

    /// The text up to where the elements begin.
    pub fn prompt(&self, described: Option<&Described>) -> String {
        let sites = self.sites();
        let mut text = format!("A crystal has {sites} sites in its unit cell.");
        if let Some(described) = described {
            let Described {
                property,
                value,
                unit,
            } = described;
            text.push_str(&format!(" Its {property} is {value:.2} {unit}."));
        }
        text.push_str(
            " Given the lengths of the cell in angstrom, its angles in degrees and the fractional \
             coordinates of the sites, name the element on each site, in the same order:\n",
        );
        text.push_str(&self.body());
        text
    }

    /// The numbers of the text: lengths, angles, one line for each site.
    fn body(&self) -> String {
        let tenth = |n: u32| format!("{}.{}", n / 10, n % 10);
        let mut text = self.lengths.map(tenth).join(" ");
        text.push('\n');
        text.push_str(&self.angles.map(|angle| angle.to_string()).join(" "));
        text.push('\n');
        for place in &self.places {
            text.push_str(&place.map(|x| format!("0.{x:03}")).join(" "));
            text.push('\n');
        }
        text
    }

    /// Reads the numbers of a prompt back.
    ///
    /// # Errors
    /// [`LanguageError::Tokens`] with the line that is not as [`Self::prompt`] writes it.
    pub fn from_prompt(prompt: &str) -> Result<Self, LanguageError> {
        let mut lines = prompt.lines().skip(1);
        let mut next = |what| {
            let line = lines.next().ok_or_else(|| unreadable(what, ""))?;
            numbers(line).ok_or_else(|| unreadable(what, line))
        };
        let lengths = next("lengths")?;
        let angles = next("angles")?;
        let lattice = Lattice::from_parameters(lengths, angles)
            .map_err(|error| LanguageError::Tokens(error.to_string()))?;
        let places = lines
            .map(|line| numbers(line).ok_or_else(|| unreadable("coordinates", line)))
            .collect::<Result<Vec<_>, _>>()?;
        let read = Self::new(&lattice, places);
        // The lattice has rounded; what was written is meant.
        Ok(Self {
            lengths: lengths.map(|length| (10.0 * length).round() as u32),
            angles: angles.map(|angle| angle.round() as u32),
            ..read
        })
    }

    /// The crystal that the text with these elements describes.
    ///
    /// # Errors
    /// [`LanguageError::Tokens`] if it can be none.
    pub fn structure(&self, elements: Vec<Element>) -> Result<Structure, LanguageError> {
        let lengths = self.lengths.map(|length| f64::from(length) / 10.0);
        let places = self.places.iter();
        let frac_coords = places.map(|place| place.map(|x| f64::from(x) / 1000.0));
        Lattice::from_parameters(lengths, self.angles.map(f64::from))
            .and_then(|lattice| Structure::new(lattice, elements, frac_coords.collect()))
            .map_err(|error| LanguageError::Tokens(error.to_string()))
    }
}

/// The tokens of a prompt and of its completion.
///
/// # Errors
/// [`LanguageError::Tokenizer`] if the text cannot be written.
pub fn tokens(
    tokenizer: &CrystalTokenizer,
    prompt: &str,
    elements: &[Element],
) -> Result<(Vec<u32>, Vec<u32>), LanguageError> {
    let completion = elements.iter().map(|&element| tokenizer.element(element));
    Ok((tokenizer.encode(prompt)?, completion.collect()))
}

fn numbers(line: &str) -> Option<[f64; 3]> {
    let numbers: Option<Vec<f64>> = line.split(' ').map(|word| word.parse().ok()).collect();
    numbers?.try_into().ok()
}

fn unreadable(what: &str, line: &str) -> LanguageError {
    LanguageError::Tokens(format!("{what} expected, found {line:?}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rock_salt_is_written() {
        let lattice = Lattice::from_parameters([3.989, 3.989, 3.989], [60.0; 3]).unwrap();
        let text = CrystalText::new(&lattice, [[0.0; 3], [0.5, 0.4996, -0.0004]]);
        let described = Described {
            property: "density".to_owned(),
            value: 2.165,
            unit: "g/cm3".to_owned(),
        };
        let prompt = text.prompt(Some(&described));
        assert!(
            prompt
                .starts_with("A crystal has 2 sites in its unit cell. Its density is 2.17 g/cm3.")
        );
        assert!(
            prompt
                .ends_with("order:\n4.0 4.0 4.0\n60 60 60\n0.000 0.000 0.000\n0.500 0.500 0.000\n")
        );
        let elements: Vec<Element> = ["Na", "Cl"].map(|symbol| symbol.parse().unwrap()).into();
        let tokenizer = CrystalTokenizer::of_bytes().unwrap();
        let (first, last) = tokens(&tokenizer, &prompt, &elements).unwrap();
        assert_eq!(
            (first.len(), last),
            (prompt.len(), vec![256 + 10, 256 + 16])
        );
    }

    #[test]
    fn what_is_no_prompt_is_refused() {
        for text in [
            "",
            "x\n1 2\n",
            "x\n4.0 4.0 4.0\n90 90 a\n",
            "x\n4.0 4.0 4.0\n90 90 90\n0.1 0.2\n",
        ] {
            assert!(CrystalText::from_prompt(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        /// Text to crystal to text is the identity, and so is crystal to text to crystal on what was
        /// rounded.
        #[test]
        fn text_and_crystal_say_the_same(
            lengths in prop::array::uniform3(20..400_u32),
            angles in prop::array::uniform3(60..=110_u32),
            places in prop::collection::vec(prop::array::uniform3(0..1000_u16), 1..8),
        ) {
            let written = CrystalText { lengths, angles, places };
            let prompt = written.prompt(None);
            prop_assert_eq!(&CrystalText::from_prompt(&prompt).unwrap(), &written);
            let elements = vec![Element::from_atomic_number(6).unwrap(); written.sites()];
            // Sites that coincide are no crystal.
            if let Ok(structure) = written.structure(elements) {
                let again = CrystalText::new(&structure.lattice, structure.frac_coords);
                prop_assert_eq!(again, written);
            }
        }
    }
}
