//! The fingerprints of a table's calculator, taken apart: one text for all rows, and the checksum of
//! each element's pseudopotential once.

use std::collections::{BTreeMap, BTreeSet};

use crystalgym_crystal::Element;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Fingerprint;

/// Members of a fingerprint that say the pseudopotentials by element.
const MEMBERS: [&str; 2] = ["pseudopotentials", "pseudopotentials_md5"];
/// What stands in a template where they were.
const PLACE: &str = "{pseudopotentials}";

/// Fingerprints of many element sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fingerprints {
    /// Distinct fingerprints without their pseudopotentials.
    pub(crate) templates: Vec<String>,
    /// Which of them is that of all elements together.
    pub(crate) of_all: usize,
    /// Which of them is that of no element, by which a calculator's settings are known.
    pub(crate) of_none: usize,
    /// Identity of each element's pseudopotential.
    pub(crate) pseudopotentials: BTreeMap<String, String>,
}

impl Fingerprints {
    /// Takes the fingerprint of all elements apart.
    pub(crate) fn of_all(fingerprint: &Fingerprint) -> Self {
        let (template, pseudopotentials) = apart(&fingerprint.0);
        Self {
            templates: vec![template],
            of_all: 0,
            of_none: 0,
            pseudopotentials,
        }
    }

    /// Takes in a fingerprint and says which template it has; `None` if it cannot be put together
    /// again from that.
    pub(crate) fn add(&mut self, fingerprint: &Fingerprint, elements: &[Element]) -> Option<usize> {
        let (template, _) = apart(&fingerprint.0);
        let known = self.templates.iter().position(|known| *known == template);
        let index = known.unwrap_or_else(|| {
            self.templates.push(template);
            self.templates.len() - 1
        });
        (self.together(index, elements).as_ref() == Some(fingerprint)).then_some(index)
    }

    /// The fingerprint of some elements with a template.
    pub(crate) fn together(&self, template: usize, elements: &[Element]) -> Option<Fingerprint> {
        let template = self.templates.get(template)?;
        if !template.contains(PLACE) {
            return Some(Fingerprint(template.clone()));
        }
        let symbols: BTreeSet<&str> = elements.iter().map(|element| element.symbol()).collect();
        let chosen: BTreeMap<&str, &String> = symbols
            .into_iter()
            .map(|symbol| Some((symbol, self.pseudopotentials.get(symbol)?)))
            .collect::<Option<_>>()?;
        let text = serde_json::to_string(&chosen).ok()?;
        Some(Fingerprint(template.replacen(PLACE, &text, 1)))
    }
}

/// A fingerprint without its pseudopotentials, and these.
fn apart(fingerprint: &str) -> (String, BTreeMap<String, String>) {
    let whole = || (fingerprint.to_owned(), BTreeMap::new());
    let Ok(value) = serde_json::from_str::<Value>(fingerprint) else {
        return whole();
    };
    for member in MEMBERS {
        let Some(found) = value.get(member) else {
            continue;
        };
        let Ok(of) = serde_json::from_value::<BTreeMap<String, String>>(found.clone()) else {
            continue;
        };
        let Ok(text) = serde_json::to_string(&of) else {
            continue;
        };
        let written = format!("\"{member}\":{text}");
        if fingerprint.contains(&written) {
            let template = fingerprint.replacen(&written, &format!("\"{member}\":{PLACE}"), 1);
            return (template, of);
        }
    }
    whole()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Calculator, EmpiricalCalculator, NativeCalculator, NativeSettings, Property};
    use crate::{GthCutoff, SpeciesSource};

    fn elements(symbols: &str) -> Vec<Element> {
        symbols.split(' ').map(|s| s.parse().unwrap()).collect()
    }

    /// Oracle: the calculator's own fingerprints, of every kind of element set.
    #[test]
    fn what_is_taken_apart_comes_together_again() {
        let fixed = NativeSettings {
            gth_cutoff_ry: Some(GthCutoff::Ry(20.0)),
            ..NativeSettings::default()
        };
        for settings in [fixed, NativeSettings::default()] {
            let native = NativeCalculator::new(settings, SpeciesSource::Gth).unwrap();
            let of = |symbols: &str| native.fingerprint(&elements(symbols), Property::BandGap);
            let mut known = Fingerprints::of_all(&of("Li Na K F Cl H"));
            for symbols in ["Li F", "F Li Li Na", "K K K K", "H Cl Na Li"] {
                let index = known.add(&of(symbols), &elements(symbols)).unwrap();
                assert_eq!(known.together(index, &elements(symbols)), Some(of(symbols)));
            }
            assert_eq!(known.together(0, &elements("Li Ne")), None);
        }
        let plain = EmpiricalCalculator.fingerprint(&[], Property::BandGap);
        let known = Fingerprints::of_all(&plain);
        assert_eq!(known.together(0, &elements("Li Ne")), Some(plain));
    }
}
