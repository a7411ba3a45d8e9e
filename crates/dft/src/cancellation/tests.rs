//! Whatever a calculation is doing, it asks, and ends once it is told to.

use std::{
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use super::{Cancellation, STEPS_BETWEEN};
use crate::{
    Atom, Cell, DftError, Discretisation, KMesh, Model, Neighbours, Occupations, PlaneWaveBasis,
    ScfControl, ScfEnd, ScfOptions, ScfResult, SetUp, Smearing, StartingPoint,
    basis::{DensityGrid, PointOrbits, WaveBasis, irreducible_k_points_unless},
    density::Density,
    forces_and_stress_unless,
    properties::ground_state_of,
    pseudo::Pseudopotential,
    self_consistent_field, space_group_operations, stress_unless,
    symmetry::{AtomSymmetrizer, Symmetrizer, space_group_operations_unless},
    terms::{
        TERMS, Terms, augmentation::AugmentationCharges, core_correction::core_density,
        ewald::ewald_energy, local::local_potential, paw::OneCentreTerms, xc::exchange_correlation,
    },
    xc::Functional,
};

const ONE: NonZeroUsize = NonZeroUsize::MIN;

/// A wish to stop that comes with some question.
struct Wish {
    asked: AtomicUsize,
    /// The question that is the first to be answered by yes, counted from 1.
    number: usize,
}

impl Wish {
    fn at(number: usize) -> Self {
        Self {
            asked: AtomicUsize::new(0),
            number,
        }
    }

    fn answer(&self) -> bool {
        self.asked.fetch_add(1, SeqCst) + 1 >= self.number
    }
}

type Work<'a> = Box<dyn Fn(Cancellation<'_>) -> Result<(), DftError> + 'a>;
/// Name, how often it asks at least, and the work itself.
type Stage<'a> = (&'a str, usize, Work<'a>);

fn stage<'a, T>(
    name: &'a str,
    least: usize,
    work: impl Fn(Cancellation<'_>) -> Result<T, DftError> + 'a,
) -> Stage<'a> {
    (
        name,
        least,
        Box::new(move |cancellation| work(cancellation).map(|_| ())),
    )
}

/// How often a stage asks if nobody stops it.
fn questions((name, _, work): &Stage<'_>) -> usize {
    let wish = Wish::at(usize::MAX);
    let answer = || wish.answer();
    let end = work(Cancellation::by(&answer));
    assert_eq!(end, Ok(()), "{name}");
    wish.asked.load(SeqCst)
}

/// The first questions, all of them, and some of those after them.
fn numbers(total: usize, first: usize) -> impl Iterator<Item = usize> {
    let later = (first + 1..=total).step_by(1 + total / 20);
    (1..=total.min(first)).chain(later)
}

/// Identity: a stage asks as often as it has pieces of work, and ends as cancelled whichever of its
/// questions is answered by yes.
fn check(stage: &Stage<'_>) {
    let (name, least, work) = stage;
    let total = questions(stage);
    assert!(total >= *least, "{name} asks {total} times, not {least}");
    for number in numbers(total, 20) {
        let wish = Wish::at(number);
        let answer = || wish.answer();
        let end = work(Cancellation::by(&answer));
        assert_eq!(
            end,
            Err(DftError::Cancelled),
            "{name}, {number} of {total} questions"
        );
    }
}

/// A PAW potential with a core charge, as `pw.x` comes with.
fn boron() -> Option<Pseudopotential> {
    let path = Path::new("/usr/share/espresso/pseudo/B.pbe-n-kjpaw_psl.1.0.0.UPF");
    if !path.exists() {
        crystalgym_testing::missing(&path.display().to_string());
        return None;
    }
    Some(Pseudopotential::from_upf_file(path).unwrap())
}

/// Two atoms of a potential whose tables have not been made.
fn model(potential: &Pseudopotential) -> Model {
    Model {
        cell: Cell::new([[0.0, 3.4, 3.4], [3.4, 0.0, 3.4], [3.4, 3.4, 0.0]]).unwrap(),
        functional: potential.functional(),
        species: vec![Arc::new(potential.clone())],
        atoms: [[0.0; 3], [0.25; 3]]
            .map(|frac| Atom { species: 0, frac })
            .to_vec(),
        occupations: Occupations::Smeared {
            smearing: Smearing::Gaussian,
            width_ha: 0.02,
        },
    }
}

