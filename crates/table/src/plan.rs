//! The fillings of a table, in the order in which they are computed.

use std::{collections::BTreeMap, sync::Arc};

use crystalgym_crystal::{CanonicalFilling, Crystal, Element, Skeleton, canonical_fillings};
use crystalgym_environment::{find_skeleton, random::uniform_below};
use crystalgym_evaluation::{Calculator, Outcome, Property, ResultStore, StoreKey};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use crate::{TableError, TableRecipe};

/// All canonical fillings of a skeleton with some elements.
#[derive(Debug, Clone)]
pub struct TablePlan {
    skeleton: Arc<Skeleton>,
    elements: Vec<Element>,
    property: Property,
    fillings: Vec<CanonicalFilling>,
}

impl TablePlan {
    /// The fillings of a recipe.
    ///
    /// # Errors
    /// [`TableError::Environment`] or [`TableError::Crystal`] for a skeleton or elements that there
    /// are not, or too many of.
    pub fn of(recipe: &TableRecipe) -> Result<Self, TableError> {
        let skeleton = find_skeleton(&recipe.skeleton)?;
        let elements = recipe.action_set()?.elements().to_vec();
        Self::new(skeleton, elements, recipe.property)
    }

    /// All fillings of a skeleton with these elements.
    ///
    /// # Errors
    /// [`TableError::Crystal`] if there are too many.
    pub fn new(
        skeleton: Arc<Skeleton>,
        elements: Vec<Element>,
        property: Property,
    ) -> Result<Self, TableError> {
        let fillings = canonical_fillings(&skeleton, &elements)?;
        Ok(Self {
            skeleton,
            elements,
            property,
            fillings,
        })
    }

    /// The skeleton.
    pub fn skeleton(&self) -> &Arc<Skeleton> {
        &self.skeleton
    }

    /// The elements, in the order of the action set.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// What is computed.
    pub fn property(&self) -> Property {
        self.property
    }

    /// The fillings in the order of their atomic numbers.
    pub fn fillings(&self) -> &[CanonicalFilling] {
        &self.fillings
    }

    /// The crystal of a filling.
    ///
    /// # Errors
    /// [`TableError::Crystal`] for one of another skeleton.
    pub fn crystal(&self, filling: &CanonicalFilling) -> Result<Crystal, TableError> {
        let skeleton = Arc::clone(&self.skeleton);
        Ok(Crystal::new(skeleton, filling.elements.clone())?)
    }

    /// Places in [`Self::fillings`] in a random order: of a part of it, a part of the table is a fair
    /// sample of the whole. Fisher and Yates' shuffle with draws that depend on the seed alone.
    pub fn order(&self, seed: u64) -> Vec<usize> {
        let mut rng = Pcg64::seed_from_u64(seed);
        let mut order: Vec<usize> = (0..self.fillings.len()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, uniform_below(&mut rng, last + 1));
        }
        order
    }

    /// What a store holds of the table.
    ///
    /// # Errors
    /// [`TableError::Store`] if it cannot be read.
    pub fn survey(
        &self,
        calculator: &dyn Calculator,
        store: &ResultStore,
    ) -> Result<Survey, TableError> {
        let mut survey = Survey::default();
        for (place, filling) in self.fillings.iter().enumerate() {
            let crystal = self.crystal(filling)?;
            let key = StoreKey::new(&crystal, self.property, calculator);
            match store.get(&key)? {
                Some(outcome) => survey.count(&outcome),
                None => survey.missing.push(place),
            }
        }
        Ok(survey)
    }
}

/// What a store holds of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// Places of the fillings whose result is not there.
    pub missing: Vec<usize>,
    /// Results that are there.
    pub known: usize,
    /// Failures among them, by code.
    pub failures: BTreeMap<String, usize>,
    /// Wall time of the calculations behind them in seconds.
    pub seconds: f64,
}

impl Survey {
    fn count(&mut self, outcome: &Outcome) {
        self.known += 1;
        self.seconds += outcome.seconds();
        if let Some(failure) = outcome.failure() {
            let code = failure.code.name().to_owned();
            *self.failures.entry(code).or_default() += 1;
        }
    }

    /// Seconds that the calculations of the missing results take one after the other: as many each as
    /// those that are known took on average, or, where none is known, as many as `typical_seconds`.
    pub fn forecast_seconds(&self, typical_seconds: f64) -> f64 {
        let each = match self.known {
            0 => typical_seconds,
            known => self.seconds / known as f64,
        };
        self.missing.len() as f64 * each
    }
}
