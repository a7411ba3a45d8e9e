//! What is to be said against a number that was computed without a failure.

use std::f64::consts::TAU;

use crystalgym_crystal::{Lattice, Skeleton, Structure};

use crate::{CalculationSettings, Property, Values, Warning, WarningCode};

/// The largest pressure in GPa that a crystal at rest may seem to have. PBE's lattice constants are off
/// by one to two per cent, which is a pressure of 3 to 6 % of the bulk modulus: 10 GPa for 170 to 330
/// GPa. What is beyond is no crystal in its own volume.
pub const REST_PRESSURE_GPA: f64 = 10.0;
/// The largest distance of k-points along a reciprocal vector, 2π included, in Å⁻¹, that band edges are
/// looked for on: half the width of a Brillouin zone of 6 Å.
pub const COARSE_SPACING_PER_ANG: f64 = 0.5;
/// Atomic numbers of V to Cu, the 3d elements whose compounds are magnetic more often than not.
const MAGNETIC_3D: std::ops::RangeInclusive<u8> = 23..=29;

/// What is to be said against the values of a structure, by these and by the settings that they were
/// computed with; nothing is computed anew.
pub fn warnings(
    property: Property,
    structure: &Structure,
    values: &Values,
    settings: &CalculationSettings,
) -> Vec<Warning> {
    [
        cutoff_too_low(property, settings),
        far_from_rest(values),
        bands_overlap(values),
        no_spin(structure),
        mesh_misses_band_edges(property, structure, values, settings),
        cell_step_limited(values),
        equation_of_state_extrapolated(values),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn cutoff_too_low(property: Property, settings: &CalculationSettings) -> Option<Warning> {
    let lower =
        |found: f64, needed: Option<f64>| needed.filter(|&needed| found < needed * (1.0 - 1e-9));
    let (waves, density) = (settings.ecutwfc_ry, settings.ecutrho_ry);
    let error = settings.stated_error.unwrap_or_default();
    let too_low = lower(waves, settings.needed_ecutwfc_ry);
    let message = match (error.is_within_balanced(property), too_low) {
        (Some(true), _) => return None,
        (Some(false), None) => format!(
            "at {waves} Ry without pulay_correction the error is up to {error} in a small crystal \
             of each element"
        ),
        (Some(false), Some(needed)) => format!(
            "{waves} Ry, but the elements need {needed}: the error is up to {error} in a small \
             crystal of each element"
        ),
        (None, Some(needed)) => format!("{waves} Ry, but the elements need {needed}"),
        (None, None) => {
            let needed = lower(density, settings.needed_ecutrho_ry)?;
            format!("{density} Ry for the density, but the elements need {needed}")
        }
    };
    Some(Warning::new(WarningCode::CutoffTooLow, message))
}

fn far_from_rest(values: &Values) -> Option<Warning> {
    let pressure = values.pressure_gpa?;
    (pressure.abs() > REST_PRESSURE_GPA).then(|| {
        let size = if pressure > 0.0 { "small" } else { "large" };
        let message = format!(
            "the pressure is {pressure:.1} GPa, beyond the {REST_PRESSURE_GPA} GPa of a crystal at \
             rest: its cell is too {size}, or the cutoff too low"
        );
        Warning::new(WarningCode::FarFromRest, message)
    })
}

fn bands_overlap(values: &Values) -> Option<Warning> {
    let (homo, lumo) = (values.homo_ev?, values.lumo_ev?);
    (lumo < homo).then(|| {
        let message = format!(
            "the lowest empty level, {lumo:.3} eV, is below the highest filled one, {homo:.3} eV: a \
             metal, whose gap of 0 is none"
        );
        Warning::new(WarningCode::BandsOverlap, message)
    })
}

fn no_spin(structure: &Structure) -> Option<Warning> {
    let is_magnetic = |number| MAGNETIC_3D.contains(&number);
    let mut elements = structure.elements.clone();
    elements.retain(|element| is_magnetic(element.atomic_number()));
    elements.sort_unstable();
    elements.dedup();
    (!elements.is_empty()).then(|| {
        let symbols: Vec<&str> = elements.iter().map(|e| e.symbol()).collect();
        let message = format!(
            "electrons are paired, but compounds of {} are often magnetic",
            symbols.join(", ")
        );
        Warning::new(WarningCode::NoSpin, message)
    })
}

fn mesh_misses_band_edges(
    property: Property,
    structure: &Structure,
    values: &Values,
    settings: &CalculationSettings,
) -> Option<Warning> {
    if property != Property::BandGap || values.gap_edges.is_some() {
        return None;
    }
    let mesh = settings.mesh_text();
    let spacing = largest_spacing_per_ang(&structure.lattice, settings.k_mesh);
    let message = if spacing > COARSE_SPACING_PER_ANG {
        format!(
            "the mesh of {mesh} has k-points {spacing:.2} Å⁻¹ apart, more than \
             {COARSE_SPACING_PER_ANG}: band edges can lie between them"
        )
    } else if settings.k_mesh.iter().any(|d| d % 2 == 1) {
        format!(
            "the mesh of {mesh} is odd and has no point on the border of the Brillouin zone, where \
             band edges often lie"
        )
    } else {
        return None;
    };
    Some(Warning::new(WarningCode::MeshMissesBandEdges, message))
}

/// Distance of neighbouring points of the mesh along the reciprocal vectors, `|bᵢ|/nᵢ`, the largest of
/// the three, in Å⁻¹, 2π included.
fn largest_spacing_per_ang(lattice: &Lattice, k_mesh: [u32; 3]) -> f64 {
    let lengths = lattice.reciprocal().map(|b| TAU * norm(b));
    let spacings = lengths.into_iter().zip(k_mesh);
    spacings.fold(0.0, |most, (length, d)| {
        f64::max(most, length / f64::from(d))
    })
}

fn cell_step_limited(values: &Values) -> Option<Warning> {
    values.is_cell_step_limited?.then(|| {
        let message = "the step of the cell met its trust radius of 0.5 bohr: the density of the \
                       crystal at rest is still further from that of the given cell";
        Warning::new(WarningCode::CellStepLimited, message.to_owned())
    })
}

fn equation_of_state_extrapolated(values: &Values) -> Option<Warning> {
    let fit = values.equation_of_state.as_ref()?;
    (!fit.brackets_minimum()).then(|| {
        let message = format!(
            "V0 is {:.2} of the cell's volume, outside the volumes that were computed: the modulus \
             is an extrapolation; V d²E/dV² at the cell is {:.1} GPa",
            fit.equilibrium_volume_ang3 / values.volume_ang3,
            fit.modulus_at_reference_gpa
        );
        Warning::new(WarningCode::EquationOfStateExtrapolated, message)
    })
}

/// Largest distance in Å by which rounding moves sites in files.
const ROUNDING_ANG: f64 = 2e-3;

/// Whether a skeleton is not where its source lists it: rounding apart, it was moved to where it is
/// exactly symmetric.
pub fn symmetry_snapped(skeleton: &Skeleton) -> Option<Warning> {
    let source = &skeleton.source;
    let sites = skeleton
        .frac_coords
        .iter()
        .zip(&source.published_frac_coords);
    let moved = sites.map(|(exact, listed)| {
        let change = std::array::from_fn(|i| {
            let difference = exact[i] - listed[i];
            difference - difference.round()
        });
        norm(skeleton.lattice.to_cart(change))
    });
    let vectors = skeleton.lattice.lengths().into_iter();
    let stretched = vectors.zip(source.published_lattice.lengths());
    let stretched = stretched.map(|(exact, listed)| (exact - listed).abs());
    let most = moved.chain(stretched).fold(0.0, f64::max);
    (most > ROUNDING_ANG).then(|| {
        let message = format!(
            "sites or lattice vectors were moved by up to {most:.4} Å, to where they are exactly \
             symmetric (space group {} of the empty frame)",
            skeleton.symmetry.space_group_number
        );
        Warning::new(WarningCode::SymmetrySnapped, message)
    })
}

fn norm(vector: [f64; 3]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}