fn discretisation() -> Discretisation {
    Discretisation {
        ecut_ha: 4.0,
        ecut_density_ha: 16.0,
        k_mesh: KMesh::gamma_centred([3; 3]),
        use_symmetry: true,
    }
}

fn basis(potential: &Pseudopotential) -> PlaneWaveBasis {
    PlaneWaveBasis::new(Arc::new(model(potential)), discretisation()).unwrap()
}

fn solved(basis: &PlaneWaveBasis) -> ScfResult {
    self_consistent_field(basis, &ScfOptions::default(), ScfControl::default()).unwrap()
}

/// The stages of the set-up, one by one, so that none can stop asking unnoticed.
#[test]
fn each_stage_of_the_set_up_asks_and_ends() {
    let silicon = Pseudopotential::gth_pbe("Si".parse().unwrap()).unwrap();
    let basis = basis(&silicon);
    let (model, grid) = (&basis.model, &basis.density_grid);
    let operations = space_group_operations(model);
    let (mesh, waves) = (basis.discretisation.k_mesh, &basis.waves[1]);
    let terms = Terms::new(&basis, Cancellation::NEVER).unwrap();
    let density = Density::of_atoms(&basis, &terms, Cancellation::NEVER).unwrap();
    let known = StartingPoint::of(&basis, &solved(&basis));
    let xc = |functional| {
        let (field, orbits) = (&density.field, &basis.point_orbits);
        move |c: Cancellation<'_>| {
            exchange_correlation(functional, grid, orbits, field, None, ONE, c)
        }
    };
    let stages = [
        stage("space group", 96, |c| {
            space_group_operations_unless(c, model)
        }),
        stage("k-points", 1, |c| {
            irreducible_k_points_unless(c, mesh, &operations)
        }),
        stage("plane waves of the density", 5, |c| {
            DensityGrid::new(model.cell, 16.0, c)
        }),
        stage("plane waves of the bands", 2, |c| {
            WaveBasis::new(&model.cell, waves.k_point, 4.0, &basis.wave_grid, c)
        }),
        stage("stars of plane waves", 1, |c| {
            Symmetrizer::new(grid, &operations, c)
        }),
        stage("orbits of points", 1, |c| {
            PointOrbits::new(grid.fft.dims(), &operations, c)
        }),
        stage("symmetrisation", 1, |c| {
            basis.symmetrizer.symmetrize(&mut density.field.clone(), c)
        }),
        stage("turned harmonics", 48, |c| {
            AtomSymmetrizer::new(model, &operations, c)
        }),
        stage("coarser mesh", 3, |c| basis.coarser(c)),
        stage("local potential", 1, |c| local_potential(model, grid, c)),
        stage("ions", 2, |c| ewald_energy(model, c)),
        stage("density of atoms", 2, |c| {
            Density::of_atoms(&basis, &terms, c)
        }),
        stage("density of a neighbour", 3, |c| {
            Neighbours::from(&known).density(&basis, c)
        }),
        stage("LDA", 2, xc(Functional::LdaPw)),
        stage("PBE", 6, xc(Functional::Pbe)),
        stage("potential", 7, |c| terms.evaluate(&basis, &density, ONE, c)),
    ];
    for stage in &stages {
        check(stage);
    }
}

/// The same where there are tables, core charges, augmentation and spheres.
#[test]
fn each_stage_of_a_tabulated_potential_asks_and_ends() {
    let Some(boron) = boron() else { return };
    let basis = basis(&boron);
    let (model, grid) = (&basis.model, &basis.density_grid);
    let terms = Terms::new(&basis, Cancellation::NEVER).unwrap();
    let density = Density::of_atoms(&basis, &terms, Cancellation::NEVER).unwrap();
    let occupations = &density.projector_occupations;
    let (charges, spheres) = (
        terms.augmentation.as_ref().unwrap(),
        terms.one_centre.as_ref().unwrap(),
    );
    // Tables are kept with a potential: each time another one.
    let stages = [
        stage("tables of projectors", 2, |c| {
            boron.clone().wave_tables_unless(c, 3.0)
        }),
        stage("tables of charges", 2, |c| {
            boron.clone().augmentation_tables_unless(c, 3.0)
        }),
        stage("core", 1, |c| core_density(model, grid, c)),
        stage("charges", 1, |c| AugmentationCharges::new(model, grid, c)),
        stage("spheres", 1, |c| {
            OneCentreTerms::new(model, &basis.operations, c)
        }),
        stage("density of charges", 1, |c| {
            charges.add_density(grid, occupations, ONE, &mut density.field.clone(), c)
        }),
        stage("coupling of charges", 2, |c| {
            let mut coupling = terms.bare_coupling.clone();
            charges.add_coupling(grid, &density.field, ONE, &mut coupling, c)
        }),
        stage("energy of spheres", 2, |c| {
            spheres.evaluate(occupations, ONE, c)
        }),
    ];
    for stage in &stages {
        check(stage);
    }
}

