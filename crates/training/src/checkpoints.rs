//! Checkpoints of a run: written whole or not at all, checked when they are read.
//!
//! A new one is put on disk under a name of its own and then given its place by one change of a
//! name, so that the file system holds whole checkpoints alone at any moment. Each brings
//! `manifest.json` along with the sizes and SHA-256 of its files; one that does not agree with it is
//! passed over for the newest that does.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crystalgym_agents::AgentError;
use crystalgym_crystal::{EnclosedFolder, EntryKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{RunFolder, RunStatistics, TrainingConfig, TrainingError};

const PREFIX: &str = "step-";
/// Where a checkpoint is written before it gets its place.
const WRITING: &str = ".writing";
/// Where one lies that is being removed.
const REMOVING: &str = ".removing";
/// What a checkpoint that is not whole is called once the run has gone on without it.
const DAMAGED: &str = "damaged-";
/// Layout of the manifest.
const VERSION: u32 = 1;
const MOST_MANIFEST_BYTES: u64 = 1 << 16;
const MOST_FILES: usize = 16;
/// Largest file of a checkpoint.
const MOST_BYTES: u64 = 1 << 32;

/// What a run has to remember besides the agent: with which configuration it began, and how far its
/// tables had got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunState {
    pub(crate) config: TrainingConfig,
    pub(crate) statistics: RunStatistics,
    pub(crate) episodes_length: u64,
    /// Of the table of predictions, if the run has a learned reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) predictions_length: Option<u64>,
    pub(crate) events_file: String,
    pub(crate) events_length: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    files: BTreeMap<String, FileSum>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileSum {
    bytes: u64,
    sha256: String,
}

/// The newest whole checkpoint of a run.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) state: RunState,
    /// Newer ones that are not whole, with what is wrong with them.
    pub(crate) damaged: Vec<(String, String)>,
}

/// How closely a checkpoint is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// All files have their checksums.
    Whole,
    /// The state of the run does; the others have their sizes.
    State,
}

/// Writes `checkpoints/step-000001000`, into which `save` puts the agent, and then removes the oldest
/// ones.
pub(crate) fn write_checkpoint(
    run: &RunFolder,
    steps: u64,
    save: &dyn Fn(&Path) -> Result<(), AgentError>,
    state: &RunState,
    kept: usize,
) -> Result<(), TrainingError> {
    let checkpoints = run.made(RunFolder::CHECKPOINTS)?;
    let io = |name: &str| TrainingError::io(checkpoints.join(name));
    checkpoints.remove(WRITING).map_err(io(WRITING))?;
    save(&checkpoints.join(WRITING))?;
    let staging = checkpoints.make_subfolder(WRITING).map_err(io(WRITING))?;
    complete(&staging, state).map_err(io(WRITING))?;
    let place = (steps, 1);
    let place = put_in_place(&checkpoints, place).map_err(io(&name_of(place)))?;
    remove_older(&checkpoints, place, kept).map_err(io(REMOVING))
}

/// Adds the state of the run, and last what makes a checkpoint whole.
fn complete(staging: &EnclosedFolder, state: &RunState) -> io::Result<()> {
    staging.write(RunFolder::STATE, &serde_json::to_vec_pretty(state)?)?;
    let mut files = BTreeMap::new();
    for name in staging.names()? {
        let sum = sum_of(staging, &name)?;
        files.insert(name, sum);
    }
    let manifest = Manifest {
        version: VERSION,
        files,
    };
    staging.write(RunFolder::MANIFEST, &serde_json::to_vec_pretty(&manifest)?)?;
    staging.sync()
}

