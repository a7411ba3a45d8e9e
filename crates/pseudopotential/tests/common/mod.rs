#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "each test binary uses its part")]

use crystalgym_crystal::Element;
use crystalgym_pseudopotential::{Manifest, ManifestEntry};
use md5::{Digest, Md5};

pub(crate) fn element(symbol: &str) -> Element {
    symbol.parse().unwrap()
}

/// A file with a header and nothing else.
pub(crate) fn upf(symbol: &str, z_valence: f64) -> String {
    format!(
        "<UPF version=\"2.0.1\"><PP_HEADER element=\"{symbol}\" pseudo_type=\"US\" \
         z_valence=\"{z_valence}\" functional=\"PBE\" mesh_size=\"11\" number_of_wfc=\"0\" \
         number_of_proj=\"0\"/></UPF>\n"
    )
}

pub(crate) fn valence(symbol: &str) -> f64 {
    if symbol == "Cl" { 7.0 } else { 1.0 }
}

pub(crate) fn md5_hex(bytes: &[u8]) -> String {
    Md5::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A manifest whose files are [`upf`] of each element.
pub(crate) fn manifest(files: &[(&str, &str)]) -> Manifest {
    Manifest {
        name: "test".into(),
        functional: "PBE".into(),
        archive_url: None,
        archive_md5: None,
        elements: files
            .iter()
            .map(|(symbol, file)| {
                let entry = ManifestEntry {
                    file: (*file).into(),
                    md5: md5_hex(upf(symbol, valence(symbol)).as_bytes()),
                    ecutwfc_ry: Some(30.0),
                    ecutrho_ry: Some(240.0),
                    z_valence: None,
                    library: None,
                };
                (element(symbol), entry)
            })
            .collect(),
    }
}
