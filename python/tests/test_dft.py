"""The plane-wave engine from Python and through ASE."""

from __future__ import annotations

import copy
import json
import pickle
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import CalculatorSetupError, SCFError
from ase.units import GPa

import crystalgym as cg
from crystalgym.ase import PlaneWaveCalculator
from crystalgym.errors import DftError

RY_EV = 13.605693122994
HALF = 5.43 / 2
SILICON = cg.Structure(
    [[0, HALF, HALF], [HALF, 0, HALF], [HALF, HALF, 0]],
    ["Si", "Si"],
    [[0, 0, 0], [0.25, 0.25, 0.25]],
)
SETTINGS = {"cutoff_ev": 150.0, "k_mesh": (2, 2, 2), "convergence_ev": 1e-7}


def test_what_a_calculation_says_fits_together() -> None:
    found = cg.ground_state(SILICON, **SETTINGS)
    assert found.converged and found.end == "converged"
    assert found.error_history[-1] < 1e-7 < found.error_history[0]
    assert found.k_points.shape == (len(found.k_weights), 3)
    assert found.bands.shape == found.occupations.shape
    assert found.k_weights.sum() == pytest.approx(1, abs=1e-14)
    # Identity: eight valence electrons.
    assert found.k_weights @ found.occupations.sum(axis=1) == pytest.approx(8, abs=1e-12)
    assert found.homo == found.bands[found.occupations > 1].max()
    assert found.lumo == found.bands[found.occupations < 1].min()
    assert found.band_gap == pytest.approx(found.lumo - found.homo)
    assert found.fermi_level is None


def test_threads_symmetry_and_smearing() -> None:
    """Oracles: the same bits on two threads; the same energy without symmetry; a gap keeps
    smeared electrons where fixed ones are."""
    energy = cg.ground_state(SILICON, **SETTINGS).energy
    assert cg.ground_state(SILICON, **SETTINGS, threads=2).energy == energy
    whole = cg.ground_state(SILICON, **SETTINGS, use_symmetry=False)
    assert len(whole.k_points) > 3
    assert whole.energy == pytest.approx(energy, abs=1e-6)
    smeared = cg.ground_state(SILICON, **SETTINGS, smearing="gaussian", width_ev=0.01)
    assert smeared.energy == pytest.approx(energy, abs=1e-6)
    assert smeared.fermi_level is not None


def test_bands_and_states_of_a_converged_density() -> None:
    """Oracles: on the mesh of the density the bands are those of the loop; eight electrons are
    below the gap."""
    state = cg.ground_state(SILICON, **SETTINGS, bands=6)
    bands = state.band_structure(spacing=0.3)
    assert bands.lattice == "FCC" and bands.labels[0] == "Γ"
    n_k, n_bands = bands.energies.shape
    assert n_bands == 8 and bands.k_points.shape == (n_k, 3)
    assert len(bands.labels) == len(bands.distances) == len(bands.branches) == n_k
    assert np.all(np.diff(bands.distances) >= 0)
    gamma = np.flatnonzero(np.all(np.abs(state.k_points) < 1e-12, axis=1))[0]
    assert bands.energies[0, :6] == pytest.approx(state.bands[gamma], abs=1e-3)
    edges = bands.edges
    assert edges is not None and edges["valence"]["label"] == "Γ"
    assert bands.reference == edges["valence"]["energy_ev"]
    gap = edges["conduction"]["energy_ev"] - edges["valence"]["energy_ev"]
    assert bands.band_gap == pytest.approx(gap)
    assert "Bands of Si" in bands.svg((-5, 5)) == bands.svg(window=(-5, 5))
    assert bands._repr_svg_().startswith("<svg")

    same_mesh = state.density_of_states(k_mesh=(2, 2, 2), bands=6)
    assert same_mesh.band_gap == pytest.approx(state.band_gap, abs=2e-3)
    states = state.density_of_states(spacing=0.5, step=0.05)
    # The reciprocal vectors are 2π√3/a = 2.004 Å⁻¹ long: four divisions are not enough, five odd.
    assert states.k_mesh == (6, 6, 6)
    assert states.energies.shape == states.states.shape == states.electrons_below.shape
    assert states.fermi_level is not None
    in_the_gap = states.energies > states.fermi_level + 0.5 * states.band_gap
    assert states.electrons_below[in_the_gap][0] == pytest.approx(8, abs=1e-9)
    smooth = state.density_of_states(spacing=0.5, gaussian=0.2, window=(-20, 30), bands=8)
    assert smooth.states.sum() * 0.02 == pytest.approx(16, abs=1e-3)
    assert "Density of states of Si" in states.svg()

    for wrong in [{"spacing": 0}, {"bands": 2}]:
        with pytest.raises(DftError):
            state.band_structure(**wrong)
    for wrong in [{"step": 0}, {"gaussian": -1}, {"k_mesh": (0, 1, 1)}]:
        with pytest.raises(DftError):
            state.density_of_states(**wrong)
    unfinished = cg.ground_state(SILICON, **SETTINGS, max_iterations=2)
    with pytest.raises(DftError):
        unfinished.band_structure()


