//! The folder of a training run: what lies in it, under which names, and how it is reached.
//!
//! ```text
//! config.toml                 the resolved configuration; makes the folder a run
//! episodes.csv                one row per episode, on a learned reward per calculated one
//! predictions.csv             on a learned reward: what the model said, and what was calculated
//! pretraining.csv             how that was pretrained
//! looks.csv                   what the greedy policy was worth in between, if that is asked for
//! events.out.tfevents.…       curves for TensorBoard
//! checkpoints/step-000001000  the last ones; a run goes on from the newest whole one
//! best/                       the best crystals as CIF, 01 the best
//! .lock                       held by the process that trains
//! ```

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crystalgym_conservative::Epoch;
use crystalgym_crystal::{EnclosedFolder, EntryKind, is_unfinished_write};
use serde::de::DeserializeOwned;

use crate::{
    EpisodeRow, Look, PredictionRow, PretrainingRow, TrainingConfig, TrainingError, episode_row,
    layers::MOST_CONFIG_BYTES, prediction_row,
};

/// Largest table of looks that is read.
const MOST_LOOKS_BYTES: u64 = 64 << 20;

/// Largest table of predictions that is read.
const MOST_PREDICTIONS_BYTES: u64 = 1 << 30;

/// The folder of a run, which may come from somebody else: its contents are reached as
/// [`EnclosedFolder`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    folder: EnclosedFolder,
}

impl RunFolder {
    /// The resolved configuration.
    pub const CONFIG: &'static str = "config.toml";
    /// The table of episodes.
    pub const EPISODES: &'static str = "episodes.csv";
    /// What a learned reward said of each crystal that it was asked about.
    pub const PREDICTIONS: &'static str = "predictions.csv";
    /// How a learned reward was pretrained.
    pub const PRETRAINING: &'static str = "pretraining.csv";
    /// What the greedy policy was worth in between.
    pub const LOOKS: &'static str = "looks.csv";
    /// The folder of checkpoints.
    pub const CHECKPOINTS: &'static str = "checkpoints";
    /// The folder of the best crystals.
    pub const BEST: &'static str = "best";
    /// What the names of TensorBoard's files begin with.
    pub const EVENTS_PREFIX: &'static str = "events.out.tfevents.";
    /// How far the tables had got, in each checkpoint.
    pub(crate) const STATE: &'static str = "run.json";
    /// Sizes and checksums, in each checkpoint.
    pub(crate) const MANIFEST: &'static str = "manifest.json";
    const LOCK: &'static str = ".lock";

