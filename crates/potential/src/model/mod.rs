//! Installation of pretrained models from what their authors publish.
//!
//! Weights are no part of the project. They are taken from the published package after its SHA-256
//! is checked, read without executing anything, and written as safetensors with the licence into
//! the user's data folder.

mod file;
mod location;
mod pickle;
#[cfg(test)]
mod tests;
mod torch;
mod zip;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crystalgym_crystal::{read_bytes, write_atomically};

pub use self::location::default_folder;
use self::{location::python_package, zip::Zip};
use crate::{PotentialError, Weights};

/// Name of the model on the command line and of its package.
pub const CHGNET: &str = "chgnet";
/// Name of the folder that it is installed in, version included.
const CHGNET_FOLDER: &str = "chgnet-0.3.0";
/// The file of weights inside the package.
const CHGNET_IN_PACKAGE: &str = "pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar";
/// SHA-256 of that file.
const CHGNET_SHA256: &str = "d14ab7c0f093efe64b60a7bcd540bca10e74fb7f46c86108a079af60524659d1";
/// SHA-256 of the names and numbers of its tensors.
const CHGNET_DIGEST: &str = "b8f809e10ab1d15a7930bbf3f2ebcd8002baf33c6cecaf2b065f765d860f2b3c";
/// Where the package is published.
const CHGNET_ADDRESS: &str = "https://pypi.org/project/chgnet/0.3.8/#files";
const CHGNET_LICENCE: &str = include_str!("chgnet-licence.txt");

const WEIGHTS_FILE: &str = "weights.safetensors";
const LICENCE_FILE: &str = "LICENCE.txt";

/// What an installation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallReport {
    /// The model's folder.
    pub folder: PathBuf,
    /// Where the weights came from; `None` if they were there already, complete.
    pub source: Option<PathBuf>,
}

/// A model that can be installed.
#[derive(Debug)]
pub struct ModelState {
    /// Name on the command line.
    pub name: &'static str,
    /// Name with the version.
    pub version: &'static str,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it is there, or why not.
    pub state: Result<(), PotentialError>,
}

/// The models that there are and whether they are installed.
///
/// # Errors
/// [`PotentialError::NoDataFolder`]
pub fn list() -> Result<Vec<ModelState>, PotentialError> {
    let folder = default_folder(CHGNET_FOLDER)?;
    let state = load_chgnet(&folder).map(|_| ());
    Ok(vec![ModelState {
        name: CHGNET,
        version: CHGNET_FOLDER,
        folder,
        state,
    }])
}

/// Where CHGNet is installed.
///
/// # Errors
/// [`PotentialError::NoDataFolder`]
pub fn chgnet_folder() -> Result<PathBuf, PotentialError> {
    default_folder(CHGNET_FOLDER)
}

/// The installed weights of CHGNet.
///
/// # Errors
/// [`PotentialError::NotInstalled`]; [`PotentialError::Weights`] for damaged or other ones.
pub fn load_chgnet(folder: &Path) -> Result<Weights, PotentialError> {
    let path = folder.join(WEIGHTS_FILE);
    if !path.exists() {
        return Err(PotentialError::NotInstalled {
            name: CHGNET.to_owned(),
            folder: folder.to_owned(),
        });
    }
    file::read(&path, CHGNET_DIGEST)
}

/// Installs CHGNet 0.3.0 in `folder` from `from`: the folder of the Python package `chgnet` (or one
/// that holds it), its wheel, or the file of weights; without it, the package of the Python at hand.
///
/// A complete installation is left as it is. Every file is written whole or not at all, the weights
/// last.
///
/// # Errors
/// [`PotentialError::Weights`] if what is there is not the published file, by its SHA-256, or
/// cannot be read; [`PotentialError::Io`].
pub fn install_chgnet(from: Option<&Path>, folder: &Path) -> Result<InstallReport, PotentialError> {
    if from.is_none() && load_chgnet(folder).is_ok() {
        return Ok(InstallReport {
            folder: folder.to_owned(),
            source: None,
        });
    }
    let source = match from {
        Some(from) => from.to_owned(),
        None => python_package(CHGNET).ok_or_else(|| {
            PotentialError::weights(
                CHGNET,
                format!(
                    "no Python package of that name is installed: download the wheel from \
                     {CHGNET_ADDRESS} and name it with --from"
                ),
            )
        })?,
    };
    let (name, bytes) = published_bytes(&source)?;
    let weights = read_published(&bytes, &name)?;
    fs::create_dir_all(folder).map_err(PotentialError::io(folder))?;
    let licence = folder.join(LICENCE_FILE);
    write_atomically(&licence, CHGNET_LICENCE.as_bytes()).map_err(PotentialError::io(&licence))?;
    let metadata = [
        ("model", CHGNET_FOLDER),
        ("source_sha256", CHGNET_SHA256),
        ("licence", CHGNET_LICENCE),
    ];
    file::write(&folder.join(WEIGHTS_FILE), &weights, &metadata)?;
    Ok(InstallReport {
        folder: folder.to_owned(),
        source: Some(source),
    })
}

/// The published file in a package, a wheel, or as it is, with its name for messages.
fn published_bytes(source: &Path) -> Result<(String, Vec<u8>), PotentialError> {
    if source.is_dir() {
        let places = [
            source.join(CHGNET_IN_PACKAGE),
            source.join(CHGNET).join(CHGNET_IN_PACKAGE),
        ];
        let path = places.iter().find(|path| path.is_file()).ok_or_else(|| {
            PotentialError::weights(
                source.display().to_string(),
                format!("the folder has no {CHGNET_IN_PACKAGE}, expected the package chgnet 0.3.8"),
            )
        })?;
        let bytes = read_bytes(path).map_err(PotentialError::io(path))?;
        return Ok((path.display().to_string(), bytes));
    }
    let bytes = read_bytes(source).map_err(PotentialError::io(source))?;
    let name = source.display().to_string();
    let inner = format!("{CHGNET}/{CHGNET_IN_PACKAGE}");
    match Zip::open(&bytes) {
        Ok(wheel) if wheel.names().any(|entry| entry == inner) => {
            let bytes = wheel
                .read(&inner)
                .map_err(|message| PotentialError::weights(&name, message))?;
            Ok((format!("{name}/{inner}"), bytes))
        }
        _ => Ok((name, bytes)),
    }
}

/// The weights of the published file, once it is known to be that.
fn read_published(bytes: &[u8], name: &str) -> Result<Weights, PotentialError> {
    let found = file::sha256(bytes);
    if found != CHGNET_SHA256 {
        return Err(PotentialError::weights(
            name,
            format!(
                "this is not the published file of CHGNet 0.3.0: its SHA-256 is {found}, expected \
                 {CHGNET_SHA256} (in the wheel of {CHGNET_ADDRESS})"
            ),
        ));
    }
    let tensors = torch::read_state_dict(bytes, &["model", "state_dict"])
        .map_err(|message| PotentialError::weights(name, message))?;
    Weights::new(tensors, name)
}
