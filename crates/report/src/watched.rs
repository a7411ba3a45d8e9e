//! The page of a folder that changes, made anew only when it has to be.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crystalgym_benchmark::BenchmarkFolder;
use crystalgym_training::RunFolder;
use hyper::body::Bytes;

use crate::{PageMode, ReportData, ReportError, figures, page};

/// A page is made anew after so many times the time that it takes, so that watching a large
/// benchmark leaves the processor to its runs.
const REST: u32 = 10;

/// The page of a folder as it stands.
pub(crate) struct WatchedPage {
    folder: PathBuf,
    last: Option<LastPage>,
}

/// A page as it was made, with the version of the folder that it shows.
struct LastPage {
    version: String,
    html: Bytes,
    made_at: Instant,
    took: Duration,
}

impl WatchedPage {
    pub(crate) fn of(folder: PathBuf) -> Self {
        Self { folder, last: None }
    }

    /// The version of the page that would be served now.
    pub(crate) fn current_version(&self) -> String {
        match &self.last {
            Some(last) if last.made_at.elapsed() < REST * last.took => last.version.clone(),
            _ => folder_version(&self.folder),
        }
    }

    /// The page; all who ask share its memory.
    ///
    /// # Errors
    /// [`ReportError`] if the folder cannot be read any more.
    pub(crate) fn current(&mut self) -> Result<Bytes, ReportError> {
        let version = self.current_version();
        if let Some(last) = &self.last
            && last.version == version
        {
            return Ok(last.html.clone());
        }
        let start = Instant::now();
        let data = ReportData::as_it_stands(&self.folder)?;
        let mode = PageMode::Watched {
            version: version.clone(),
        };
        let html = Bytes::from(page(&data, &figures(&data), &mode));
        self.last = Some(LastPage {
            version,
            html: html.clone(),
            made_at: Instant::now(),
            took: start.elapsed(),
        });
        Ok(html)
    }
}

/// Changes with every file that the page is made of.
fn folder_version(folder: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    let mut look = |path: &Path| {
        let metadata = fs::symlink_metadata(path).ok();
        let seen = metadata.map(|data| (data.len(), data.modified().ok()));
        (path, seen).hash(&mut hasher);
    };
    look(&folder.join(RunFolder::CONFIG));
    look(&folder.join(RunFolder::EPISODES));
    let mut jobs: Vec<PathBuf> = (fs::read_dir(BenchmarkFolder::at(folder).jobs())
        .into_iter()
        .flatten())
    .filter_map(|entry| Some(entry.ok()?.path()))
    .collect();
    jobs.sort();
    for job in jobs {
        for file in [
            "job.json",
            "evaluation.csv",
            "formation_energies.csv",
            "run/episodes.csv",
        ] {
            look(&job.join(file));
        }
    }
    format!("{:016x}", hasher.finish())
}
