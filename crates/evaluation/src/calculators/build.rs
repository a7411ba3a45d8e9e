//! Calculators out of their settings.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crystalgym_crystal::{Structure, StructureFormat};
use crystalgym_potential::{Chgnet, InteratomicPotential};
use crystalgym_stability::ReferenceSet;

use super::{
    config::{CalculatorConfig, CalculatorName, Relaxation, StabilitySettings},
    empirical::EmpiricalCalculator,
    potential::PotentialCalculator,
    qe::QeCalculator,
    relaxing::RelaxingCalculator,
    rigid::RigidCalculator,
    stability::StabilityCalculator,
    table::TableCalculator,
    terms::{Decides, Term, TermsCalculator},
};
use crate::{Calculator, CalculatorError, ElementalReferences, OwnElements, Property};

/// The family of `qe` unless another is named.
const QE_FAMILY: &str = "SSSP-1.3.0-PBE-efficiency";

impl CalculatorConfig {
    /// Makes the calculator, with its relaxation and its references.
    ///
    /// # Errors
    /// [`CalculatorError`] if it cannot work as configured.
    pub fn build(&self) -> Result<Arc<dyn Calculator>, CalculatorError> {
        match self.name {
            CalculatorName::Rigid => self.plain(Arc::new(RigidCalculator)),
            CalculatorName::Empirical => self.plain(Arc::new(EmpiricalCalculator)),
            CalculatorName::Table => {
                let calculator =
                    TableCalculator::open(&self.table).map_err(|cause| self.error(cause))?;
                self.plain(Arc::new(calculator))
            }
            CalculatorName::Chgnet => {
                let chgnet = Chgnet::installed().map_err(|cause| self.error(cause))?;
                self.build_on_potential("chgnet", Arc::new(chgnet), Chgnet::LARGEST_ATOMIC_NUMBER)
            }
            CalculatorName::Native => self.judging(Arc::new(self.build_native()?)),
            CalculatorName::Qe => {
                let family = self.pseudopotentials.as_deref().unwrap_or(QE_FAMILY);
                let calculator = QeCalculator::new(self.qe.clone(), self.family(family)?)
                    .map_err(|cause| self.error(cause))?;
                self.judging(Arc::new(calculator))
            }
        }
    }

