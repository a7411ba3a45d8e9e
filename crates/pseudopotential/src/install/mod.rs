//! Installation of a family from its published archive.
//!
//! Everything happens in a temporary folder beside the target, which takes the target's name only
//! after every file has been verified and written to disk. A failure at any point leaves the
//! target as it was.

mod download;
mod limits;
mod unpack;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use crystalgym_crystal::Element;
pub use limits::ArchiveLimits;
use limits::too_large;

use crate::{Manifest, ManifestEntry, PseudopotentialError, UpfHeader};

/// Where an archive comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveSource {
    /// An `http://` or `https://` address.
    Url(String),
    /// A file.
    File(PathBuf),
}

/// What to install, from where and to where.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The family; its files must have the MD5 sums listed here.
    pub manifest: Manifest,
    /// The archive; the manifest's address if `None`.
    pub source: Option<ArchiveSource>,
    /// The folder that will hold the family.
    pub folder: PathBuf,
    /// Whether a folder that holds something else is replaced.
    pub replace: bool,
    /// Sizes beyond which the archive is refused.
    pub limits: ArchiveLimits,
}

/// What an installation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallReport {
    /// The family's folder.
    pub folder: PathBuf,
    /// Whether the family was there already, complete, and nothing was done.
    pub already_installed: bool,
    /// Elements with a verified file.
    pub elements: Vec<Element>,
    /// Files of the archive that were left out, because neither their own MD5 sum nor the
    /// archive's is the published one.
    pub left_out: Vec<String>,
}

impl Installation {
    /// An installation from the published archive; set the fields to deviate.
    pub fn new(manifest: Manifest, folder: PathBuf) -> Self {
        Self {
            manifest,
            source: None,
            folder,
            replace: false,
            limits: ArchiveLimits::default(),
        }
    }

