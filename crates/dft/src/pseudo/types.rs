//! What a pseudopotential consists of.

use crystalgym_crystal::Element;

use super::{gth::GthParameters, radial::RadialMesh, table_cache::TableCache};
use crate::xc::Functional;

/// How the valence wave functions meet the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PseudopotentialKind {
    /// Overlap is the identity.
    NormConserving,
    /// Vanderbilt's ultrasoft: generalised overlap and augmentation charges.
    Ultrasoft,
    /// Projector augmented waves: ultrasoft plus one-centre energies.
    Paw,
}

impl std::fmt::Display for PseudopotentialKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NormConserving => "norm-conserving",
            Self::Ultrasoft => "ultrasoft",
            Self::Paw => "PAW",
        })
    }
}

/// The pseudopotential of one species, in Hartree atomic units.
///
/// V = V_loc(r) + Σ_ij |β_i Y_lm⟩ D_ij ⟨β_j Y_lm|, the sum over projectors of equal l for each m.
/// Its form factors are the methods [`local`](Self::local), [`projector`](Self::projector), …
#[derive(Debug, Clone, PartialEq)]
pub struct Pseudopotential {
    /// The element.
    pub(super) element: Element,
    /// Norm-conserving, ultrasoft or PAW.
    pub(super) kind: PseudopotentialKind,
    /// Functional it was made with.
    pub(super) functional: Functional,
    /// Number of valence electrons.
    pub(super) z_valence: f64,
    /// Angular momentum l of each projector β_i.
    pub(super) projector_l: Vec<usize>,
    /// Coupling D_ij in hartree, n × n row by row, symmetric, zero between different l.
    pub(super) coupling: Vec<f64>,
    /// The atomic orbitals that come with it.
    pub(super) orbitals: Vec<OrbitalInfo>,
    /// Whether there is a core charge for the nonlinear core correction.
    pub(super) has_core_charge: bool,
    /// Whether projectors of a fully relativistic file were averaged over j.
    pub(super) is_spin_orbit_average: bool,
    /// Where the radial functions come from.
    pub(super) source: Source,
    /// Tables of the form factors, once they are needed.
    pub(super) tables: TableCache,
}

/// Label and occupation of an atomic orbital.
#[derive(Debug, Clone, PartialEq)]
pub struct OrbitalInfo {
    /// Label such as `3S`.
    pub label: String,
    /// Angular momentum.
    pub l: usize,
    /// Electrons in the free atom; negative for unbound states that are not to be used.
    pub occupation: f64,
}

/// Radial functions on a mesh, or closed forms.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    Tabulated(Box<RadialFunctions>),
    Analytic(Box<GthParameters>),
}

/// Everything a UPF file holds on its radial mesh; energies in hartree.
#[derive(Debug, Clone, PartialEq)]
pub struct RadialFunctions {
    /// The mesh.
    pub mesh: RadialMesh,
    /// V_loc(r) in hartree.
    pub local: Vec<f64>,
    /// r V_loc(r) + Z erf r in hartree·bohr: its short-ranged part.
    pub(super) short_range_local: Vec<f64>,
    /// r β_i(r) for each projector.
    pub projectors: Vec<Vec<f64>>,
    /// Number of mesh points over which projectors and augmentation charges are integrated.
    pub projector_points: usize,
    /// r χ(r) for each atomic orbital.
    pub orbitals: Vec<Vec<f64>>,
    /// 4πr² ρ(r) of the free pseudo-atom, which integrates to the number of valence electrons.
    pub atomic_density: Vec<f64>,
    /// Core charge density ρ_core(r) in bohr⁻³.
    pub core_density: Option<Vec<f64>>,
    /// Augmentation charges of ultrasoft and PAW.
    pub augmentation: Option<Augmentation>,
    /// What only PAW has.
    pub paw: Option<PawData>,
}

/// Augmentation charges Q_ij(r) = Σ_L Q_ij^L(r) Y_LM of a pair of projectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Augmentation {
    /// ∫ Q_ij d³r, n × n row by row; couples equal l only.
    pub charges: Vec<f64>,
    /// The radial parts, i ≤ j, ordered by i, then j, then L.
    pub functions: Vec<AugmentationFunction>,
    /// Largest L that occurs.
    pub l_max: usize,
}