/// Gives the written checkpoint its name; one of the same step keeps its own until then. Returns
/// the place that it got.
fn put_in_place(checkpoints: &EnclosedFolder, (step, turn): Place) -> io::Result<Place> {
    let name = name_of((step, turn));
    if checkpoints.kind(&name)? == EntryKind::Missing {
        checkpoints.rename(WRITING, &name)?;
        checkpoints.sync()?;
        return Ok((step, turn));
    }
    match checkpoints.exchange(WRITING, &name) {
        Ok(()) => {
            checkpoints.sync()?;
            checkpoints.remove(WRITING)?;
            Ok((step, turn))
        }
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            put_in_place(checkpoints, (step, turn + 1))
        }
        Err(error) => Err(error),
    }
}

/// Leaves the checkpoint at `newest` and the `kept - 1` before it. One that goes loses its name
/// first, so that what a kill leaves of it is not taken for a checkpoint.
fn remove_older(checkpoints: &EnclosedFolder, newest: Place, kept: usize) -> io::Result<()> {
    checkpoints.remove(REMOVING)?;
    let mut older: Vec<Place> = places(checkpoints)?
        .into_iter()
        .filter(|place| *place < newest)
        .collect();
    let same_step = older.iter().filter(|place| place.0 == newest.0).count();
    older.truncate(older.len() - same_step);
    let left = older.len().min(kept.saturating_sub(1));
    let going = older.len() - left;
    let superseded = (1..newest.1).map(|turn| (newest.0, turn));
    for place in older.into_iter().take(going).chain(superseded) {
        let name = name_of(place);
        if checkpoints.kind(&name)? == EntryKind::Folder {
            checkpoints.rename(&name, REMOVING)?;
            checkpoints.remove(REMOVING)?;
        }
    }
    Ok(())
}

/// The newest whole checkpoint, `None` where there is none at all.
///
/// # Errors
/// [`TrainingError::RunFolder`] if there are some and none is whole.
pub(crate) fn newest_whole(run: &RunFolder, check: Check) -> Result<Option<Found>, TrainingError> {
    let Some(checkpoints) = run.checkpoints()? else {
        return Ok(None);
    };
    let mut places = places(&checkpoints).map_err(TrainingError::io(checkpoints.path()))?;
    let mut damaged = Vec::new();
    while let Some(place) = places.pop() {
        let name = name_of(place);
        match read(&checkpoints, &name, check) {
            Ok(state) => {
                return Ok(Some(Found {
                    path: checkpoints.join(&name),
                    state,
                    damaged,
                }));
            }
            Err(error) if is_damage(&error) => damaged.push((name, error.to_string())),
            Err(error) => return Err(TrainingError::io(checkpoints.join(&name))(error)),
        }
    }
    if damaged.is_empty() {
        return Ok(None);
    }
    let all: Vec<String> = damaged
        .iter()
        .map(|(name, reason)| format!("{name}: {reason}"))
        .collect();
    Err(TrainingError::RunFolder {
        path: checkpoints.path().to_owned(),
        message: format!("no checkpoint is whole ({})", all.join("; ")),
    })
}

/// What a user should hear of checkpoints that were passed over.
pub(crate) fn word_about(damaged: &[(String, String)], used: &Path) -> Vec<String> {
    let used = used.file_name().unwrap_or_default().to_string_lossy();
    let words = damaged.iter();
    words
        .map(|(name, reason)| format!("checkpoint {name} is not whole ({reason}); using {used}"))
        .collect()
}

/// Takes the names of checkpoints from those that are not whole, so that they are neither counted
/// nor found again; what is in them stays.
pub(crate) fn set_aside(
    run: &RunFolder,
    damaged: &[(String, String)],
) -> Result<(), TrainingError> {
    let Some(checkpoints) = run.checkpoints()? else {
        return Ok(());
    };
    for (name, _) in damaged {
        let io = || TrainingError::io(checkpoints.join(name));
        for number in 1.. {
            let aside = match number {
                1 => format!("{DAMAGED}{name}"),
                _ => format!("{DAMAGED}{name}-{number}"),
            };
            if checkpoints.kind(&aside).map_err(io())? == EntryKind::Missing {
                checkpoints.rename(name, &aside).map_err(io())?;
                break;
            }
        }
    }
    Ok(())
}

