//! The page of what changes, a folder or a queue, made anew only when it has to be.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use crystalgym_benchmark::BenchmarkFolder;
use crystalgym_evaluation::ResultStore;
use crystalgym_training::RunFolder;
use hyper::body::Bytes;

use crate::{PageMode, ReportData, ReportError, figures, page, queue_page::queue_page};

/// A page is made anew after so many times the time that it takes, so that watching a large
/// benchmark leaves the processor to its runs.
const REST: u32 = 10;

/// How long the page of a queue is shown before the server is asked again.
const QUEUE_SHOWN: Duration = Duration::from_secs(2);

/// The page of what is watched as it stands.
pub(crate) struct WatchedPage {
    source: Source,
    last: Option<LastPage>,
}

enum Source {
    Folder(PathBuf),
    Queue(Box<ResultStore>),
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
        let source = Source::Folder(folder);
        Self { source, last: None }
    }

    pub(crate) fn of_queue(store: ResultStore) -> Self {
        let source = Source::Queue(Box::new(store));
        Self { source, last: None }
    }

    fn is_queue(&self) -> bool {
        matches!(self.source, Source::Queue(_))
    }

    /// The version of the page that would be served now.
    pub(crate) fn current_version(&self) -> String {
        match &self.last {
            Some(last) if last.made_at.elapsed() < REST * last.took => last.version.clone(),
            Some(last) if self.is_queue() && last.made_at.elapsed() < QUEUE_SHOWN => {
                last.version.clone()
            }
            _ => match &self.source {
                Source::Folder(folder) => folder_version(folder),
                Source::Queue(_) => now_version(),
            },
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
        let html = match &self.source {
            Source::Folder(folder) => {
                let data = ReportData::as_it_stands(folder)?;
                let mode = PageMode::Watched {
                    version: version.clone(),
                };
                page(&data, &figures(&data), &mode)
            }
            Source::Queue(store) => {
                let status = store.queue_status().map_err(ReportError::Queue)?;
                queue_page(&store.path().to_string_lossy(), &status)
            }
        };
        let html = Bytes::from(html);
        self.last = Some(LastPage {
            version,
            html: html.clone(),
            made_at: Instant::now(),
            took: start.elapsed(),
        });
        Ok(html)
    }
}

/// Changes with every look.
fn now_version() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    format!("{:016x}", since.unwrap_or_default().as_micros())
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
