//! How the projectors of a species are numbered.

use crate::{
    model::{Atom, Model},
    pseudo::Pseudopotential,
};

/// A projector of a species: which radial function, and which spherical harmonic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel {
    pub(crate) radial: usize,
    pub(crate) l: usize,
    /// Index of Y_lm among all harmonics.
    pub(crate) harmonic: usize,
}

/// The projectors of a species in the order of the rows of its [`ProjectorMatrices`].
pub(crate) fn projector_channels(species: &Pseudopotential) -> Vec<Channel> {
    (0..species.projector_count())
        .flat_map(|radial| {
            let l = species.projector_l()[radial];
            (l * l..(l + 1) * (l + 1)).map(move |harmonic| Channel {
                radial,
                l,
                harmonic,
            })
        })
        .collect()
}

/// Number of projectors of each atom.
pub(crate) fn projector_sides(model: &Model) -> Vec<usize> {
    let side = |atom: &Atom| {
        let l = model.species[atom.species].projector_l();
        l.iter().map(|l| 2 * l + 1).sum()
    };
    model.atoms.iter().map(side).collect()
}