def test_ase_gets_the_engines_energy() -> None:
    atoms = SILICON.to_ase()
    atoms.calc = PlaneWaveCalculator(**SETTINGS)
    expected = cg.ground_state(SILICON, **SETTINGS).energy
    assert atoms.get_potential_energy() == expected
    # Nothing moved: nothing is computed again.
    state = atoms.calc.ground_state
    atoms.get_potential_energy()
    assert atoms.calc.ground_state is state
    # Symmetry: the energy does not change where the origin is moved.
    atoms.positions += [0.1, 0.2, 0.3]
    assert atoms.get_potential_energy() == pytest.approx(expected, abs=2e-3)
    assert atoms.calc.ground_state is not state


def test_energy_forces_and_stress_take_one_calculation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the calls, counted; the numbers of one call that asks for all."""
    calls: list[dict[str, Any]] = []

    def counted(atoms: Any, **settings: Any) -> cg.GroundState:
        calls.append(settings)
        return cg.ground_state(atoms, **settings)

    monkeypatch.setattr("crystalgym.ase.ground_state", counted)
    atoms = SILICON.to_ase()
    atoms.calc = PlaneWaveCalculator(**SETTINGS)
    energy = atoms.get_potential_energy()
    forces, stress = atoms.get_forces(), atoms.get_stress()
    assert len(calls) == 1
    at_once = cg.ground_state(atoms, **SETTINGS, forces=True)
    assert at_once.forces is not None
    assert energy == at_once.energy and np.array_equal(forces, at_once.forces)
    # Results are copies.
    forces += 1
    stress += 1
    atoms.calc.get_eigenvalues()[:] = 0
    assert np.array_equal(atoms.get_forces(), at_once.forces)
    assert not np.array_equal(atoms.get_stress(), stress)
    assert np.array_equal(atoms.calc.get_eigenvalues(), at_once.bands[0])
    assert len(calls) == 1
    # Whatever changes is computed anew: settings, and atoms.
    atoms.calc.set(k_mesh=(1, 1, 1))
    assert atoms.get_potential_energy() != energy
    atoms.calc.set(k_mesh=SETTINGS["k_mesh"])
    atoms.positions[0] += 0.05
    assert not np.allclose(atoms.get_forces(), at_once.forces)
    assert len(calls) == 3
    loose = cg.ground_state(atoms, **{**SETTINGS, "max_iterations": 1})
    with pytest.raises(DftError):
        loose.compute_forces()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda atoms: pickle.loads(pickle.dumps(atoms))])
def test_atoms_that_have_been_computed_can_be_copied(
    copied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the original's numbers; none of them computed again."""
    atoms = SILICON.to_ase()
    atoms.calc = PlaneWaveCalculator(**SETTINGS)
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    other = copied(atoms)
    assert other.calc is not atoms.calc
    assert other.calc.parameters == atoms.calc.parameters
    with monkeypatch.context() as patch:
        patch.setattr("crystalgym.ase.ground_state", None)
        assert other.get_potential_energy() == energy
        assert np.array_equal(other.get_forces(), forces)
        assert other.calc.get_fermi_level() == atoms.calc.get_fermi_level()
        assert np.array_equal(other.calc.get_eigenvalues(), atoms.calc.get_eigenvalues())
    other.positions[0] += 0.05
    assert other.get_potential_energy() != energy
    assert atoms.get_potential_energy() == energy
    fresh = SILICON.to_ase()
    fresh.calc = PlaneWaveCalculator(**SETTINGS)
    assert copied(fresh).get_potential_energy() == energy


