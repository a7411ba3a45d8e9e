//! Compositions with energies, and the hull over them.

use std::collections::BTreeMap;

use crystalgym_crystal::Element;
use crystalgym_metrics::Composition;

use crate::{
    StabilityError,
    linear_program::{Point, lowest_mean},
};

/// Compositions with their lowest energies in eV/atom, all by one method.
///
/// Energies are formation energies, or those that a method gives for the whole crystal; in the first
/// case every element has the energy 0, in the second each needs a reference of its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReferenceSet {
    name: String,
    scale: EnergyScale,
    phases: Vec<Phase>,
    /// Elements of each phase, one bit each.
    elements: Vec<u128>,
    index: BTreeMap<Composition, usize>,
}

/// What the energies of a set are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EnergyScale {
    /// What a method gives for the whole crystal.
    #[default]
    Total,
    /// Formation energies: every element has 0.
    Formation,
}

/// A composition and its energy.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// The composition in lowest terms.
    pub composition: Composition,
    /// Its energy in eV/atom.
    pub energy_ev_atom: f64,
}

/// What a composition falls apart into.
#[derive(Debug, Clone, PartialEq)]
pub struct Decomposition {
    /// Energy of the hull in eV/atom.
    pub energy_ev_atom: f64,
    /// The phases and the share of the atoms that each takes; where several mixtures have the same
    /// energy, one of them.
    pub phases: Vec<(Phase, f64)>,
}

impl ReferenceSet {
    /// An empty set with the name by which reports call it, of total energies until
    /// [`Self::add_elements_at_zero`].
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// What its energies are.
    pub fn scale(&self) -> EnergyScale {
        self.scale
    }

    /// Those of some elements that have no reference of their own.
    pub fn missing_elements(&self, elements: &[Element]) -> Vec<Element> {
        let mut missing: Vec<Element> = elements.to_vec();
        missing.sort_unstable();
        missing.dedup();
        missing.retain(|element| !self.elements.contains(&bit(*element)));
        missing
    }

    /// The name by which reports call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The phases, each composition once with its lowest energy.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// Adds a phase, unless the set has the composition with a lower energy.
    ///
    /// # Errors
    /// [`StabilityError::NoElements`] and [`StabilityError::Energy`].
    pub fn add(
        &mut self,
        composition: Composition,
        energy_ev_atom: f64,
    ) -> Result<(), StabilityError> {
        let formula = || composition.to_string();
        if composition.counts().len() == 0 {
            return Err(StabilityError::NoElements { formula: formula() });
        }
        if !energy_ev_atom.is_finite() {
            return Err(StabilityError::Energy {
                formula: formula(),
                energy_ev_atom,
            });
        }
        match self.index.get(&composition) {
            Some(&old) => {
                let old = &mut self.phases[old].energy_ev_atom;
                *old = old.min(energy_ev_atom);
            }
            None => {
                self.index.insert(composition.clone(), self.phases.len());
                self.elements.push(bits(&composition));
                self.phases.push(Phase {
                    composition,
                    energy_ev_atom,
                });
            }
        }
        Ok(())
    }

    /// Adds every element that occurs with the energy 0, which makes formation energies complete;
    /// the set is then of that scale.
    ///
    /// # Errors
    /// None that [`Self::add`] can give here.
    pub fn add_elements_at_zero(&mut self) -> Result<(), StabilityError> {
        let all = self.elements.iter().fold(0, |all, bits| all | bits);
        for element in Element::all().filter(|element| all & bit(*element) != 0) {
            self.add(Composition::of(&[element]), 0.0)?;
        }
        self.scale = EnergyScale::Formation;
        Ok(())
    }

