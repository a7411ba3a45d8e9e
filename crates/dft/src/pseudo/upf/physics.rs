//! What a file's header means to the engine.

use crystalgym_pseudopotential::upf::{Section, UpfError, UpfHeader, UpfVersion};

use crate::{
    pseudo::{error::PseudoError, types::PseudopotentialKind},
    xc::Functional,
};

/// Kind and functional, as far as the engine knows them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Physics {
    pub(super) kind: PseudopotentialKind,
    pub(super) functional: Functional,
}

impl Physics {
    pub(super) fn of(header: &UpfHeader, section: &Section<'_>) -> Result<Self, UpfError> {
        let unsupported = |message: &str| Err(UpfError::unsupported("PP_HEADER", message));
        if header.is_coulomb {
            return unsupported("bare Coulomb potentials are not supported");
        }
        if header.is_meta_gga {
            return unsupported("meta-GGA functionals are not supported");
        }
        Ok(Self {
            kind: match header.pseudo_type.as_str() {
                "US" | "USPP" => PseudopotentialKind::Ultrasoft,
                "PAW" if header.version == UpfVersion::V1 => {
                    return Err(
                        section.error("pseudo_type is 'PAW', expected NC or US in version 1")
                    );
                }
                "PAW" => PseudopotentialKind::Paw,
                _ => PseudopotentialKind::NormConserving,
            },
            functional: header
                .functional
                .parse()
                .map_err(|error: PseudoError| section.error(error.to_string()))?,
        })
    }
}
