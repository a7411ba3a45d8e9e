//! What is kept and what is made again.

use rustfft::num_complex::Complex64;

use super::storage::KeptPrecision;
use crate::basis::PlaneWaveBasis;

const MIB: usize = 1 << 20;

/// How much memory may be spent on speed; the aim is 1 GiB for the whole.
///
/// The largest crystal of the benchmark has 299 Å³, 12 000 plane waves at 50 Ry and, without symmetry,
/// 63 k-points. Its bands then take some 250 MB in double precision if it is made of main-group
/// elements, and twice as much if it is made of transition metals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemoryPlan {
    pub(crate) kept: KeptPrecision,
    /// Largest subspace of the eigensolver in units of the number of bands: a smaller one is
    /// collapsed more often.
    pub(super) subspace_factor: usize,
    /// The most that is kept of projectors, in bytes; to make the others at each use takes 2 % of
    /// the time.
    pub(super) projector_bytes: usize,
    /// Whether the coarse mesh's bands are kept to start from, and H applied to them: in single precision
    /// at most a quarter of what bands take here.
    pub(crate) keeps_coarse_bands: bool,
    /// Whether freed memory is returned to the system at once.
    gives_back: bool,
}

impl MemoryPlan {
    pub(super) fn give_back_free_memory(self) {
        if self.gives_back {
            trim();
        }
    }

    /// For this number of bands at each k-point.
    pub(super) fn of(basis: &PlaneWaveBasis, bands: usize) -> Self {
        let waves: usize = basis.waves.iter().map(|waves| waves.len()).sum();
        match waves * bands * size_of::<Complex64>() / MIB {
            0..256 => Self {
                kept: KeptPrecision::Double,
                subspace_factor: 4,
                projector_bytes: 64 * MIB,
                keeps_coarse_bands: true,
                gives_back: false,
            },
            256..512 => Self {
                kept: KeptPrecision::Single,
                subspace_factor: 4,
                projector_bytes: 64 * MIB,
                keeps_coarse_bands: true,
                gives_back: false,
            },
            512.. => Self {
                kept: KeptPrecision::Single,
                subspace_factor: 3,
                projector_bytes: 0,
                keeps_coarse_bands: false,
                gives_back: true,
            },
        }
    }
}

/// Returns what has been freed to the system: the C library keeps up to 64 MiB a thread of it, in holes
/// that what is needed next does not fit into.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    unsafe extern "C" {
        safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    malloc_trim(0);
}

/// Other C libraries have no such call.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}