/// r² Q_ij^L(r) of one pair of projectors and one angular momentum.
#[derive(Debug, Clone, PartialEq)]
pub struct AugmentationFunction {
    /// First projector, i ≤ j.
    pub i: usize,
    /// Second projector.
    pub j: usize,
    /// Angular momentum, |l_i − l_j| ≤ L ≤ l_i + l_j in steps of 2.
    pub l: usize,
    /// r² Q_ij^L(r) on the mesh.
    pub values: Vec<f64>,
}

/// The one-centre data of PAW; energies in hartree.
#[derive(Debug, Clone, PartialEq)]
pub struct PawData {
    /// r φ_i(r), all-electron partial waves.
    pub all_electron_waves: Vec<Vec<f64>>,
    /// r φ̃_i(r), pseudo partial waves.
    pub pseudo_waves: Vec<Vec<f64>>,
    /// Occupation of each projector's channel in the free atom.
    pub occupations: Vec<f64>,
    /// All-electron core density in bohr⁻³.
    pub core_density: Vec<f64>,
    /// All-electron local potential, −Z/r and more, in hartree.
    pub local: Vec<f64>,
    /// Energy of the core, which the total energy of `pw.x` leaves out, in hartree.
    pub core_energy: f64,
    /// Number of mesh points inside the augmentation sphere.
    pub augmentation_points: usize,
    /// Moments ∫ r^{2+L} (φ_i φ_j − φ̃_i φ̃_j) dr, index (L n + j) n + i; empty if the file has none.
    pub multipoles: Vec<f64>,
}

impl Pseudopotential {
    /// The element.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Symbol of the element.
    pub fn symbol(&self) -> &'static str {
        self.element.symbol()
    }

    /// Norm-conserving, ultrasoft or PAW.
    pub fn kind(&self) -> PseudopotentialKind {
        self.kind
    }

    /// Functional it was made with.
    pub fn functional(&self) -> Functional {
        self.functional
    }

    /// Number of valence electrons.
    pub fn z_valence(&self) -> f64 {
        self.z_valence
    }

    /// Angular momentum l of each projector β_i.
    pub fn projector_l(&self) -> &[usize] {
        &self.projector_l
    }

    /// Coupling D_ij in hartree, n × n row by row, symmetric, zero between different l.
    pub fn coupling(&self) -> &[f64] {
        &self.coupling
    }

    /// The atomic orbitals that come with it.
    pub fn orbitals(&self) -> &[OrbitalInfo] {
        &self.orbitals
    }

    /// Whether there is a core charge for the nonlinear core correction.
    pub fn has_core_charge(&self) -> bool {
        self.has_core_charge
    }

    /// Whether projectors of a fully relativistic file were averaged over j.
    pub fn is_spin_orbit_average(&self) -> bool {
        self.is_spin_orbit_average
    }

    /// Number of projectors, each of which stands for 2l + 1 functions.
    pub fn projector_count(&self) -> usize {
        self.projector_l.len()
    }

    /// D_ij in hartree.
    pub fn coupling_between(&self, i: usize, j: usize) -> f64 {
        self.coupling[i * self.projector_count() + j]
    }

    /// Functions on the radial mesh; `None` for the analytic family.
    pub fn radial_functions(&self) -> Option<&RadialFunctions> {
        match &self.source {
            Source::Tabulated(functions) => Some(functions),
            Source::Analytic(_) => None,
        }
    }

    /// Augmentation charges; `None` for norm-conserving ones.
    pub fn augmentation(&self) -> Option<&Augmentation> {
        self.radial_functions()?.augmentation.as_ref()
    }

    /// One-centre data; `None` unless PAW.
    pub fn paw(&self) -> Option<&PawData> {
        self.radial_functions()?.paw.as_ref()
    }

    /// Largest l of the projectors, 0 if there are none.
    pub fn l_max(&self) -> usize {
        self.projector_l.iter().copied().max().unwrap_or(0)
    }
}
