use std::sync::Arc;

use crystalgym_pseudopotential::PseudopotentialFamily;
use serde::{Deserialize, Serialize};

use crate::{
    Calculator, CalculatorError, EmpiricalCalculator, QeCalculator, QeSettings, RigidCalculator,
};

/// Which calculator, and its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalculatorConfig {
    /// Which one.
    pub name: CalculatorName,
    /// Pseudopotential family: a folder, or the name of an installed one.
    pub pseudopotentials: String,
    /// Settings of `qe`.
    pub qe: QeSettings,
}

/// A calculator by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalculatorName {
    /// Mass over volume, no DFT.
    #[default]
    Rigid,
    /// Textbook formulas of tabulated data, no DFT.
    Empirical,
    /// Quantum ESPRESSO's pw.x.
    Qe,
}

impl CalculatorName {
    /// The name used in configurations and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rigid => "rigid",
            Self::Empirical => "empirical",
            Self::Qe => "qe",
        }
    }
}

impl Default for CalculatorConfig {
    fn default() -> Self {
        Self {
            name: CalculatorName::default(),
            pseudopotentials: "SSSP-1.3.0-PBE-efficiency".to_owned(),
            qe: QeSettings::default(),
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
            CalculatorName::Empirical => Ok(Arc::new(EmpiricalCalculator)),
            CalculatorName::Qe => {
                let error = |message: String| CalculatorError {
                    calculator: self.name.name().to_owned(),
                    message,
                };
                let family = PseudopotentialFamily::open(&self.pseudopotentials)
                    .map_err(|cause| error(cause.to_string()))?;
                let calculator = QeCalculator::new(self.qe.clone(), Arc::new(family))
                    .map_err(|cause| error(cause.to_string()))?;
                Ok(Arc::new(calculator))
            }
        }
    }
}
