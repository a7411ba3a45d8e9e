//! What can be wrong with a structure, a file that holds one, or a skeleton.

use std::path::PathBuf;

/// What can be wrong with a structure, a file that holds one, or a skeleton.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrystalError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A structure file is malformed.
    #[error("{format} line {line}: {message}")]
    Parse {
        /// `CIF`, `POSCAR`, `extxyz` or `JSON`.
        format: &'static str,
        /// One-based line number.
        line: usize,
        /// What was found and what would be right.
        message: String,
    },
    /// Something is wrong inside a file.
    #[error("{}: {error}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where there is one.
        error: Box<CrystalError>,
    },
    /// A file or text holds more than one structure and none was picked.
    #[error("{count} structures, expected one: pick one by its number, 0 to {}", count - 1)]
    SeveralStructures {
        /// How many there are.
        count: usize,
    },
    /// A file or text does not hold the structure that was picked.
    #[error("no structure {index}: the last of {count} is {}", count - 1)]
    NoSuchStructure {
        /// The number asked for, counted from 0.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A name that stands for no format of structure files.
    #[error("'{0}' tells no structure format: expected cif, poscar (.vasp), extxyz (.xyz) or json")]
    UnknownFormat(String),
    /// A name that is no element symbol.
    #[error("unknown element symbol '{0}': expected one of H, He, … Og")]
    UnknownElement(String),
    /// A name that is no built-in skeleton.
    #[error(
        "unknown skeleton '{0}': expected C1 … C7, an MP-20 row, a Materials Project identifier or \
         a plain name"
    )]
    UnknownSkeleton(String),
    /// A name that is neither a built-in skeleton's nor a file's.
    #[error(
        "unknown skeleton '{0}': expected C1 … C7, an MP-20 row, a Materials Project identifier, a \
         plain name, or a structure file, and there is no file of this name"
    )]
    NoSkeletonOrFile(String),
    /// A lattice with no volume or with impossible angles.
    #[error("invalid lattice: {0}")]
    InvalidLattice(String),
    /// A structure that cannot serve as a skeleton.
    #[error("invalid structure: {0}")]
    InvalidStructure(String),
    /// The wrong number of elements for a skeleton.
    #[error("skeleton {skeleton} has {expected} sites, but {found} elements were given")]
    SiteCount {
        /// Label of the skeleton.
        skeleton: String,
        /// Sites of the skeleton.
        expected: usize,
        /// Elements given.
        found: usize,
    },
    /// A spacing of k-points that no path can have.
    #[error(
        "k-points {spacing_per_ang} Å⁻¹ apart, expected a positive spacing that takes up to 100 000 of them"
    )]
    InvalidSpacing {
        /// The spacing in Å⁻¹.
        spacing_per_ang: f64,
    },
    /// A skeleton has more fillings than can be listed.
    #[error(
        "skeleton {skeleton} has {elements}^{sites} fillings with {elements} elements on {sites} \
         sites, more than can be listed: expected at most 50 million"
    )]
    TooManyFillings {
        /// Label of the skeleton.
        skeleton: String,
        /// Its sites.
        sites: usize,
        /// Elements to choose from.
        elements: usize,
    },
    /// A name that stands for no site of a skeleton.
    #[error("skeleton {skeleton} has no site '{name}', expected one of {known}")]
    UnknownSite {
        /// Label of the skeleton.
        skeleton: String,
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The symmetry search failed.
    #[error("symmetry search failed: {0}")]
    Symmetry(String),
}
