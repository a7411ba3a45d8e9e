//! A calculation as it lies in the queue: what a worker needs to make the same calculator and the same
//! crystal, and nothing that it would run or open.

use std::sync::Arc;

use crystalgym_crystal::{Crystal, Element, Skeleton, SkeletonGeometry};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Calculator, CalculatorConfig, CalculatorName, Fingerprint, Property};

/// The longest text that is read.
const MOST_BYTES: usize = 4 << 20;
/// The most sites of a cell.
const MOST_SITES: usize = 10_000;
/// The form of the text; raised when it changes.
const FORM: u32 = 1;

/// A calculation in the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueuedCalculation {
    form: u32,
    /// Which calculator, without what concerns a machine.
    pub calculator: CalculatorConfig,
    /// Settings and hashes of pseudopotentials, which the worker's own have to give too.
    pub fingerprint: Fingerprint,
    /// What is asked for.
    pub property: Property,
    /// The frame of the crystal.
    pub skeleton: SkeletonGeometry,
    /// Element of each site.
    pub elements: Vec<Element>,
}

/// Why a text is no calculation that a worker would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a calculation in the queue: {0}")]
pub struct BadCalculation(String);

impl QueuedCalculation {
    /// The calculation of a crystal; `None` by a calculator that cannot travel.
    pub fn of(crystal: &Crystal, property: Property, calculator: &dyn Calculator) -> Option<Self> {
        let settings = calculator.travelling_settings()?;
        let calculator_config = serde_json::from_value(settings).ok()?;
        Some(Self {
            form: FORM,
            calculator: calculator_config,
            fingerprint: calculator.fingerprint(crystal.elements(), property),
            property,
            skeleton: crystal.skeleton().geometry(),
            elements: crystal.elements().to_vec(),
        })
    }

    /// Hash of the calculator's settings.
    pub fn profile(&self) -> String {
        let settings = serde_json::to_string(&self.calculator).unwrap_or_default();
        let digest = Sha256::digest(settings);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The text in the queue.
    pub fn to_text(&self) -> String {
        // Numbers are finite, names are texts.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a text that anybody may have written.
    ///
    /// # Errors
    /// [`BadCalculation`] for what is none, is larger than any, or names something that a worker would
    /// run or open.
    pub fn from_text(text: &str) -> Result<Self, BadCalculation> {
        let refuse = |why: String| Err(BadCalculation(why));
        if text.len() > MOST_BYTES {
            return refuse(format!(
                "it has {} bytes, expected up to {MOST_BYTES}",
                text.len()
            ));
        }
        let calculation: Self = match serde_json::from_str(text) {
            Ok(calculation) => calculation,
            Err(error) => return refuse(error.to_string()),
        };
        let sites = calculation.elements.len();
        if calculation.form != FORM {
            return refuse(format!("its form is {}, expected {FORM}", calculation.form));
        }
        if sites == 0 || sites > MOST_SITES || sites != calculation.skeleton.frac_coords.len() {
            return refuse(format!(
                "it has {sites} elements, expected one for each site"
            ));
        }
        let config = &calculation.calculator;
        if !matches!(config.name, CalculatorName::Native | CalculatorName::Qe) {
            let name = config.name.name();
            return refuse(format!("no worker computes {name}, expected native or qe"));
        }
        let family = config.pseudopotentials.as_deref().unwrap_or("none");
        let is_name =
            !family.is_empty() && !family.starts_with('.') && !family.contains(['/', '\0']);
        if !is_name {
            return refuse("its family of pseudopotentials is no name".to_owned());
        }
        let stays = CalculatorConfig::default();
        if config.stability != stays.stability || config.relaxation != stays.relaxation {
            return refuse(
                "it names a reference set or a relaxation, which do not travel".to_owned(),
            );
        }
        if config.without_machine() != *config {
            return refuse(
                "it names programs, folders or threads, which are the worker's".to_owned(),
            );
        }
        Ok(calculation)
    }

    /// The frame.
    ///
    /// # Errors
    /// [`BadCalculation`] for a geometry that no skeleton has.
    pub fn to_skeleton(&self) -> Result<Arc<Skeleton>, BadCalculation> {
        let skeleton = self.skeleton.to_skeleton();
        skeleton
            .map(Arc::new)
            .map_err(|error| BadCalculation(error.to_string()))
    }

    /// The crystal on its frame.
    ///
    /// # Errors
    /// [`BadCalculation`] if they do not fit.
    pub fn to_crystal(&self, skeleton: &Arc<Skeleton>) -> Result<Crystal, BadCalculation> {
        Crystal::new(Arc::clone(skeleton), self.elements.clone())
            .map_err(|error| BadCalculation(error.to_string()))
    }
}