    /// Downloads, verifies and unpacks the family.
    ///
    /// Every file of the manifest must be in the archive with its MD5 sum. Further UPF files are
    /// installed, without cutoffs, only if the whole archive has the published MD5 sum.
    /// `progress` is told the bytes read of the archive and, if known, their total.
    ///
    /// # Errors
    /// The target folder is unchanged after any of them.
    pub fn run(
        &self,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<InstallReport, PseudopotentialError> {
        if let Some(report) = self.existing()? {
            return Ok(report);
        }
        let parent = match self.folder.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(PseudopotentialError::io(parent))?;
        let work = tempfile::Builder::new()
            .prefix(".installing-")
            .tempdir_in(parent)
            .map_err(PseudopotentialError::io(parent))?;

        let (archive, name) = match self.source()? {
            ArchiveSource::File(path) => {
                let size = fs::metadata(&path)
                    .map_err(PseudopotentialError::io(&path))?
                    .len();
                if size > self.limits.archive_bytes {
                    return Err(PseudopotentialError::Archive {
                        archive: path.display().to_string(),
                        message: too_large(size, self.limits.archive_bytes),
                    });
                }
                let name = path.display().to_string();
                (path, name)
            }
            ArchiveSource::Url(url) => {
                let path = work.path().join("archive");
                download::download(&url, &path, self.limits.archive_bytes, progress)?;
                (path, url)
            }
        };
        let files = work.path().join("family");
        fs::create_dir(&files).map_err(PseudopotentialError::io(&files))?;
        let unpacked = unpack::unpack(&archive, &name, &self.manifest, &self.limits, &files)?;

        let missing: Vec<_> = self
            .manifest
            .elements
            .iter()
            .filter(|(element, _)| !unpacked.verified.contains(element))
            .map(|(element, entry)| format!("{} ({element})", entry.file))
            .collect();
        if !missing.is_empty() {
            return Err(PseudopotentialError::Archive {
                archive: name,
                message: format!("lacks {}", missing.join(", ")),
            });
        }
        let is_published = Some(&unpacked.archive_md5) == self.manifest.archive_md5.as_ref();
        let mut manifest = self.manifest.clone();
        let mut left_out = Vec::new();
        if is_published {
            manifest.elements.extend(further_elements(
                &files,
                &unpacked.further,
                &manifest.elements,
            )?);
        } else {
            for further in &unpacked.further {
                let path = files.join(&further.file);
                fs::remove_file(&path).map_err(PseudopotentialError::io(&path))?;
                left_out.push(further.file.clone());
            }
        }
        unpack::write_synced(
            &files.join(Manifest::FILE_NAME),
            manifest.to_toml()?.as_bytes(),
        )?;
        sync_folder(&files)?;
        self.put_in_place(&files, work.path(), parent)?;
        Ok(InstallReport {
            folder: self.folder.clone(),
            already_installed: false,
            elements: manifest.elements.into_keys().collect(),
            left_out,
        })
    }

    fn source(&self) -> Result<ArchiveSource, PseudopotentialError> {
        match (&self.source, &self.manifest.archive_url) {
            (Some(source), _) => Ok(source.clone()),
            (None, Some(url)) => Ok(ArchiveSource::Url(url.clone())),
            (None, None) => Err(PseudopotentialError::NoArchive {
                name: self.manifest.name.clone(),
            }),
        }
    }

    /// A report if the family is already there, an error if something else is.
    fn existing(&self) -> Result<Option<InstallReport>, PseudopotentialError> {
        let reason = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
                "it is a file".to_owned()
            }
            Err(source) => {
                return Err(PseudopotentialError::Io {
                    path: self.folder.clone(),
                    source,
                });
            }
            Ok(mut entries) => {
                if entries.next().is_none() {
                    return Ok(None);
                }
                let report = self.manifest.check(&self.folder)?;
                if report.is_complete() {
                    return Ok(Some(InstallReport {
                        folder: self.folder.clone(),
                        already_installed: true,
                        elements: report.elements.iter().map(|row| row.element).collect(),
                        left_out: Vec::new(),
                    }));
                }
                report
                    .problems()
                    .next()
                    .map_or_else(String::new, |(_, error)| error.to_string())
            }
        };
        if self.replace && self.folder.is_dir() {
            return Ok(None);
        }
        Err(PseudopotentialError::FolderInUse {
            folder: self.folder.clone(),
            reason,
        })
    }

    /// Renames the finished folder to its place; an old one moves aside and back on failure.
    fn put_in_place(
        &self,
        finished: &Path,
        work: &Path,
        parent: &Path,
    ) -> Result<(), PseudopotentialError> {
        let aside = work.join("replaced");
        let had_one = self.folder.is_dir();
        if had_one {
            fs::rename(&self.folder, &aside).map_err(PseudopotentialError::io(&self.folder))?;
        }
        if let Err(source) = fs::rename(finished, &self.folder) {
            if had_one {
                fs::rename(&aside, &self.folder).map_err(PseudopotentialError::io(&aside))?;
            }
            return Err(PseudopotentialError::Io {
                path: self.folder.clone(),
                source,
            });
        }
        sync_folder(parent)
    }
}

/// Entries for files that the manifest does not list, from their headers. Files without a header,
/// such as licences, stay in the folder and get none; nor does an element listed already.
fn further_elements(
    folder: &Path,
    further: &[unpack::FurtherFile],
    listed: &BTreeMap<Element, ManifestEntry>,
) -> Result<BTreeMap<Element, ManifestEntry>, PseudopotentialError> {
    let mut entries = BTreeMap::new();
    for file in further {
        let path = folder.join(&file.file);
        let content = fs::read(&path).map_err(PseudopotentialError::io(&path))?;
        let Ok(header) = UpfHeader::parse(&content, &path) else {
            continue;
        };
        if listed.contains_key(&header.element) {
            continue;
        }
        entries.insert(
            header.element,
            ManifestEntry {
                file: file.file.clone(),
                md5: file.md5.clone(),
                ecutwfc_ry: None,
                ecutrho_ry: None,
                z_valence: None,
                library: None,
            },
        );
    }
    Ok(entries)
}

fn sync_folder(folder: &Path) -> Result<(), PseudopotentialError> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(PseudopotentialError::io(folder))
}