def test_pseudopotentials_of_different_functionals_are_refused(tmp_path: Path) -> None:
    for symbol, name in (("Na", "PBE"), ("Cl", "PZ")):
        text = cg.gth_upf(symbol).replace('functional="PBE"', f'functional="{name}"')
        (tmp_path / f"{symbol}.upf").write_text(text)
    salt = cg.Structure(np.eye(3) * 3.3, ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    small = {"cutoff_ev": 100, "k_mesh": (1, 1, 1), "pseudopotentials": str(tmp_path)}
    with pytest.raises(DftError, match="PZ.*PBE|PBE.*PZ") as caught:
        cg.ground_state(salt, **small)
    assert caught.value.code == "mixed_functionals"
    atoms = salt.to_ase()
    atoms.calc = PlaneWaveCalculator(**small)
    with pytest.raises(CalculatorSetupError, match="one functional"):
        atoms.get_potential_energy()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cutoff_ev", 1e6),
        ("cutoff_ev", float("nan")),
        ("density_cutoff_ev", 1e300),
        ("width_ev", 1e300),
        ("convergence_ev", 1e300),
        ("max_iterations", 10**9),
        ("threads", 10**6),
        ("memory_limit_gib", -1.0),
    ],
)
def test_numbers_out_of_range_are_refused(setting: str, value: float) -> None:
    settings = {**SETTINGS, "smearing": "gaussian", setting: value}
    with pytest.raises(DftError, match=f"{setting} is .*, expected a number from"):
        cg.ground_state(SILICON, **settings)


def test_what_is_too_large_is_refused_at_once() -> None:
    """The estimate comes before the memory."""
    start = time.monotonic()
    for settings in (
        {"cutoff_ev": 13_000.0, "memory_limit_gib": 0.5},
        {"k_mesh": (900, 900, 900)},
        {"bands": 10**15},
    ):
        with pytest.raises(DftError, match="GiB") as caught:
            cg.ground_state(SILICON, **{**SETTINGS, **settings})
        assert caught.value.code == "too_large"
    assert time.monotonic() - start < 5


def test_forces_and_stress_are_derivatives_of_the_energy() -> None:
    """Oracle: central differences of energies through ASE."""
    tight = {**SETTINGS, "convergence_ev": 1e-9}
    atoms = SILICON.to_ase()
    atoms.positions[1] += [0.05, -0.03, 0.02]
    atoms.calc = PlaneWaveCalculator(**tight)
    forces = atoms.get_forces()
    direct = cg.ground_state(atoms, **tight, forces=True)
    assert np.array_equal(forces, direct.forces)
    assert atoms.get_potential_energy() == direct.energy
    assert np.allclose(forces.sum(axis=0), 0, atol=1e-10)
    step = 0.01
    for axis in range(3):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[1, axis] += sign * step
            moved.calc = PlaneWaveCalculator(**tight)
            energies.append(moved.get_potential_energy())
        slope = -(energies[0] - energies[1]) / (2 * step)
        assert forces[1, axis] == pytest.approx(slope, abs=5e-3)
    stress = atoms.get_stress(voigt=False)
    assert np.allclose(stress / GPa, direct.stress, rtol=1e-12)
    assert np.allclose(stress, stress.T)
    # Compressed by 5 % in each direction it pushes outwards: the stress is negative.
    small = atoms.copy()
    small.set_cell(0.95 * atoms.cell, scale_atoms=True)
    small.calc = PlaneWaveCalculator(**tight)
    assert (small.get_stress()[:3] < -5 * GPa).all()


