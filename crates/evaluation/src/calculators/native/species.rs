//! Pseudopotentials by element, and the cutoffs that they need.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use crystalgym_crystal::Element;
use crystalgym_dft::pseudo::{GthParameters, Pseudopotential, PseudopotentialKind};
use crystalgym_pseudopotential::{Cutoffs, PseudopotentialError, PseudopotentialFamily};

use super::settings::{GthCutoff, NativeSettings, PUBLISHED_ECUTWFC_RY};
use crate::{Accuracy, Failure, FailureCode, gth_cutoff_ry};

/// Where pseudopotentials come from.
#[derive(Debug, Clone)]
pub enum SpeciesSource {
    /// The built-in Goedecker–Teter–Hutter PBE table.
    Gth,
    /// UPF files: norm-conserving, ultrasoft, PAW, and mixtures.
    Family(Arc<PseudopotentialFamily>),
}

impl SpeciesSource {
    /// The name of the built-in table.
    pub const GTH: &str = "gth";

    /// The built-in table for `gth`, where no folder has that name; otherwise a family by its
    /// folder or name.
    ///
    /// # Errors
    /// Those of [`PseudopotentialFamily::open`].
    pub fn open(name_or_folder: &str) -> Result<Self, PseudopotentialError> {
        if name_or_folder == Self::GTH && !Path::new(Self::GTH).is_dir() {
            return Ok(Self::Gth);
        }
        let family = PseudopotentialFamily::open(name_or_folder)?;
        Ok(Self::Family(Arc::new(family)))
    }

    /// The pseudopotential of an element.
    ///
    /// # Errors
    /// [`FailureCode::MissingPseudopotential`].
    pub fn potential(&self, element: Element) -> Result<Arc<Pseudopotential>, Failure> {
        let library = SpeciesLibrary::new(self.clone());
        library.species(element).map(|known| known.potential)
    }
}

/// A pseudopotential in memory.
#[derive(Debug, Clone)]
pub(super) struct KnownSpecies {
    pub(super) potential: Arc<Pseudopotential>,
    /// What tells it from others: the name of the parameters, or the MD5 sum of the file.
    pub(super) identity: String,
    /// What is recommended for it, if anything.
    pub(super) cutoffs: Option<Cutoffs>,
}

/// Pseudopotentials by element, each read once and shared by all evaluations, with the tables that
/// the engine makes of it.
#[derive(Debug)]
pub(super) struct SpeciesLibrary {
    source: SpeciesSource,
    known: Mutex<HashMap<Element, KnownSpecies>>,
}

impl SpeciesLibrary {
    pub(super) fn new(source: SpeciesSource) -> Self {
        Self {
            source,
            known: Mutex::default(),
        }
    }

    /// Name of the family; `None` for the built-in table.
    pub(super) fn family_name(&self) -> Option<&str> {
        match &self.source {
            SpeciesSource::Gth => None,
            SpeciesSource::Family(family) => Some(family.name()),
        }
    }

    /// The pseudopotential of an element. A file is looked at each time, and read again if it
    /// changed.
    pub(super) fn species(&self, element: Element) -> Result<KnownSpecies, Failure> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(&element);
        let fresh = match &self.source {
            SpeciesSource::Gth => {
                if let Some(found) = found {
                    return Ok(found.clone());
                }
                let gth = GthParameters::pbe(element).map_err(missing)?;
                let ecutwfc_ry = gth.recommended_cutoff_ry();
                KnownSpecies {
                    identity: gth.name.clone(),
                    cutoffs: Some(Cutoffs {
                        ecutwfc_ry,
                        ecutrho_ry: 4.0 * ecutwfc_ry,
                    }),
                    potential: Arc::new(Pseudopotential::from_gth(gth)),
                }
            }
            SpeciesSource::Family(family) => {
                let file = family.pseudopotential(element).map_err(missing)?;
                if let Some(found) = found.filter(|found| found.identity == file.md5) {
                    return Ok(found.clone());
                }
                let potential = Pseudopotential::from_upf_file(&file.path).map_err(missing)?;
                KnownSpecies {
                    potential: Arc::new(potential),
                    identity: file.md5,
                    cutoffs: file.cutoffs,
                }
            }
        };
        known.insert(element, fresh.clone());
        Ok(fresh)
    }

    /// What the family recommends for these elements, as far as it recommends anything.
    pub(super) fn recommended(&self, elements: &[Element]) -> Option<Cutoffs> {
        let known = elements
            .iter()
            .filter_map(|&element| self.species(element).ok()?.cutoffs);
        known.reduce(|a, b| Cutoffs {
            ecutwfc_ry: a.ecutwfc_ry.max(b.ecutwfc_ry),
            ecutrho_ry: a.ecutrho_ry.max(b.ecutrho_ry),
        })
    }

    /// Where the pseudopotentials come from.
    pub(super) fn source(&self) -> &SpeciesSource {
        &self.source
    }

    /// Cutoffs for a crystal of these elements.
    pub(super) fn cutoffs(
        &self,
        elements: &[Element],
        settings: &NativeSettings,
    ) -> Result<Cutoffs, Failure> {
        let species = elements
            .iter()
            .map(|&element| self.species(element))
            .collect::<Result<Vec<_>, _>>()?;
        let largest = |of: fn(Cutoffs) -> f64| {
            let known = species.iter().filter_map(|species| species.cutoffs);
            known.map(of).reduce(f64::max)
        };
        let ecutwfc_ry =
            settings
                .ecutwfc_ry
                .unwrap_or_else(|| match (&self.source, settings.gth_cutoff_ry) {
                    (SpeciesSource::Gth, Some(GthCutoff::Ry(cutoff))) => cutoff,
                    (SpeciesSource::Gth, None) => largest_gth(elements, settings.accuracy),
                    _ => largest(|cutoffs| cutoffs.ecutwfc_ry).unwrap_or(PUBLISHED_ECUTWFC_RY),
                });
        let needs_more =
            |known: &KnownSpecies| known.potential.kind() != PseudopotentialKind::NormConserving;
        let least = 4.0 * ecutwfc_ry;
        let ecutrho_ry = settings.ecutrho_ry.unwrap_or_else(|| match &self.source {
            SpeciesSource::Gth => least,
            SpeciesSource::Family(_) => largest(|cutoffs| cutoffs.ecutrho_ry)
                .unwrap_or(if species.iter().any(needs_more) {
                    2.0 * least
                } else {
                    least
                })
                .max(least),
        });
        if ecutrho_ry < least * (1.0 - 1e-9) {
            return Err(Failure::new(
                FailureCode::ProgramError,
                format!(
                    "ecutrho_ry is {ecutrho_ry}, expected at least four times the cutoff of the \
                     wave functions, {ecutwfc_ry} Ry"
                ),
            ));
        }
        Ok(Cutoffs {
            ecutwfc_ry,
            ecutrho_ry,
        })
    }
}

/// The largest cutoff that the elements need with the built-in pseudopotentials, in Ry.
pub(super) fn largest_gth(elements: &[Element], accuracy: Accuracy) -> f64 {
    let of = |&element: &Element| gth_cutoff_ry(element, accuracy);
    elements.iter().filter_map(of).fold(0.0, f64::max)
}

fn missing(error: impl std::error::Error) -> Failure {
    Failure::new(FailureCode::MissingPseudopotential, error.to_string())
}
