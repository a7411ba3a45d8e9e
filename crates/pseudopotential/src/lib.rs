//! Pseudopotential families: manifests, checksums, installation.
