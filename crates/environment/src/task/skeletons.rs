//! The skeletons that a task names.

use std::{io, path::Path, sync::Arc};

use crystalgym_crystal::{CrystalError, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure};

use crate::{EnvironmentError, SkeletonIdentity};

/// A built-in skeleton, or the empty frame of a structure file.
///
/// The label of the latter is the stem of the file's name, with `_` for control characters; where a
/// built-in skeleton has that name, a suffix tells the geometry.
///
/// # Errors
/// [`EnvironmentError::Crystal`] for an unknown name and an unreadable file.
pub fn find_skeleton(name: &str) -> Result<Arc<Skeleton>, EnvironmentError> {
    match Skeleton::builtin(name) {
        Err(CrystalError::UnknownSkeleton(_)) => {}
        known => return Ok(known?),
    }
    let structure = Structure::from_file(Path::new(name)).map_err(|error| match error {
        // A slip in the name of a built-in skeleton names no file.
        CrystalError::UnknownFormat(_) if !Path::new(name).is_file() => {
            CrystalError::NoSkeletonOrFile(name.to_owned())
        }
        CrystalError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            CrystalError::NoSkeletonOrFile(name.to_owned())
        }
        error => error,
    })?;
    let label = file_label(Path::new(name));
    let mut skeleton = Skeleton::from_structure(&label, &structure, SYMMETRY_TOLERANCE_ANG)?;
    if Skeleton::builtin(&label).is_ok() {
        let identity = SkeletonIdentity::of(&skeleton);
        skeleton.label = format!("{label}-{}", identity.short_hash());
    }
    Ok(Arc::new(skeleton))
}

/// The label of a structure file: its name without the ending, with `_` for control characters.
pub fn file_label(path: &Path) -> String {
    let name = path.file_stem().unwrap_or(path.as_os_str());
    let stem = name.to_string_lossy();
    stem.replace(|c: char| c.is_control() || c == '/', "_")
}

/// The same skeletons, with `LABEL-1a2b3c4d` where two that differ have one label: a label stands
/// for a geometry. The suffix depends on the geometry alone, so that it is the same in every task.
pub(crate) fn with_distinct_labels(skeletons: Vec<Arc<Skeleton>>) -> Vec<Arc<Skeleton>> {
    let identities: Vec<_> = skeletons
        .iter()
        .map(|skeleton| SkeletonIdentity::of(skeleton))
        .collect();
    let ambiguous = |identity: &SkeletonIdentity| {
        identities
            .iter()
            .any(|other| other.label == identity.label && identity.check(other).is_err())
    };
    let labelled = skeletons.iter().zip(&identities);
    labelled
        .map(|(skeleton, identity)| match ambiguous(identity) {
            false => Arc::clone(skeleton),
            true => {
                let mut renamed = Skeleton::clone(skeleton);
                renamed.label = format!("{}-{}", identity.label, identity.short_hash());
                Arc::new(renamed)
            }
        })
        .collect()
}
