//! Families: folders of UPF files, each verified before it is used.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use crystalgym_crystal::Element;

use crate::{
    Cutoffs, Manifest, ManifestEntry, PseudopotentialError, UpfHeader,
    checksum::md5_hex,
    default_folder,
    file_names::is_upf_name,
    upf::{UpfError, read_file},
};

/// One pseudopotential, its file verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Pseudopotential {
    /// The element.
    pub element: Element,
    /// The UPF file.
    pub path: PathBuf,
    /// MD5 sum of the file, lower-case hexadecimal.
    pub md5: String,
    /// Number of valence electrons.
    pub z_valence: f64,
    /// `NC`, `US`, `USPP`, `PAW`, … as written in the file.
    pub pseudo_type: String,
    /// Recommended cutoffs, if the manifest or a built-in table lists them.
    pub cutoffs: Option<Cutoffs>,
}

/// A folder of UPF files, one an element.
///
/// With a manifest, each file must have the manifest's MD5 sum; it may be named as the manifest
/// says, or `El.upf` or `El.UPF`. Without one, a file belongs to the element in its header, and
/// its cutoffs are known if its MD5 sum is in a built-in table.
///
/// A file is read and verified once, and again only if its size or its modification time changed.
#[derive(Debug)]
pub struct PseudopotentialFamily {
    name: String,
    folder: PathBuf,
    source: Source,
    read: Mutex<HashMap<PathBuf, (Stamp, FileFacts)>>,
}

#[derive(Debug)]
enum Source {
    Manifest(Manifest),
    /// Files by the element in their header, in order of their names.
    Headers {
        files: BTreeMap<Element, Vec<PathBuf>>,
        /// Files whose header cannot be read.
        unreadable: Vec<PathBuf>,
    },
}

#[derive(Debug, Clone, PartialEq)]
struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
}

#[derive(Debug, Clone)]
struct FileFacts {
    md5: String,
    header: Result<UpfHeader, UpfError>,
}

impl FileFacts {
    fn header(&self, path: &Path) -> Result<&UpfHeader, PseudopotentialError> {
        self.header
            .as_ref()
            .map_err(|error| PseudopotentialError::not_upf(path, error))
    }
}

impl PseudopotentialFamily {
    /// Opens what `name_or_folder` means: a folder if there is one, otherwise the built-in family
    /// of that name in its default folder.
    ///
    /// # Errors
    /// Those of [`open_folder`](Self::open_folder), and
    /// [`UnknownFamily`](PseudopotentialError::UnknownFamily) or
    /// [`NotInstalled`](PseudopotentialError::NotInstalled).
    pub fn open(name_or_folder: &str) -> Result<Self, PseudopotentialError> {
        let folder = Path::new(name_or_folder);
        if folder.is_dir() {
            return Self::open_folder(folder);
        }
        let manifest = Manifest::built_in_named(name_or_folder)?;
        let folder = default_folder(&manifest.name)?;
        if !folder.is_dir() {
            return Err(PseudopotentialError::NotInstalled {
                name: manifest.name,
                folder,
            });
        }
        let manifest = Manifest::of_folder(&folder)?.unwrap_or(manifest);
        Ok(Self::with_manifest(manifest, &folder))
    }

    /// Opens a folder by its own manifest, or by the headers of its files if it has none.
    ///
    /// # Errors
    /// If the folder or its manifest cannot be read. A bad UPF file is an error only when its
    /// element is asked for.
    pub fn open_folder(folder: &Path) -> Result<Self, PseudopotentialError> {
        if let Some(manifest) = Manifest::of_folder(folder)? {
            return Ok(Self::with_manifest(manifest, folder));
        }
        let name = folder.file_name().map_or_else(
            || folder.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        );
        let mut family = Self {
            name,
            folder: folder.to_owned(),
            source: Source::Headers {
                files: BTreeMap::new(),
                unreadable: Vec::new(),
            },
            read: Mutex::default(),
        };
        let mut files: BTreeMap<Element, Vec<PathBuf>> = BTreeMap::new();
        let mut unreadable = Vec::new();
        for path in upf_files(folder)? {
            match family.element_of(&path) {
                Ok(element) => files.entry(element).or_default().push(path),
                Err(_) => unreadable.push(path),
            }
        }
        family.source = Source::Headers { files, unreadable };
        Ok(family)
    }

    /// A folder whose files must be those of `manifest`, whatever manifest lies in it.
    pub fn with_manifest(manifest: Manifest, folder: &Path) -> Self {
        Self {
            name: manifest.name.clone(),
            folder: folder.to_owned(),
            source: Source::Manifest(manifest),
            read: Mutex::default(),
        }
    }

    /// Name of the family: the manifest's, or the folder's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Exchange–correlation functional, if a manifest names it.
    pub fn functional(&self) -> Option<&str> {
        match &self.source {
            Source::Manifest(manifest) => Some(&manifest.functional),
            Source::Headers { .. } => None,
        }
    }

    /// The elements that the family should have a file for, by atomic number.
    pub fn elements(&self) -> Vec<Element> {
        match &self.source {
            Source::Manifest(manifest) => manifest.elements.keys().copied().collect(),
            Source::Headers { files, .. } => files.keys().copied().collect(),
        }
    }

