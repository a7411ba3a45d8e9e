//! The recipe of a table and the folder that keeps it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crystalgym_crystal::{Element, EnclosedFolder};
use crystalgym_environment::ActionSet;
use crystalgym_evaluation::{CalculatorConfig, Property};
use serde::{Deserialize, Serialize};

use crate::TableError;

/// Which fillings a table holds and how they are computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRecipe {
    /// A benchmark skeleton, or a structure file.
    pub skeleton: String,
    /// `small`, `medium` or `large`; ignored if `elements` is not empty.
    pub actions: String,
    /// An action set of one's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elements: Vec<Element>,
    /// What is computed.
    pub property: Property,
    /// Seed of the order in which the fillings are computed.
    pub seed: u64,
    /// `default`, or the file of the store that keeps the results.
    pub store: String,
    /// How it is computed.
    pub calculator: CalculatorConfig,
}

impl TableRecipe {
    /// The elements to choose from.
    ///
    /// # Errors
    /// [`TableError::Environment`] for a set that there is not.
    pub fn action_set(&self) -> Result<ActionSet, TableError> {
        Ok(match self.elements.is_empty() {
            true => ActionSet::published(&self.actions)?,
            false => ActionSet::custom(self.elements.clone())?,
        })
    }
}

/// Most bytes of a recipe.
const MOST_BYTES: u64 = 1 << 20;

/// The folder of a table that is being made: `table.toml` with its recipe.
#[derive(Debug, Clone)]
pub struct TableFolder {
    path: PathBuf,
}

impl TableFolder {
    /// The recipe.
    pub const RECIPE: &'static str = "table.toml";

    /// The folder at a path, there or not.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn file(&self) -> PathBuf {
        self.path.join(Self::RECIPE)
    }

    fn inside(&self) -> EnclosedFolder {
        EnclosedFolder::at(&self.path)
    }

    /// Whether there is a recipe.
    pub fn exists(&self) -> bool {
        self.file().is_file()
    }

    /// The recipe.
    ///
    /// # Errors
    /// [`TableError::Io`] if there is none, [`TableError::Recipe`] if it cannot be read.
    pub fn recipe(&self) -> Result<TableRecipe, TableError> {
        let path = self.file();
        let text = self
            .inside()
            .read_text(Self::RECIPE, MOST_BYTES)
            .map_err(TableError::io(&path))?;
        toml::from_str(&text).map_err(|error| TableError::Recipe {
            path,
            message: error.to_string().trim_end().to_owned(),
        })
    }

    /// Keeps a recipe; the same one may be kept again.
    ///
    /// # Errors
    /// [`TableError::Recipe`] if another one is there: its results would be others.
    pub fn keep(&self, recipe: &TableRecipe) -> Result<(), TableError> {
        let path = self.file();
        let refuse = |message: String| TableError::Recipe {
            path: path.clone(),
            message,
        };
        match self.recipe() {
            Ok(known) if known == *recipe => return Ok(()),
            Ok(_) => {
                return Err(refuse(
                    "the table has other settings: go on with its name alone, or choose another \
                     name"
                        .to_owned(),
                ));
            }
            Err(TableError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let text = toml::to_string_pretty(recipe).map_err(|error| refuse(error.to_string()))?;
        fs::create_dir_all(&self.path).map_err(TableError::io(&self.path))?;
        self.inside()
            .write(Self::RECIPE, text.as_bytes())
            .map_err(TableError::io(&path))
    }
}