    /// The run in this folder, or one that is to be.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            folder: EnclosedFolder::at(path),
        }
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Whether a run was started here.
    pub fn holds_run(&self) -> bool {
        matches!(self.folder.kind(Self::CONFIG), Ok(EntryKind::File))
    }

    /// The run's configuration.
    ///
    /// # Errors
    /// [`TrainingError`] with the file and the field.
    pub fn config(&self) -> Result<TrainingConfig, TrainingError> {
        let text = self
            .folder
            .read_text(Self::CONFIG, MOST_CONFIG_BYTES)
            .map_err(self.io(Self::CONFIG))?;
        TrainingConfig::from_toml(&text, &self.folder.join(Self::CONFIG))
    }

    /// The rows of its table of episodes, one after the other.
    ///
    /// # Errors
    /// As [`episode_rows`](crate::episode_rows).
    pub fn episode_rows(
        &self,
    ) -> Result<impl Iterator<Item = Result<EpisodeRow, TrainingError>> + use<>, TrainingError>
    {
        let file = self
            .folder
            .open(Self::EPISODES)
            .map_err(self.io(Self::EPISODES))?;
        Ok(episode_row::rows_of(
            file,
            &self.folder.join(Self::EPISODES),
        ))
    }

    /// Its looks at the greedy policy; none if it has taken none.
    ///
    /// # Errors
    /// [`TrainingError::RunFolder`] if the file is not such a table.
    pub fn looks(&self) -> Result<Vec<Look>, TrainingError> {
        if !matches!(self.folder.kind(Self::LOOKS), Ok(EntryKind::File)) {
            return Ok(Vec::new());
        }
        let text = self.folder.read_text(Self::LOOKS, MOST_LOOKS_BYTES);
        let text = text.map_err(self.io(Self::LOOKS))?;
        let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
        let rows: Vec<Look> =
            rows.collect::<Result<_, _>>()
                .map_err(|error| TrainingError::RunFolder {
                    path: self.folder.join(Self::LOOKS),
                    message: error.to_string(),
                })?;
        match Look::are_sane(&rows, u64::MAX) {
            true => Ok(rows),
            false => Err(TrainingError::RunFolder {
                path: self.folder.join(Self::LOOKS),
                message: "rows out of order, or returns that are no numbers".to_owned(),
            }),
        }
    }

    /// Writes how its learned reward was pretrained.
    pub(crate) fn write_pretraining(&self, epochs: &[Epoch]) -> Result<(), TrainingError> {
        let io = || self.io(Self::PRETRAINING);
        let text = prediction_row::pretraining_text(epochs).map_err(io())?;
        self.folder.write(Self::PRETRAINING, &text).map_err(io())
    }

    /// What its learned reward said; nothing if it has none.
    ///
    /// # Errors
    /// [`TrainingError::RunFolder`] if the file is not such a table.
    pub fn predictions(&self) -> Result<Vec<PredictionRow>, TrainingError> {
        self.table_if_there(Self::PREDICTIONS)
    }

    /// How its learned reward was pretrained; nothing if it was not.
    ///
    /// # Errors
    /// [`TrainingError::RunFolder`] if the file is not such a table.
    pub fn pretraining(&self) -> Result<Vec<PretrainingRow>, TrainingError> {
        self.table_if_there(Self::PRETRAINING)
    }

    fn table_if_there<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>, TrainingError> {
        if !matches!(self.folder.kind(name), Ok(EntryKind::File)) {
            return Ok(Vec::new());
        }
        let text = self.folder.read(name, MOST_PREDICTIONS_BYTES);
        let text = text.map_err(self.io(name))?;
        prediction_row::rows(&text, &self.folder.join(name))
    }

    /// Writes its looks at the greedy policy, if there are any.
    pub(crate) fn write_looks(&self, looks: &[Look]) -> Result<(), TrainingError> {
        if looks.is_empty() {
            return Ok(());
        }
        let text = Look::table(looks);
        let written = self.folder.write(Self::LOOKS, text.as_bytes());
        written.map_err(self.io(Self::LOOKS))
    }

    /// Its table of episodes as a whole.
    ///
    /// # Errors
    /// [`TrainingError::RunFolder`] with the line, if the file is not such a table.
    pub fn read_episodes(&self) -> Result<Vec<EpisodeRow>, TrainingError> {
        self.episode_rows()?.collect()
    }

    pub(crate) fn inside(&self) -> &EnclosedFolder {
        &self.folder
    }

    /// The folder of checkpoints, if there is one.
    pub(crate) fn checkpoints(&self) -> Result<Option<EnclosedFolder>, TrainingError> {
        let found = self.folder.subfolder(Self::CHECKPOINTS);
        found.map_err(self.io(Self::CHECKPOINTS))
    }

    /// A folder inside, made if it is missing.
    pub(crate) fn made(&self, name: &str) -> Result<EnclosedFolder, TrainingError> {
        self.folder.make_subfolder(name).map_err(self.io(name))
    }

    /// A lock that ends with the process, however it ends.
    pub(crate) fn lock(&self) -> Result<File, TrainingError> {
        let file = self
            .folder
            .open_to_write(Self::LOCK)
            .map_err(self.io(Self::LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(TrainingError::RunFolder {
                path: self.path().to_owned(),
                message: "another process is training in it".to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(self.io(Self::LOCK)(error)),
        }
    }

    /// What stands in the way of starting a run here, if anything does.
    ///
    /// A folder that is not empty belongs to somebody: its `best/` and `episodes.csv` may be a
    /// person's own. What a start leaves that was killed before it made the folder a run does not
    /// count.
    pub(crate) fn obstacle(&self) -> Result<Option<String>, TrainingError> {
        let names = match self.folder.names() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(TrainingError::io(self.path()))?,
        };
        if names.iter().any(|name| name == Self::CONFIG) {
            return Ok(Some(
                "holds a run already; resume it or choose another folder".to_owned(),
            ));
        }
        let foreign = names
            .iter()
            .find(|name| *name != Self::LOCK && !is_unfinished_write(name, Self::CONFIG));
        Ok(foreign.map(|name| {
            format!("is not empty and holds no run (there is {name:?}); choose another folder")
        }))
    }

    /// Removes what killed processes left half written in the folder itself.
    pub(crate) fn sweep(&self) -> Result<(), TrainingError> {
        let swept = self.folder.sweep(Self::CONFIG);
        swept.map_err(TrainingError::io(self.path()))
    }

    pub(crate) fn remove_event_files(&self) -> Result<(), TrainingError> {
        for name in self.names()? {
            if name.starts_with(Self::EVENTS_PREFIX) {
                self.folder.remove(&name).map_err(self.io(&name))?;
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>, TrainingError> {
        self.folder.names().map_err(TrainingError::io(self.path()))
    }

    /// Adds the path of an entry to an error.
    pub(crate) fn io(&self, name: &str) -> impl FnOnce(io::Error) -> TrainingError + use<> {
        TrainingError::io(self.folder.join(name))
    }
}