    /// The hull at a composition: the lowest energy of a mixture of phases that have no other
    /// elements.
    ///
    /// # Errors
    /// [`StabilityError::MissingElements`] names the elements without a reference.
    pub fn hull_at(&self, composition: &Composition) -> Result<Decomposition, StabilityError> {
        let formula = || composition.to_string();
        let elements: Vec<Element> = composition.counts().map(|(element, _)| element).collect();
        if elements.is_empty() {
            return Err(StabilityError::NoElements { formula: formula() });
        }
        let inside = bits(composition);
        let chosen: Vec<usize> = (0..self.phases.len())
            .filter(|j| self.elements[*j] & !inside == 0)
            .collect();
        let mut start = Vec::new();
        let mut missing = Vec::new();
        for element in &elements {
            match chosen
                .iter()
                .position(|j| self.elements[*j] == bit(*element))
            {
                Some(place) => start.push(place),
                None => missing.push(element.symbol()),
            }
        }
        if !missing.is_empty() {
            return Err(StabilityError::MissingElements {
                elements: missing.join(", "),
                formula: formula(),
            });
        }
        let fractions: Vec<Vec<f64>> = chosen
            .iter()
            .map(|j| fractions(&self.phases[*j].composition, &elements))
            .collect();
        // Relative to the elements, so that rounding is that of formation energies.
        let reference: Vec<f64> = start
            .iter()
            .map(|place| self.phases[chosen[*place]].energy_ev_atom)
            .collect();
        let of_elements = |x: &[f64]| -> f64 { x.iter().zip(&reference).map(|(x, e)| x * e).sum() };
        let points: Vec<Point<'_>> = chosen
            .iter()
            .zip(&fractions)
            .map(|(j, fractions)| Point {
                fractions,
                energy_ev: self.phases[*j].energy_ev_atom - of_elements(fractions),
            })
            .collect();
        let x = self::fractions(composition, &elements);
        let optimum = lowest_mean(&x, &points, &start)
            .ok_or_else(|| StabilityError::IllConditioned { formula: formula() })?;
        Ok(Decomposition {
            energy_ev_atom: optimum.energy_ev + of_elements(&x),
            phases: optimum
                .parts
                .into_iter()
                .map(|(place, share)| (self.phases[chosen[place]].clone(), share))
                .collect(),
        })
    }

    /// Energy above the hull in eV/atom; negative for what the hull does not know and lies below it.
    ///
    /// # Errors
    /// As [`Self::hull_at`].
    pub fn energy_above_hull(
        &self,
        composition: &Composition,
        energy_ev_atom: f64,
    ) -> Result<f64, StabilityError> {
        if !energy_ev_atom.is_finite() {
            return Err(StabilityError::Energy {
                formula: composition.to_string(),
                energy_ev_atom,
            });
        }
        Ok(energy_ev_atom - self.hull_at(composition)?.energy_ev_atom)
    }

    /// Formation energy in eV/atom over the elements of the set.
    ///
    /// # Errors
    /// [`StabilityError::MissingElements`]
    pub fn formation_energy(
        &self,
        composition: &Composition,
        energy_ev_atom: f64,
    ) -> Result<f64, StabilityError> {
        let mut elements_only = Self::new(self.name.clone());
        for (element, _) in composition.counts() {
            let alone = Composition::of(&[element]);
            if let Some(&place) = self.index.get(&alone) {
                elements_only.add(alone, self.phases[place].energy_ev_atom)?;
            }
        }
        elements_only.energy_above_hull(composition, energy_ev_atom)
    }
}

/// Shares of the elements, which sum to one.
fn fractions(composition: &Composition, elements: &[Element]) -> Vec<f64> {
    let counts: BTreeMap<Element, u32> = composition.counts().collect();
    let total: f64 = counts.values().map(|count| f64::from(*count)).sum();
    elements
        .iter()
        .map(|element| f64::from(counts.get(element).copied().unwrap_or(0)) / total)
        .collect()
}

fn bits(composition: &Composition) -> u128 {
    composition
        .counts()
        .map(|(element, _)| bit(element))
        .fold(0, |all, bit| all | bit)
}

fn bit(element: Element) -> u128 {
    1 << element.atomic_number()
}
