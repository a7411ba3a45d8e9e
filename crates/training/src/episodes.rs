//! The table of episodes of a run.

use std::{
    fs::File,
    io::{self, Read, Seek},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{RunFolder, TrainingError};

/// One finished episode, a row of `episodes.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodeRow {
    /// Number of the episode in the run, from 1, in the order in which rewards arrived.
    pub episode: u64,
    /// Environment steps done when the reward arrived.
    pub step: u64,
    /// Which of the vectorised environments it ran in.
    pub environment: usize,
    /// Label of the skeleton.
    pub skeleton: String,
    /// Elements in site order, separated by blanks.
    pub elements: String,
    /// Property asked for.
    pub property: String,
    /// Target of the property, in its unit.
    pub target: f64,
    /// Value of the property; empty after a failure.
    pub value: Option<f64>,
    /// Return of the episode.
    pub episodic_return: f64,
    /// Failure code; empty after a success.
    pub failure: String,
    /// `computed`, `store`, `coalesced`, …: where the result came from.
    pub source: String,
    /// SCF iterations of the calculation.
    pub scf_iterations: u32,
    /// Wall time of the calculation in seconds (of the original one for a store hit).
    pub calculation_seconds: f64,
}

/// Appends [`EpisodeRow`]s to a CSV file.
#[derive(Debug)]
pub struct EpisodeTable {
    writer: csv::Writer<File>,
}

impl EpisodeTable {
    /// Starts the table of a run anew.
    ///
    /// # Errors
    /// [`TrainingError::Io`].
    pub fn create(run: &RunFolder) -> Result<Self, TrainingError> {
        let io = || run.io(RunFolder::EPISODES);
        let file = run
            .inside()
            .open_to_write(RunFolder::EPISODES)
            .map_err(io())?;
        file.set_len(0).map_err(io())?;
        Ok(Self {
            writer: csv::Writer::from_writer(file),
        })
    }

    /// Opens the table of a run again, dropping what was written after the first `length` bytes.
    ///
    /// # Errors
    /// [`TrainingError::Io`]; [`TrainingError::RunFolder`] if the file is shorter than that or no
    /// row ends there.
    pub fn reopen(run: &RunFolder, length: u64) -> Result<Self, TrainingError> {
        let io = || run.io(RunFolder::EPISODES);
        let bad = |message: String| TrainingError::RunFolder {
            path: run.path().join(RunFolder::EPISODES),
            message,
        };
        let mut file = run
            .inside()
            .open_to_write(RunFolder::EPISODES)
            .map_err(io())?;
        let found = file.metadata().map_err(io())?.len();
        if found < length {
            return Err(bad(format!(
                "has {found} bytes, but the checkpoint counted {length}"
            )));
        }
        if let Some(last) = length.checked_sub(1) {
            let mut end = [0];
            file.seek(io::SeekFrom::Start(last)).map_err(io())?;
            file.read_exact(&mut end).map_err(io())?;
            if end != *b"\n" {
                return Err(bad(format!(
                    "the checkpoint counted {length} bytes, but no row ends there"
                )));
            }
        }
        file.set_len(length).map_err(io())?;
        file.seek(io::SeekFrom::End(0)).map_err(io())?;
        let writer = csv::WriterBuilder::new()
            .has_headers(length == 0)
            .from_writer(file);
        Ok(Self { writer })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn write(&mut self, row: &EpisodeRow) -> io::Result<()> {
        self.writer.serialize(row).map_err(io::Error::other)
    }

    /// Hands everything to the operating system.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// Puts everything on disk and returns the length in bytes, for [`Self::reopen`].
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn sync(&mut self) -> io::Result<u64> {
        self.writer.flush()?;
        let file = self.writer.get_ref();
        file.sync_data()?;
        Ok(file.metadata()?.len())
    }
}

/// Reads a table of episodes.
///
/// # Errors
/// [`TrainingError::RunFolder`] with the line, if the file is not such a table.
pub fn read_episodes(path: &Path) -> Result<Vec<EpisodeRow>, TrainingError> {
    episode_rows(path)?.collect()
}

/// Reads a table of episodes row by row, for tables that are not to be held as a whole.
///
/// # Errors
/// [`TrainingError::RunFolder`] if the file cannot be opened, and for each row that is none, with
/// the line.
pub fn episode_rows(
    path: &Path,
) -> Result<impl Iterator<Item = Result<EpisodeRow, TrainingError>> + use<>, TrainingError> {
    let file = File::open(path).map_err(|error| no_table(path, error.into()))?;
    Ok(rows_of(file, path))
}

/// The rows of an open table, whose path is for messages.
pub(crate) fn rows_of(
    file: File,
    path: &Path,
) -> impl Iterator<Item = Result<EpisodeRow, TrainingError>> + use<> {
    let path = path.to_owned();
    let rows = csv::Reader::from_reader(file).into_deserialize();
    rows.map(move |row| row.map_err(|error| no_table(&path, error)))
}

fn no_table(path: &Path, error: csv::Error) -> TrainingError {
    TrainingError::RunFolder {
        path: path.to_owned(),
        message: format!("not a table of episodes: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(episode: u64) -> EpisodeRow {
        EpisodeRow {
            episode,
            step: 5 * episode,
            environment: 0,
            skeleton: "C2".into(),
            elements: "Rb Ca H H H".into(),
            property: "density".into(),
            target: 3.0,
            value: episode.is_multiple_of(2).then_some(0.1 + 0.2),
            episodic_return: -1.0,
            failure: "scf_not_converged".into(),
            source: "computed".into(),
            scf_iterations: 12,
            calculation_seconds: 1.5,
        }
    }

    #[test]
    fn a_reopened_table_goes_on_after_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        let mut table = EpisodeTable::create(&run).unwrap();
        table.write(&row(1)).unwrap();
        table.write(&row(2)).unwrap();
        let length = table.sync().unwrap();
        table.write(&row(99)).unwrap();
        drop(table);

        let mut table = EpisodeTable::reopen(&run, length).unwrap();
        table.write(&row(3)).unwrap();
        table.flush().unwrap();
        assert_eq!(run.read_episodes().unwrap(), [row(1), row(2), row(3)]);
    }

    #[test]
    fn a_table_that_lost_rows_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        std::fs::write(run.path().join(RunFolder::EPISODES), "episode\n").unwrap();
        let error = |length| EpisodeTable::reopen(&run, length).unwrap_err().to_string();
        let short = error(1000);
        assert!(
            short.contains("8 bytes") && short.contains("1000"),
            "{short}"
        );
        let cut = error(4);
        assert!(cut.contains("4 bytes, but no row ends there"), "{cut}");
    }

    #[test]
    fn reopening_an_empty_table_writes_the_header() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        let mut table = EpisodeTable::create(&run).unwrap();
        let length = table.sync().unwrap();
        let mut table = EpisodeTable::reopen(&run, length).unwrap();
        table.write(&row(1)).unwrap();
        table.flush().unwrap();
        assert_eq!(run.read_episodes().unwrap(), [row(1)]);
    }
}
