//! The table of episodes of a run, as it is written.

use std::{
    fs::File,
    io::{self, Read, Seek},
};

use crate::{EpisodeRow, RunFolder, TrainingError};

/// Appends [`EpisodeRow`]s to a CSV file.
#[derive(Debug)]
pub struct EpisodeTable {
    writer: csv::Writer<File>,
    columns: Columns,
}

/// What a table says of an episode beside what came of the crystal at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Columns {
    /// What came of the crystal at its start.
    pub start: bool,
    /// What came of each of several properties.
    pub terms: bool,
}

impl EpisodeTable {
    /// Starts the table of a run anew.
    ///
    /// # Errors
    /// [`TrainingError::Io`].
    pub fn create(run: &RunFolder, columns: Columns) -> Result<Self, TrainingError> {
        let io = || run.io(RunFolder::EPISODES);
        let file = run
            .inside()
            .open_to_write(RunFolder::EPISODES)
            .map_err(io())?;
        file.set_len(0).map_err(io())?;
        Ok(Self {
            writer: csv::Writer::from_writer(file),
            columns,
        })
    }

    /// Opens the table of a run again, dropping what was written after the first `length` bytes.
    ///
    /// # Errors
    /// [`TrainingError::Io`]; [`TrainingError::RunFolder`] if the file is shorter than that or no
    /// row ends there.
    pub fn reopen(run: &RunFolder, columns: Columns, length: u64) -> Result<Self, TrainingError> {
        let file = reopened(run, RunFolder::EPISODES, length)?;
        let writer = csv::WriterBuilder::new()
            .has_headers(length == 0)
            .from_writer(file);
        Ok(Self { writer, columns })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn write(&mut self, row: &EpisodeRow) -> io::Result<()> {
        let written = match (self.columns.start, self.columns.terms) {
            (false, false) => self.writer.serialize(row),
            (true, false) => self.writer.serialize((row, row.start_columns())),
            (false, true) => self.writer.serialize((row, row.terms_column())),
            (true, true) => {
                let row = (row, row.start_columns(), row.terms_column());
                self.writer.serialize(row)
            }
        };
        written.map_err(io::Error::other)
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

/// A table of a run, to be gone on with after its first `length` bytes.
pub(crate) fn reopened(run: &RunFolder, name: &str, length: u64) -> Result<File, TrainingError> {
    let io = || run.io(name);
    let bad = |message: String| TrainingError::RunFolder {
        path: run.path().join(name),
        message,
    };
    let mut file = run.inside().open_to_write(name).map_err(io())?;
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
    Ok(file)
}

#[cfg(test)]
mod tests {
    use crystalgym_evaluation::{FailureCode, Property};

    use super::*;
    use crate::RowSource;

    fn row(episode: u64) -> EpisodeRow {
        EpisodeRow {
            episode,
            step: 5 * episode,
            environment: 0,
            skeleton: "C2".into(),
            elements: "Rb Ca H H H".into(),
            property: Property::Density,
            target: 3.0,
            value: episode.is_multiple_of(2).then_some(0.1 + 0.2),
            episodic_return: -1.0,
            failure: Some(FailureCode::ScfNotConverged),
            source: RowSource::Computed,
            scf_iterations: 12,
            calculation_seconds: 1.5,
            start_elements: None,
            start_value: None,
            start_failure: None,
            terms: None,
        }
    }

    #[test]
    fn a_reopened_table_goes_on_after_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        let mut table = EpisodeTable::create(&run, Columns::default()).unwrap();
        table.write(&row(1)).unwrap();
        table.write(&row(2)).unwrap();
        let length = table.sync().unwrap();
        table.write(&row(99)).unwrap();
        drop(table);

        let mut table = EpisodeTable::reopen(&run, Columns::default(), length).unwrap();
        table.write(&row(3)).unwrap();
        table.flush().unwrap();
        assert_eq!(run.read_episodes().unwrap(), [row(1), row(2), row(3)]);
    }

    #[test]
    fn a_table_that_lost_rows_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        std::fs::write(run.path().join(RunFolder::EPISODES), "episode\n").unwrap();
        let error = |length| {
            let reopened = EpisodeTable::reopen(&run, Columns::default(), length);
            reopened.unwrap_err().to_string()
        };
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
        let started = |episode, start_value: Option<f64>| EpisodeRow {
            start_elements: Some("Na Cl".into()),
            start_value,
            start_failure: start_value.is_none().then_some(FailureCode::TimeLimit),
            ..row(episode)
        };
        let of_terms = |row: EpisodeRow| EpisodeRow {
            terms: Some("density=2.5 energy_above_hull=skipped".into()),
            ..row
        };
        let columns = |start, terms| Columns { start, terms };
        let started_rows = [started(1, Some(2.5)), started(2, None)];
        for (columns, rows) in [
            (columns(false, false), [row(1), row(2)]),
            (columns(true, false), started_rows.clone()),
            (columns(false, true), [row(1), row(2)].map(of_terms)),
            (columns(true, true), started_rows.map(of_terms)),
        ] {
            let mut table = EpisodeTable::create(&run, columns).unwrap();
            let length = table.sync().unwrap();
            let mut table = EpisodeTable::reopen(&run, columns, length).unwrap();
            table.write(&rows[0]).unwrap();
            let length = table.sync().unwrap();
            let mut table = EpisodeTable::reopen(&run, columns, length).unwrap();
            table.write(&rows[1]).unwrap();
            table.flush().unwrap();
            assert_eq!(run.read_episodes().unwrap(), rows);
        }
    }
}