    /// The verified pseudopotential of an element.
    ///
    /// # Errors
    /// [`Missing`](PseudopotentialError::Missing),
    /// [`WrongChecksum`](PseudopotentialError::WrongChecksum),
    /// [`WrongElement`](PseudopotentialError::WrongElement),
    /// [`Ambiguous`](PseudopotentialError::Ambiguous), or what reading the file can say.
    pub fn pseudopotential(
        &self,
        element: Element,
    ) -> Result<Pseudopotential, PseudopotentialError> {
        match &self.source {
            Source::Manifest(manifest) => match manifest.elements.get(&element) {
                Some(entry) => self.by_manifest(element, entry),
                None => Err(self.missing(element, "an element that the manifest lists".into())),
            },
            Source::Headers { files, unreadable } => match files.get(&element) {
                Some(files) => self.by_header(element, files),
                None => Err(self.not_found(element, unreadable)),
            },
        }
    }

    /// What is wrong with the file that is named after the element, if there is one.
    fn not_found(&self, element: Element, unreadable: &[PathBuf]) -> PseudopotentialError {
        let is_named = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let word = name.split(|c: char| !c.is_alphabetic()).next();
            word.is_some_and(|word| word.eq_ignore_ascii_case(element.symbol()))
        };
        let fault = (unreadable.iter().find(is_named)).and_then(|path| self.element_of(path).err());
        fault.unwrap_or_else(|| self.missing(element, "a UPF file of that element".into()))
    }

    fn by_manifest(
        &self,
        element: Element,
        entry: &ManifestEntry,
    ) -> Result<Pseudopotential, PseudopotentialError> {
        let names = [
            entry.file.clone(),
            format!("{element}.upf"),
            format!("{element}.UPF"),
        ];
        let mut wrong = None;
        for path in names.iter().map(|name| self.folder.join(name)) {
            if !path.is_file() {
                continue;
            }
            let facts = self.facts(&path)?;
            if facts.md5 != entry.md5 {
                wrong.get_or_insert(PseudopotentialError::WrongChecksum {
                    element,
                    path,
                    found: facts.md5,
                    expected: entry.md5.clone(),
                });
                continue;
            }
            let header = facts.header(&path)?;
            if header.element != element {
                return Err(PseudopotentialError::WrongElement {
                    element,
                    found: header.element,
                    path,
                });
            }
            if let Some(listed) = entry.z_valence
                && listed != header.z_valence
            {
                return Err(PseudopotentialError::Manifest {
                    path: self.folder.join(Manifest::FILE_NAME),
                    message: format!(
                        "elements.{element}.z_valence is {listed}, but {} says {}",
                        path.display(),
                        header.z_valence
                    ),
                });
            }
            return Ok(pseudopotential(&path, &facts.md5, header, entry.cutoffs()));
        }
        Err(wrong.unwrap_or_else(|| self.missing(element, format!("{} or {}", names[0], names[1]))))
    }

    fn by_header(
        &self,
        element: Element,
        files: &[PathBuf],
    ) -> Result<Pseudopotential, PseudopotentialError> {
        let path = match files {
            [] => return Err(self.not_found(element, &[])),
            [path] => path,
            [first, second, ..] => {
                return Err(PseudopotentialError::Ambiguous {
                    element,
                    first: first.clone(),
                    second: second.clone(),
                });
            }
        };
        let facts = self.facts(path)?;
        let header = facts.header(path)?;
        if header.element != element {
            return Err(PseudopotentialError::WrongElement {
                element,
                found: header.element,
                path: path.clone(),
            });
        }
        let cutoffs = Manifest::built_in()
            .iter()
            .filter_map(|manifest| manifest.elements.get(&element))
            .find(|entry| entry.md5 == facts.md5)
            .and_then(ManifestEntry::cutoffs);
        Ok(pseudopotential(path, &facts.md5, header, cutoffs))
    }

    fn missing(&self, element: Element, expected: String) -> PseudopotentialError {
        PseudopotentialError::Missing {
            element,
            folder: self.folder.clone(),
            expected,
        }
    }

    fn element_of(&self, path: &Path) -> Result<Element, PseudopotentialError> {
        let facts = self.facts(path)?;
        Ok(facts.header(path)?.element)
    }

    fn facts(&self, path: &Path) -> Result<FileFacts, PseudopotentialError> {
        let metadata = fs::metadata(path).map_err(PseudopotentialError::io(path))?;
        let stamp = Stamp {
            modified: metadata.modified().ok(),
            size: metadata.len(),
        };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, facts)) = read.get(path)
            && *known == stamp
            && stamp.modified.is_some()
        {
            return Ok(facts.clone());
        }
        let content = read_file(path).map_err(PseudopotentialError::io(path))?;
        let facts = FileFacts {
            md5: md5_hex(&content),
            header: UpfHeader::of_content(&content),
        };
        read.insert(path.to_owned(), (stamp, facts.clone()));
        Ok(facts)
    }
}

fn pseudopotential(
    path: &Path,
    md5: &str,
    header: &UpfHeader,
    cutoffs: Option<Cutoffs>,
) -> Pseudopotential {
    Pseudopotential {
        element: header.element,
        path: path.to_owned(),
        md5: md5.to_owned(),
        z_valence: header.z_valence,
        pseudo_type: header.pseudo_type.clone(),
        cutoffs,
    }
}

/// The files of a folder whose names end in `.upf`, in order of their names.
pub(crate) fn upf_files(folder: &Path) -> Result<Vec<PathBuf>, PseudopotentialError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(PseudopotentialError::io(folder))? {
        let path = entry.map_err(PseudopotentialError::io(folder))?.path();
        if path.is_file() && is_upf_name(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
