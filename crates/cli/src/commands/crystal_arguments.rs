//! Which crystal a command is about.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use clap::Args;
use crystalgym_crystal::{Crystal, Element, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure};
use crystalgym_environment::{file_label, find_skeleton};

/// A structure file, or a skeleton with elements.
#[derive(Debug, Args)]
pub(crate) struct CrystalArguments {
    /// A structure file (.cif, POSCAR, .extxyz, .json; file.xyz@3 is one of several); or give --skeleton and --elements.
    #[arg(conflicts_with_all = ["skeleton", "elements"], required_unless_present = "skeleton")]
    structure: Option<PathBuf>,
    /// A benchmark skeleton, such as C6, or the empty frame of a structure file.
    #[arg(long, requires = "elements")]
    skeleton: Option<String>,
    /// Its elements in site order, such as Cl,F,Na,Li.
    #[arg(long, value_delimiter = ',', requires = "skeleton")]
    elements: Vec<String>,
}

impl CrystalArguments {
    /// The crystal, exactly symmetric.
    pub(crate) fn crystal(&self) -> anyhow::Result<Crystal> {
        if let Some(path) = &self.structure {
            let structure = Structure::from_file(path)?;
            let label = file_label(path);
            let skeleton = Skeleton::from_structure(&label, &structure, SYMMETRY_TOLERANCE_ANG)
                .with_context(|| path.display().to_string())?;
            return Ok(Crystal::new(Arc::new(skeleton), structure.elements)?);
        }
        let name = self.skeleton.as_deref().unwrap_or_default();
        let elements = self
            .elements
            .iter()
            .map(|symbol| symbol.trim().parse::<Element>())
            .collect::<Result<_, _>>()?;
        Ok(Crystal::new(find_skeleton(name)?, elements)?)
    }
}
