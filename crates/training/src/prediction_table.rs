//! The table of what a learned reward said, as it is written.

use std::{fs::File, io};

use crate::{PredictionRow, RunFolder, TrainingError, episode_table::reopened};

/// Appends [`PredictionRow`]s to a CSV file.
#[derive(Debug)]
pub(crate) struct PredictionTable(csv::Writer<File>);

impl PredictionTable {
    pub(crate) fn create(run: &RunFolder) -> Result<Self, TrainingError> {
        let io = || run.io(RunFolder::PREDICTIONS);
        let file = run.inside().open_to_write(RunFolder::PREDICTIONS);
        let file = file.map_err(io())?;
        file.set_len(0).map_err(io())?;
        Ok(Self(csv::Writer::from_writer(file)))
    }

    /// Opens the table again, dropping what was written after the first `length` bytes.
    pub(crate) fn reopen(run: &RunFolder, length: u64) -> Result<Self, TrainingError> {
        let file = reopened(run, RunFolder::PREDICTIONS, length)?;
        let writer = csv::WriterBuilder::new()
            .has_headers(length == 0)
            .from_writer(file);
        Ok(Self(writer))
    }

    pub(crate) fn write(&mut self, row: &PredictionRow) -> io::Result<()> {
        self.0.serialize(row).map_err(io::Error::other)?;
        self.0.flush()
    }

    /// Puts everything on disk and returns the length in bytes, for [`Self::reopen`].
    pub(crate) fn sync(&mut self) -> io::Result<u64> {
        self.0.flush()?;
        let file = self.0.get_ref();
        file.sync_data()?;
        Ok(file.metadata()?.len())
    }
}
