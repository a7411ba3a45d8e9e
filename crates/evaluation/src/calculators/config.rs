//! Which calculator, with which settings, as configurations say it.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use crystalgym_pseudopotential::PseudopotentialFamily;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    CalculatorError, NativeCalculator, NativeSettings, Property, QeSettings, ResultTable,
    SpeciesSource, TableCalculator, TableSettings,
};

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
    /// Settings of `table`.
    #[serde(skip_serializing_if = "is_default")]
    pub table: TableSettings,
    /// What properties are computed after: nothing, or a relaxation.
    #[serde(skip_serializing_if = "is_default")]
    pub relaxation: Relaxation,
    /// What energies above the hull are measured from.
    #[serde(skip_serializing_if = "is_default")]
    pub stability: StabilitySettings,
    /// Other calculators for some properties, such as `chgnet` for `energy_above_hull`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub for_property: BTreeMap<Property, CalculatorConfig>,
}

/// What comes before the calculation of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relaxation {
    /// Nothing: crystals are computed as they are.
    #[default]
    None,
    /// Cell and positions come to rest by the calculator's own forces and stress.
    Own,
    /// Cell and positions come to rest by CHGNet.
    Chgnet,
}

/// What energies above the hull are measured from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StabilitySettings {
    /// A CSV file of formation or total energies, or (with a potential) a folder of structures
    /// whose total energies are computed.
    pub references: Option<String>,
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
    /// Outcomes that were computed before, from the file of an exhaustive table.
    Table,
    /// The pretrained potential CHGNet, no DFT.
    Chgnet,
}

impl CalculatorName {
    /// The name used in configurations and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rigid => "rigid",
            Self::Empirical => "empirical",
            Self::Qe => "qe",
            Self::Native => "native",
            Self::Table => "table",
            Self::Chgnet => "chgnet",
        }
    }

    /// Whether it takes microseconds to compute a crystal again.
    pub fn is_instant(self) -> bool {
        match self {
            Self::Rigid | Self::Empirical | Self::Table => true,
            Self::Qe | Self::Native | Self::Chgnet => false,
        }
    }
}

impl CalculatorConfig {
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

    /// The calculator that the results are those of: of a table the one that made it, of every other
    /// the same.
    ///
    /// # Errors
    /// [`CalculatorError`] if the table cannot be read.
    pub fn maker(&self) -> Result<Self, CalculatorError> {
        if self.name != CalculatorName::Table {
            return Ok(self.clone());
        }
        let opened = TableCalculator::open(&self.table).map_err(|cause| self.error(cause))?;
        Self::of_table(opened.table())
    }

    /// The [portable](Self::portable) settings of the calculator that made a table, whatever else its file
    /// says.
    ///
    /// # Errors
    /// [`CalculatorError`] for settings that this version does not know.
    pub fn of_table(table: &ResultTable) -> Result<Self, CalculatorError> {
        let of = table.description();
        let settings: Result<Self, _> = serde_json::from_value(of.calculator.clone());
        settings
            .map(|settings| settings.portable())
            .map_err(|cause| CalculatorError {
                calculator: of.calculator_name.clone(),
                message: format!("the settings in the table {}: {cause}", table.name()),
            })
    }

    /// The [portable](Self::portable) settings, as a table's file holds them.
    pub fn described(&self) -> Value {
        // Settings are strings, numbers and lists: there is nothing that could not be written.
        serde_json::to_value(self.portable()).unwrap_or_default()
    }

    /// The settings without what only concerns a machine: commands, folders, threads. What a file of
    /// somebody else names there is never run or opened.
    #[must_use]
    pub fn portable(&self) -> Self {
        let stem = |name: &str| {
            let stem = Path::new(name).file_name().unwrap_or_default();
            stem.to_string_lossy().into_owned()
        };
        let native = NativeSettings::default();
        let qe = QeSettings::default();
        Self {
            name: self.name,
            pseudopotentials: self.pseudopotentials.as_deref().map(stem),
            native: match self.name {
                CalculatorName::Native => NativeSettings {
                    threads: native.threads,
                    ..self.native.clone()
                },
                _ => native,
            },
            qe: match self.name {
                CalculatorName::Qe => QeSettings {
                    pw: self.qe.pw.clone(),
                    equation_of_state: self.qe.equation_of_state.clone(),
                    time_limit_seconds: self.qe.time_limit_seconds,
                    ..qe
                },
                _ => qe,
            },
            table: match self.name {
                CalculatorName::Table => TableSettings {
                    file: self.table.file.as_deref().map(stem),
                },
                _ => TableSettings::default(),
            },
            relaxation: self.relaxation,
            stability: StabilitySettings {
                references: self.stability.references.as_deref().map(stem),
            },
            for_property: self.each_other(|_, other| other.portable()),
        }
    }

    /// The settings of what computes a property.
    pub fn of(&self, property: Property) -> &Self {
        self.for_property.get(&property).unwrap_or(self)
    }

    fn each_other(&self, change: impl Fn(Property, &Self) -> Self) -> BTreeMap<Property, Self> {
        let others = self.for_property.iter();
        others
            .map(|(&property, other)| (property, change(property, other)))
            .collect()
    }

    /// The settings without what only concerns a machine: commands, folders, the environment, threads.
    #[must_use]
    pub fn without_machine(&self) -> Self {
        self.with_machine_of(&Self::default())
    }

    /// These settings, with what only concerns a machine from others.
    #[must_use]
    pub fn with_machine_of(&self, machine: &Self) -> Self {
        Self {
            native: NativeSettings {
                threads: machine.native.threads,
                ..self.native.clone()
            },
            qe: QeSettings {
                command: machine.qe.command.clone(),
                ev_command: machine.qe.ev_command.clone(),
                scratch: machine.qe.scratch.clone(),
                keep_scratch: machine.qe.keep_scratch,
                environment: machine.qe.environment.clone(),
                ..self.qe.clone()
            },
            table: TableSettings::default(),
            for_property: self
                .each_other(|property, other| other.with_machine_of(machine.of(property))),
            ..self.clone()
        }
    }

    pub(super) fn family(
        &self,
        name_or_folder: &str,
    ) -> Result<Arc<PseudopotentialFamily>, CalculatorError> {
        PseudopotentialFamily::open(name_or_folder)
            .map(Arc::new)
            .map_err(|cause| self.error(cause))
    }

    pub(super) fn error(&self, cause: impl std::error::Error) -> CalculatorError {
        CalculatorError {
            calculator: self.name.name().to_owned(),
            message: cause.to_string(),
        }
    }
}

fn is_default<T: Default + PartialEq>(settings: &T) -> bool {
    *settings == T::default()
}