def test_stress_is_the_strain_derivative_of_the_energy() -> None:
    """Oracle: central differences of energies of strained cells through ASE. The stress holds the
    plane waves fixed, the energies the cutoff: the difference is the basis's, 0.13 GPa at 40 Ry,
    0.005 at 60 and 0.002 at 88."""
    converged = {"cutoff_ev": 816.0, "k_mesh": (2, 2, 2), "convergence_ev": 1e-9}
    atoms = SILICON.to_ase()
    atoms.positions[1] += [0.05, -0.03, 0.02]
    atoms.calc = PlaneWaveCalculator(**converged)
    stress = atoms.get_stress()
    step = 0.004
    # In ASE's order of components, one stretch and two shears.
    for component, i, j in [(0, 0, 0), (3, 1, 2), (5, 0, 1)]:
        energies = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[i, j] += sign * step / 2
            strain[j, i] += sign * step / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            strained.calc = PlaneWaveCalculator(**converged)
            energies.append(strained.get_potential_energy())
        slope = (energies[0] - energies[1]) / (2 * step * atoms.get_volume())
        assert stress[component] / GPa == pytest.approx(slope / GPa, abs=0.02), component


@pytest.mark.parametrize(
    ("settings", "names", "says"),
    [
        ({"cutoff_ev": -1.0}, "cutoff_ev", "cutoff_ev is -1.0"),
        ({"cutoff_ev": float("nan")}, "cutoff_ev", "cutoff_ev is NaN, expected a number from 10"),
        ({"density_cutoff_ev": 100.0}, "density_cutoff_ev", "four times"),
        ({"convergence_ev": 0.0}, "convergence_ev", "convergence_ev is 0.0"),
        ({"smearing": "gaussian", "width_ev": -0.1}, "width_ev", "width_ev is -0.1"),
        ({"smearing": "square"}, "smearing", "fermi_dirac"),
        ({"max_iterations": 0}, "max_iterations", "max_iterations is 0, expected a number from 1"),
        ({"threads": 0}, "threads", "expected a number from 1 to 1024"),
        ({"k_mesh": (0, 1, 1)}, "k_mesh[0]", "k_mesh[0] is 0, expected a number from 1 to 1000"),
        ({"bands": 0}, "bands", "half the electrons"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], names: str, says: str) -> None:
    with pytest.raises(cg.DftError, match=re.escape(says)) as error:
        cg.ground_state(SILICON, **{**SETTINGS, **settings})
    assert (error.value.code, error.value.values["setting"]) == ("invalid_setting", names)


def test_wrong_input_is_named() -> None:
    with pytest.raises(cg.DftError) as error:
        cg.ground_state(cg.Structure(np.eye(3) * 4, ["H"], [[0, 0, 0]]), cutoff_ev=100)
    assert (error.value.code, error.value.values) == ("odd_electron_count", {"electrons": 1.0})
    with pytest.raises(cg.DftError) as error:
        cg.ground_state(SILICON, cutoff_ev=100, pseudopotentials="no-such-family")
    assert error.value.code == "pseudopotential"
    unfinished = cg.ground_state(SILICON, **SETTINGS, max_iterations=2)
    assert not unfinished.converged and unfinished.end == "iteration_limit"


def test_the_rust_engine_says_the_same() -> None:
    """Oracle: what the engine's own test of this crystal asserts, in Rust, by the same tolerances."""
    path = Path(__file__).parents[2] / "crates/dft/tests/displaced_silicon.json"
    expected = json.loads(path.read_text())
    atoms = Atoms(
        "Si2",
        cell=expected["lattice_ang"],
        scaled_positions=expected["frac_coords"],
        pbc=True,
        calculator=PlaneWaveCalculator(
            cutoff_ev=expected["cutoff_ev"], k_mesh=expected["k_mesh"], convergence_ev=1e-13
        ),
    )
    assert atoms.get_potential_energy() == pytest.approx(expected["energy_ev"], abs=1e-6)
    assert np.allclose(atoms.get_forces(), expected["forces_ev_ang"], rtol=0, atol=5e-7)
    stress = atoms.get_stress(voigt=False) / GPa
    assert np.allclose(stress, expected["stress_gpa"], rtol=0, atol=1.5e-4)


def test_the_equation_of_state_is_that_of_pw_x(pw_x: str, tmp_path: Path) -> None:
    """Oracle: pw.x with the same analytic pseudopotential, cutoff and k-mesh at the same volumes;
    both sets of energies are fitted by ASE."""
    from ase.eos import EquationOfState

    cutoff_ry, points = 26.0, 150.0
    assert cg.k_mesh(SILICON, points) == (4, 4, 4)
    (tmp_path / "Si.upf").write_text(cg.gth_upf("Si"))
    theirs = cg.Calculator(
        "qe",
        pseudopotentials=str(tmp_path),
        command=[pw_x],
        pw={
            "ecutwfc_ry": cutoff_ry,
            "ecutrho_ry": 4 * cutoff_ry,
            "kppa": points,
            "conv_thr_ry": 1e-9,
        },
    )
    atoms = SILICON.to_ase()
    atoms.calc = PlaneWaveCalculator(
        cutoff_ev=cutoff_ry * RY_EV, k_mesh=(4, 4, 4), convergence_ev=1e-8
    )
    cell = atoms.cell.copy()
    volumes, ours, others = [], [], []
    for scale in np.linspace(0.96, 1.04, 5):
        atoms.set_cell(scale * cell, scale_atoms=True)
        volumes.append(atoms.get_volume())
        ours.append(atoms.get_potential_energy())
        found = cg.evaluate(atoms, "band_gap", calculator=theirs, store=None)
        found.raise_for_failure()
        others.append(found.details["total_energy_ev"])
    assert np.allclose(ours, others, rtol=0, atol=5e-6)
    volume, _, modulus = EquationOfState(volumes, ours, eos="birchmurnaghan").fit()
    their_volume, _, their_modulus = EquationOfState(volumes, others, eos="birchmurnaghan").fit()
    assert volume == pytest.approx(their_volume, rel=5e-6)
    assert modulus == pytest.approx(their_modulus, rel=1e-4)


def test_tools_of_ase_work_on_it() -> None:
    """Oracles: ASE's own optimiser, constraints and band gap."""
    from ase.constraints import FixAtoms
    from ase.dft.bandgap import bandgap
    from ase.optimize import BFGS

    calculator = PlaneWaveCalculator(**SETTINGS)
    atoms = SILICON.to_ase()
    atoms.calc = calculator
    atoms.get_potential_energy()
    gap, *_ = bandgap(calculator, output=None)
    assert gap == pytest.approx(calculator.ground_state.band_gap, abs=1e-12)

    atoms.positions[1] += [0.05, -0.03, 0.02]
    atoms.set_constraint(FixAtoms([0]))
    BFGS(atoms, logfile=None).run(fmax=0.02, steps=20)
    assert np.array_equal(atoms.positions[0], [0, 0, 0])
    assert np.allclose(atoms.get_scaled_positions()[1], 0.25, atol=2e-3)


def test_ase_hears_of_spin_and_of_open_boundaries() -> None:
    atoms = SILICON.to_ase()
    atoms.set_initial_magnetic_moments([1.0, 0.0])
    atoms.calc = PlaneWaveCalculator(**SETTINGS)
    with pytest.warns(UserWarning, match="pairs all electrons"):
        atoms.get_potential_energy()
    molecule = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]], cell=[6, 6, 6])
    molecule.calc = PlaneWaveCalculator(cutoff_ev=100)
    with pytest.raises(CalculatorSetupError, match="expected all three"):
        molecule.get_potential_energy()
    fresh = PlaneWaveCalculator(**SETTINGS)
    with pytest.raises(CalculatorSetupError, match="nothing has been computed"):
        fresh.get_fermi_level()
    atoms.calc = PlaneWaveCalculator(**SETTINGS, colour="red")
    atoms.set_initial_magnetic_moments(None)
    with pytest.raises(CalculatorSetupError, match="colour"):
        atoms.get_potential_energy()


def test_ase_hears_of_wrong_input_and_of_non_convergence() -> None:
    atoms = Atoms("H", cell=[4, 4, 4], pbc=True, calculator=PlaneWaveCalculator(cutoff_ev=100))
    with pytest.raises(CalculatorSetupError, match="smeared"):
        atoms.get_potential_energy()
    # The cutoff is the accuracy's unless it is given; a wrong one is named.
    atoms.calc = PlaneWaveCalculator()
    with pytest.raises(CalculatorSetupError, match="smeared"):
        atoms.get_potential_energy()
    atoms.calc = PlaneWaveCalculator(cutoff_ev=-1)
    with pytest.raises(CalculatorSetupError, match="cutoff_ev"):
        atoms.get_potential_energy()
    silicon = SILICON.to_ase()
    silicon.calc = PlaneWaveCalculator(**SETTINGS, max_iterations=2)
    with pytest.raises(SCFError, match="iteration_limit"):
        silicon.get_potential_energy()