/// Episodes that the latest checkpoint of the run in a folder has counted; `None` without one. A
/// table of the run with fewer rows has lost some.
///
/// # Errors
/// [`TrainingError`] if no checkpoint can be read.
pub fn checkpointed_episodes(run: &Path) -> Result<Option<u64>, TrainingError> {
    let found = newest_whole(&RunFolder::at(run), Check::State)?;
    Ok(found.map(|found| found.state.statistics.episodes))
}

fn read(checkpoints: &EnclosedFolder, name: &str, check: Check) -> io::Result<RunState> {
    let folder = checkpoints
        .subfolder(name)?
        .ok_or(io::ErrorKind::NotFound)?;
    let text = folder
        .read(RunFolder::MANIFEST, MOST_MANIFEST_BYTES)
        .map_err(naming(RunFolder::MANIFEST))?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(io::Error::from)
        .map_err(naming(RunFolder::MANIFEST))?;
    if manifest.version != VERSION || manifest.files.len() > MOST_FILES {
        let (version, files) = (manifest.version, manifest.files.len());
        let message = format!(
            "{} has version {version} and {files} files, expected {VERSION} and at most {MOST_FILES}",
            RunFolder::MANIFEST
        );
        return Err(damage(message));
    }
    for (file, expected) in &manifest.files {
        let hashed = check == Check::Whole || file == RunFolder::STATE;
        check_file(&folder, file, expected, hashed).map_err(naming(file))?;
    }
    let Some(state) = manifest.files.get(RunFolder::STATE) else {
        return Err(damage(format!(
            "{} is not in the manifest",
            RunFolder::STATE
        )));
    };
    let text = folder.read(RunFolder::STATE, state.bytes)?;
    let mut deserializer = serde_json::Deserializer::from_slice(&text);
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| damage(format!("{}: {error}", RunFolder::STATE)))
}

fn check_file(
    folder: &EnclosedFolder,
    name: &str,
    expected: &FileSum,
    hashed: bool,
) -> io::Result<()> {
    let bytes = folder.open(name)?.metadata()?.len();
    if bytes != expected.bytes || bytes > MOST_BYTES {
        let message = format!("it has {bytes} bytes, expected {}", expected.bytes);
        return Err(damage(message));
    }
    if hashed && sum_of(folder, name)? != *expected {
        return Err(damage(
            "its SHA-256 is another than in the manifest".to_owned(),
        ));
    }
    Ok(())
}

fn sum_of(folder: &EnclosedFolder, name: &str) -> io::Result<FileSum> {
    let mut file = folder.open(name)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        sum.update(&buffer[..count]);
        bytes += count as u64;
    }
    let digest = sum.finalize();
    Ok(FileSum {
        bytes,
        sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

/// Environment steps, and which of several checkpoints of that step, from 1.
type Place = (u64, u32);

fn name_of((step, turn): Place) -> String {
    match turn {
        1 => format!("{PREFIX}{step:09}"),
        _ => format!("{PREFIX}{step:09}-{turn}"),
    }
}

fn place_of(name: &str) -> Option<Place> {
    let rest = name.strip_prefix(PREFIX)?;
    let (step, turn) = rest.split_once('-').unwrap_or((rest, "1"));
    let place = (step.parse().ok()?, turn.parse().ok()?);
    (name_of(place) == name).then_some(place)
}

/// Everything that has the name of a checkpoint, the oldest first.
fn places(checkpoints: &EnclosedFolder) -> io::Result<Vec<Place>> {
    let mut places: Vec<Place> = (checkpoints.names()?.iter())
        .filter_map(|name| place_of(name))
        .collect();
    places.sort_unstable();
    Ok(places)
}

fn damage(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Whether an error says that a checkpoint is not whole, and not that the machine is in trouble.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
    )
}

fn naming(file: &str) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{file}: {error}"))
}

#[cfg(test)]
#[path = "checkpoints_tests.rs"]
mod tests;