/// Each term of forces and stress.
#[test]
fn each_term_of_forces_and_stress_asks_and_ends() {
    let Some(boron) = boron() else { return };
    let basis = basis(&boron);
    let result = solved(&basis);
    let state = ground_state_of(&basis, &result, ONE, Cancellation::NEVER).unwrap();
    let least = [(0, 4), (0, 1), (1, 1), (1, 4), (16, 28), (1, 1), (2, 2)];
    for (index, (term, (of_forces, of_stress))) in TERMS.iter().zip(least).enumerate() {
        if let Some(forces) = term.forces {
            let name = format!("term {index} of the forces");
            check(&stage(&name, of_forces, |c| forces(&state.asking(c))));
        }
        let name = format!("term {index} of the stress");
        check(&stage(&name, of_stress, |c| {
            (term.strain)(&state.asking(c))
        }));
    }
    check(&stage("forces and stress", 80, |c| {
        forces_and_stress_unless(c, &basis, &result, ONE)
    }));
    check(&stage("stress", 60, |c| {
        stress_unless(c, &basis, &result, ONE)
    }));
}

/// The whole set-up, and the loop after it: whichever question is answered by yes, nothing comes of
/// it but the word that it was cancelled.
#[test]
fn a_calculation_ends_at_every_question() {
    let silicon = Pseudopotential::gth_pbe("Si".parse().unwrap()).unwrap();
    let run = |wish: &Wish| {
        let answer = || wish.answer();
        let set_up = SetUp {
            is_cancelled: Some(&answer),
            ..SetUp::default()
        };
        let basis = PlaneWaveBasis::within(Arc::new(model(&silicon)), discretisation(), set_up)?;
        let control = ScfControl {
            is_cancelled: Some(&answer),
            ..ScfControl::default()
        };
        self_consistent_field(&basis, &ScfOptions::default(), control)
    };
    let never = Wish::at(usize::MAX);
    let result = run(&never).unwrap();
    assert!(result.is_converged());
    let total = never.asked.load(SeqCst);
    let mut before_the_loop = 0;
    for number in numbers(total, 400) {
        match run(&Wish::at(number)) {
            Err(error) => {
                assert_eq!(error, DftError::Cancelled);
                before_the_loop = number;
            }
            Ok(result) => {
                assert_eq!(result.end, ScfEnd::Cancelled, "{number} of {total}");
                assert!(result.bands.is_none(), "{number} of {total}");
            }
        }
    }
    assert!(
        before_the_loop > 20 && before_the_loop < total,
        "{before_the_loop} {total}"
    );
}

/// A long loop asks again and again, so that none takes long between two questions.
#[test]
fn long_loops_ask_in_proportion_to_their_length() {
    let silicon = Pseudopotential::gth_pbe("Si".parse().unwrap()).unwrap();
    let model = model(&silicon);
    let operations = space_group_operations(&model);
    let small = DensityGrid::new(model.cell, 16.0, Cancellation::NEVER).unwrap();
    let large = DensityGrid::new(model.cell, 4000.0, Cancellation::NEVER).unwrap();
    assert!(large.len() > STEPS_BETWEEN / 2, "{}", large.len());
    let of = |grid: &DensityGrid| {
        [
            questions(&stage("plane waves", 1, |c| {
                DensityGrid::new(model.cell, grid.g2[grid.len() - 1] / 2.0, c)
            })),
            questions(&stage("stars", 1, |c| {
                Symmetrizer::new(grid, &operations, c)
            })),
            questions(&stage("local potential", 1, |c| {
                local_potential(&model, grid, c)
            })),
        ]
    };
    for (few, many) in of(&small).into_iter().zip(of(&large)) {
        assert!(few <= 8 && many > few, "{few} {many}");
    }
}
