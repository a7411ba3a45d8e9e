use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Calculator, CalculatorError, RigidCalculator};

/// Which calculator, and its settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalculatorConfig {
    /// Which one.
    pub name: CalculatorName,
}

/// A calculator by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalculatorName {
    /// Mass over volume, no DFT.
    #[default]
    Rigid,
}

impl CalculatorName {
    /// The name used in configurations and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rigid => "rigid",
        }
    }
}

impl CalculatorConfig {
    /// Makes the calculator.
    ///
    /// # Errors
    /// [`CalculatorError`] if it cannot work as configured.
    pub fn build(&self) -> Result<Arc<dyn Calculator>, CalculatorError> {
        match self.name {
            CalculatorName::Rigid => Ok(Arc::new(RigidCalculator)),
        }
    }
}