    /// Makes the calculator of a property, which may be one of its own.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_for(&self, property: Property) -> Result<Arc<dyn Calculator>, CalculatorError> {
        let own = self.of(property);
        if !own.for_property.is_empty() && self.for_property.contains_key(&property) {
            let message = format!("for_property of {property} has another for_property in it");
            return Err(self.refused(message));
        }
        own.build()
    }

    /// Makes the calculator of an objective of several properties, each given once: those that have the
    /// same settings share one.
    ///
    /// # Errors
    /// As [`Self::build`], and for no property.
    pub fn build_terms(
        &self,
        properties: &[Property],
        decides: Option<Box<Decides>>,
    ) -> Result<Arc<dyn Calculator>, CalculatorError> {
        let mut built: Vec<(&Self, Arc<dyn Calculator>)> = Vec::new();
        let mut terms = Vec::with_capacity(properties.len());
        for &property in properties {
            let settings = self.of(property);
            let known = built.iter().find(|(other, _)| *other == settings);
            let calculator = match known {
                Some((_, calculator)) => Arc::clone(calculator),
                None => self.build_for(property)?,
            };
            built.push((settings, Arc::clone(&calculator)));
            terms.push(Term {
                property,
                calculator,
            });
        }
        match TermsCalculator::new(terms, decides) {
            Some(calculator) => Ok(Arc::new(calculator)),
            None => Err(self.refused("there is no property to compute".to_owned())),
        }
    }

    /// A calculator on any potential, with the relaxation and the references of these settings.
    ///
    /// # Errors
    /// [`CalculatorError`] for references that cannot be read or computed.
    pub fn build_on_potential(
        &self,
        name: &str,
        potential: Arc<dyn InteratomicPotential>,
        largest_atomic_number: u8,
    ) -> Result<Arc<dyn Calculator>, CalculatorError> {
        let own: Arc<dyn Calculator> = Arc::new(PotentialCalculator::new(
            name,
            Arc::clone(&potential),
            largest_atomic_number,
        ));
        let elements = Arc::new(OwnElements::new(Arc::clone(&own)));
        let judging = StabilityCalculator::new(self.relaxing(own)?, elements);
        Ok(match &self.stability.references {
            None => Arc::new(judging),
            Some(path) => {
                let set = potential_references(Path::new(path), potential.as_ref())
                    .map_err(|message| self.refused(message))?;
                Arc::new(judging.with_references(Arc::new(set)))
            }
        })
    }

    /// A calculator without forces and energies, of which nothing more can be asked.
    fn plain(
        &self,
        calculator: Arc<dyn Calculator>,
    ) -> Result<Arc<dyn Calculator>, CalculatorError> {
        if self.relaxation == Relaxation::Own {
            let message = "it has no forces to relax by, expected relaxation = none or chgnet";
            return Err(self.refused(message.to_owned()));
        }
        if self.stability != StabilitySettings::default() {
            let message = "it has no energies to hold against stability.references";
            return Err(self.refused(message.to_owned()));
        }
        self.relaxing(calculator)
    }

    /// A calculator of DFT, whose elements take long and are computed when they are asked for.
    fn judging(
        &self,
        calculator: Arc<dyn Calculator>,
    ) -> Result<Arc<dyn Calculator>, CalculatorError> {
        let elements = Arc::new(ElementalReferences::by(self, Arc::clone(&calculator)));
        let judging = StabilityCalculator::new(self.relaxing(calculator)?, elements);
        Ok(match &self.stability.references {
            None => Arc::new(judging),
            Some(path) => {
                let path = Path::new(path);
                if path.is_dir() {
                    return Err(self.refused(format!(
                        "stability.references is the folder {}, which chgnet alone computes energies of: \
                         name a CSV file with the columns formula and energy_ev_per_atom, elements \
                         among its lines, of energies by this calculator (evaluate --property energy)",
                        path.display()
                    )));
                }
                let set = ReferenceSet::from_csv(path).map_err(|cause| self.error(cause))?;
                Arc::new(judging.with_references(Arc::new(set)))
            }
        })
    }

    fn relaxing(
        &self,
        calculator: Arc<dyn Calculator>,
    ) -> Result<Arc<dyn Calculator>, CalculatorError> {
        let by: Arc<dyn Calculator> = match self.relaxation {
            Relaxation::None => return Ok(calculator),
            Relaxation::Own => Arc::clone(&calculator),
            Relaxation::Chgnet => {
                let chgnet = Chgnet::installed().map_err(|cause| self.error(cause))?;
                Arc::new(PotentialCalculator::new(
                    CalculatorName::Chgnet.name(),
                    Arc::new(chgnet),
                    Chgnet::LARGEST_ATOMIC_NUMBER,
                ))
            }
        };
        Ok(Arc::new(RelaxingCalculator::new(calculator, by)))
    }

    fn refused(&self, message: String) -> CalculatorError {
        CalculatorError {
            calculator: self.name.name().to_owned(),
            message,
        }
    }
}

/// A reference set from a CSV file, or computed by a potential from the structures of a folder.
fn potential_references(
    path: &Path,
    potential: &dyn InteratomicPotential,
) -> Result<ReferenceSet, String> {
    if !path.is_dir() {
        return ReferenceSet::from_csv(path).map_err(|error| error.to_string());
    }
    let structures = structures_in(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let structures: Vec<Structure> = structures
        .iter()
        .map(|path| {
            Structure::from_file(path).map_err(|error| format!("{}: {error}", path.display()))
        })
        .collect::<Result<_, _>>()?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let set = ReferenceSet::computed(name, potential, &structures);
    set.map_err(|error| error.to_string())
}

/// The files of structures in a folder, in alphabetical order; other files are passed over.
fn structures_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| StructureFormat::from_path(path).is_ok());
    paths.sort();
    Ok(paths)
}
