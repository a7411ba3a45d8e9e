//! Which calculator, with which settings, as configurations say it.

use std::sync::Arc;

use crystalgym_pseudopotential::PseudopotentialFamily;
use serde::{Deserialize, Serialize};

use crate::{
    Calculator, CalculatorError, EmpiricalCalculator, NativeCalculator, NativeSettings,
    QeCalculator, QeSettings, RigidCalculator, SpeciesSource,
};

/// The family of `qe` unless another is named.
const QE_FAMILY: &str = "SSSP-1.3.0-PBE-efficiency";

/// Which calculator, and its settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalculatorConfig {
    /// Which one.
    pub name: CalculatorName,
    /// Pseudopotential family: a folder, or the name of an installed one. If none, the built-in
    /// GTH-PBE table for `native` and SSSP 1.3.0 PBE efficiency for `qe`.
    pub pseudopotentials: Option<String>,
    /// Settings of `qe`.
    pub qe: QeSettings,
    /// Settings of `native`.
    pub native: NativeSettings,
}

/// A calculator by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalculatorName {
    /// Mass over volume, no DFT.
    Rigid,
    /// Textbook formulas of tabulated data, no DFT.
    Empirical,
    /// Quantum ESPRESSO's pw.x.
    Qe,
    /// The project's own plane-wave engine.
    #[default]
    Native,
}

impl CalculatorName {
    /// The name used in configurations and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rigid => "rigid",
            Self::Empirical => "empirical",
            Self::Qe => "qe",
            Self::Native => "native",
        }
    }

    /// Whether it takes microseconds to compute a crystal again.
    pub fn is_instant(self) -> bool {
        match self {
            Self::Rigid | Self::Empirical => true,
            Self::Qe | Self::Native => false,
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
            CalculatorName::Native => Ok(Arc::new(self.build_native()?)),
            CalculatorName::Qe => {
                let family = self.pseudopotentials.as_deref().unwrap_or(QE_FAMILY);
                let calculator = QeCalculator::new(self.qe.clone(), self.family(family)?)
                    .map_err(|cause| self.error(cause))?;
                Ok(Arc::new(calculator))
            }
        }
    }

    /// Makes the built-in engine's calculator, whose electrons can be looked at.
    ///
    /// # Errors
    /// [`CalculatorError`] for another calculator, or one that cannot work as configured.
    pub fn build_native(&self) -> Result<NativeCalculator, CalculatorError> {
        if self.name != CalculatorName::Native {
            return Err(CalculatorError {
                calculator: self.name.name().to_owned(),
                message: "it gives no electrons to look at, expected native".to_owned(),
            });
        }
        let source = match &self.pseudopotentials {
            None => SpeciesSource::Gth,
            Some(family) => SpeciesSource::Family(self.family(family)?),
        };
        NativeCalculator::new(self.native.clone(), source).map_err(|cause| self.error(cause))
    }

    fn family(&self, name_or_folder: &str) -> Result<Arc<PseudopotentialFamily>, CalculatorError> {
        PseudopotentialFamily::open(name_or_folder)
            .map(Arc::new)
            .map_err(|cause| self.error(cause))
    }

    fn error(&self, cause: impl std::error::Error) -> CalculatorError {
        CalculatorError {
            calculator: self.name.name().to_owned(),
            message: cause.to_string(),
        }
    }
}
