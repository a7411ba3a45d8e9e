//! A worker's calculators: made of the settings in the queue and of what is the worker's own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crystalgym_pseudopotential::PseudopotentialFamily;

use crate::{Calculator, CalculatorConfig};

/// What only the worker's machine decides.
#[derive(Debug, Clone, Default)]
pub struct MachineSettings {
    /// Commands, scratch folder and environment of `qe`, threads of `native`; all else in it is not
    /// looked at.
    pub calculator: CalculatorConfig,
    /// Folders of pseudopotential families that are not installed; each is found by its name.
    pub pseudopotentials: Vec<String>,
}

/// Makes calculators; what it makes of a configuration is kept.
pub trait CalculatorMaker: Send + Sync {
    /// The calculator of settings from the queue.
    ///
    /// # Errors
    /// Why this worker cannot make it.
    fn make(&self, config: &CalculatorConfig) -> Result<Arc<dyn Calculator>, String>;
}

/// Makes the calculators of this machine.
pub struct MachineCalculators {
    machine: MachineSettings,
    made: Mutex<HashMap<String, Arc<dyn Calculator>>>,
}

impl MachineCalculators {
    /// Calculators with what this machine decides.
    pub fn new(machine: MachineSettings) -> Self {
        Self {
            machine,
            made: Mutex::default(),
        }
    }

    /// A family from the queue goes by its name; where it lies is the worker's to say.
    fn family(&self, name: &str) -> Result<String, String> {
        for folder in &self.machine.pseudopotentials {
            let family = PseudopotentialFamily::open(folder).map_err(|error| error.to_string())?;
            if family.name() == name {
                return Ok(folder.clone());
            }
        }
        // A folder of this name in the current one is not what is meant.
        match std::path::Path::new(name).exists() {
            true => Err(format!(
                "a folder '{name}' lies here: give it with --pseudo if it is meant"
            )),
            false => Ok(name.to_owned()),
        }
    }
}

impl CalculatorMaker for MachineCalculators {
    fn make(&self, config: &CalculatorConfig) -> Result<Arc<dyn Calculator>, String> {
        let text = serde_json::to_string(config).unwrap_or_default();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(calculator) = made.get(&text) {
            return Ok(Arc::clone(calculator));
        }
        let mut config = config.with_machine_of(&self.machine.calculator);
        if let Some(name) = &config.pseudopotentials {
            config.pseudopotentials = Some(self.family(name)?);
        }
        let calculator = config.build().map_err(|error| error.to_string())?;
        made.insert(text, Arc::clone(&calculator));
        Ok(calculator)
    }
}
