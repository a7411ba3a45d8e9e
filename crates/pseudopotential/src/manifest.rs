//! Manifests: which file of a family belongs to which element.

use std::{collections::BTreeMap, path::Path};

use crystalgym_crystal::{Element, read_text};
use serde::{Deserialize, Serialize};

use crate::{
    PseudopotentialError,
    file_names::{MANIFEST_FILE_NAME, is_plain_file_name},
};

const BUILT_IN: [&str; 1] = [include_str!("../data/sssp-1.3.0-pbe-efficiency.toml")];

/// Which file of a family belongs to which element.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the family, also the name of its default folder.
    pub name: String,
    /// Exchange–correlation functional, such as `PBE`.
    pub functional: String,
    /// Where the published archive (`.tar.gz`) lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_url: Option<String>,
    /// MD5 sum of that archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_md5: Option<String>,
    /// The files.
    pub elements: BTreeMap<Element, ManifestEntry>,
}

/// One file of a family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// File name inside the family's folder.
    pub file: String,
    /// MD5 sum of the file, lower-case hexadecimal.
    pub md5: String,
    /// Recommended cutoff of the wave functions in Ry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecutwfc_ry: Option<f64>,
    /// Recommended cutoff of the density in Ry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecutrho_ry: Option<f64>,
    /// Number of valence electrons; checked against the file's header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z_valence: Option<f64>,
    /// Library that the family took the file from, such as `GBRV-1.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
}

/// Recommended plane-wave cutoffs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cutoffs {
    /// Of the wave functions, in Ry.
    pub ecutwfc_ry: f64,
    /// Of the density, in Ry.
    pub ecutrho_ry: f64,
}

impl ManifestEntry {
    /// The recommended cutoffs, if the manifest lists both.
    pub fn cutoffs(&self) -> Option<Cutoffs> {
        Some(Cutoffs {
            ecutwfc_ry: self.ecutwfc_ry?,
            ecutrho_ry: self.ecutrho_ry?,
        })
    }
}

impl Manifest {
    /// Name of a manifest inside a family's folder.
    pub const FILE_NAME: &str = MANIFEST_FILE_NAME;

    /// The families known by name. Their elements are those of the benchmark's action sets.
    pub fn built_in() -> Vec<Self> {
        BUILT_IN
            .iter()
            .filter_map(|text| Self::parse(text, Path::new("built-in manifest")).ok())
            .collect()
    }

    /// The built-in family with this name; case does not matter.
    ///
    /// # Errors
    /// [`PseudopotentialError::UnknownFamily`].
    pub fn built_in_named(name: &str) -> Result<Self, PseudopotentialError> {
        let families = Self::built_in();
        let expected = families
            .iter()
            .map(|family| family.name.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        families
            .into_iter()
            .find(|family| family.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| PseudopotentialError::UnknownFamily {
                name: name.to_owned(),
                expected,
            })
    }

    /// Reads the manifest of a folder, `None` if it has none.
    ///
    /// # Errors
    /// [`PseudopotentialError::Io`] or [`PseudopotentialError::Manifest`].
    pub fn of_folder(folder: &Path) -> Result<Option<Self>, PseudopotentialError> {
        let path = folder.join(Self::FILE_NAME);
        match read_text(&path) {
            Ok(text) => Self::parse(&text, &path).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(PseudopotentialError::Io { path, source }),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self, PseudopotentialError> {
        let malformed = |message: String| PseudopotentialError::Manifest {
            path: path.to_owned(),
            message,
        };
        let manifest: Self =
            toml::from_str(text).map_err(|error| malformed(error.to_string().trim().to_owned()))?;
        for (element, entry) in &manifest.elements {
            let invalid = |field: &str, value: &dyn std::fmt::Debug, expected: &str| {
                Err(malformed(format!(
                    "elements.{element}.{field} is {value:?}, expected {expected}"
                )))
            };
            if !is_plain_file_name(&entry.file) {
                return invalid("file", &entry.file, "a file name without a folder");
            }
            let is_md5 = entry.md5.len() == 32
                && entry
                    .md5
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if !is_md5 {
                return invalid("md5", &entry.md5, "32 lower-case hexadecimal digits");
            }
            for (field, value) in [
                ("ecutwfc_ry", entry.ecutwfc_ry),
                ("ecutrho_ry", entry.ecutrho_ry),
                ("z_valence", entry.z_valence),
            ] {
                if let Some(number) = value
                    && !(number.is_finite() && number > 0.0)
                {
                    return invalid(field, &number, "a positive number");
                }
            }
        }
        Ok(manifest)
    }

    pub(crate) fn to_toml(&self) -> Result<String, PseudopotentialError> {
        toml::to_string(self).map_err(|error| PseudopotentialError::Manifest {
            path: Self::FILE_NAME.into(),
            message: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_manifest_is_valid() {
        for text in BUILT_IN {
            Manifest::parse(text, Path::new("built-in")).unwrap();
        }
        let sssp = Manifest::built_in_named("sssp-1.3.0-pbe-efficiency").unwrap();
        assert_eq!(sssp.elements.len(), 50);
        assert!(sssp.elements.values().all(|e| e.cutoffs().is_some()));
    }

    #[test]
    fn a_manifest_survives_writing_and_reading() {
        let sssp = Manifest::built_in().remove(0);
        let text = sssp.to_toml().unwrap();
        assert_eq!(Manifest::parse(&text, Path::new("x")).unwrap(), sssp);
    }

    #[test]
    fn errors_name_the_field_and_the_value() {
        let parse = |entry: &str| {
            let text = format!("name='a'\nfunctional='PBE'\n[elements.H]\n{entry}");
            Manifest::parse(&text, Path::new("family.toml"))
                .unwrap_err()
                .to_string()
        };
        let md5 = "md5='0123456789abcdef0123456789abcdef'";
        let message = parse(&format!("file='../H.upf'\n{md5}"));
        assert!(
            message.contains("elements.H.file is \"../H.upf\""),
            "{message}"
        );
        let message = parse("file='H.upf'\nmd5='xyz'");
        assert!(message.contains("elements.H.md5 is \"xyz\""), "{message}");
        let message = parse(&format!("file='H.upf'\n{md5}\necutwfc_ry=-1.0"));
        assert!(message.contains("ecutwfc_ry is -1.0"), "{message}");
        let message = parse(&format!("file='H.upf'\n{md5}\ncolour=1"));
        assert!(message.contains("colour"), "{message}");
    }
}
