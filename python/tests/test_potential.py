"""Interatomic potentials: one's own by a protocol, out of ASE, and CHGNet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import CalculatorSetupError
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

import crystalgym as cg
from crystalgym.ase import PotentialCalculator

COPPER = bulk("Cu", "fcc", a=3.7) * (2, 1, 1)


def test_an_ase_calculator_fills_the_protocol_and_back() -> None:
    """Identity: ASE's EMT by way of a potential is EMT."""
    potential = cg.MlPotential.from_ase(EMT(), fingerprint="EMT")
    assert potential.name == "EMT"
    atoms: Atoms = COPPER.copy()
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    found = potential.evaluate(atoms)
    assert found["energy"] == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
    np.testing.assert_allclose(found["forces"], atoms.get_forces(), atol=1e-9)
    again: Atoms = atoms.copy()
    again.calc = PotentialCalculator(potential)
    np.testing.assert_allclose(again.get_stress(), atoms.get_stress(), atol=1e-12)
    assert "forces" not in potential.evaluate(atoms, derivatives=False)


def test_relaxation_comes_where_ase_comes() -> None:
    """Oracle: ASE's BFGS on its cell filter, with the same potential."""
    potential = cg.MlPotential.from_ase(EMT())
    atoms: Atoms = COPPER.copy()
    atoms.calc = EMT()
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.002)
    structure, details = potential.relax(COPPER, force_tolerance=0.002, stress_tolerance=0.01)
    assert details["converged"] and details["reason"] == "converged"
    assert details["energy"] == pytest.approx(atoms.get_potential_energy(), abs=1e-5)
    assert structure.volume == pytest.approx(atoms.get_volume(), rel=1e-3)
    with pytest.raises(cg.PotentialError, match="move is sideways"):
        potential.relax(COPPER, move="sideways")  # type: ignore[arg-type]


def test_a_potential_is_a_calculator(tmp_path: Path) -> None:
    """Oracles: mass over EMT's own volume; a hull of two elements by hand."""
    potential = cg.MlPotential.from_ase(EMT(), fingerprint="EMT")
    relaxed, details = potential.relax(COPPER, move="volume", stress_tolerance=0.001)
    density = cg.evaluate(COPPER, "density", calculator=potential.calculator(), store=None)
    assert density.value == pytest.approx(relaxed.density, rel=1e-4)
    hull = tmp_path / "hull.csv"
    hull.write_text("formula,energy_ev_per_atom\nCu,-0.25\nAu,0.5\n", encoding="utf-8")
    judged = potential.calculator(relaxation="own", references=hull)
    above = cg.evaluate(COPPER, "energy_above_hull", calculator=judged, store=None)
    per_atom = potential.relax(COPPER)[1]["energy"] / 2
    assert above.value == pytest.approx(per_atom + 0.25, abs=1e-4)
    gap = pytest.raises(cg.CalculatorError, match="knows no electrons")
    with gap:
        cg.evaluate(COPPER, "band_gap", calculator=judged, store=None)
    assert details["converged"]


def test_what_ones_own_potential_raises_is_raised() -> None:
    class Broken:
        def evaluate(self, structure: cg.Structure, derivatives: bool, /) -> dict[str, Any]:
            raise ZeroDivisionError("a bug")

    class Short:
        def evaluate(self, structure: cg.Structure, derivatives: bool, /) -> dict[str, Any]:
            return {"energy": 0.0, "forces": [[0.0, 0.0, 0.0]], "stress": np.zeros((3, 3))}

    class Fails:
        def evaluate(self, structure: cg.Structure, derivatives: bool, /) -> dict[str, Any]:
            raise cg.CalculationFailed("no answer")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        cg.MlPotential.from_object(Broken()).evaluate(COPPER)
    calculator = cg.MlPotential.from_object(Broken()).calculator()
    with pytest.raises(ZeroDivisionError, match="a bug"):
        cg.evaluate(COPPER, "energy", calculator=calculator, store=None)
    with pytest.raises(TypeError, match="1 forces for 2 atoms"):
        cg.MlPotential.from_object(Short()).evaluate(COPPER)
    with pytest.raises(cg.PotentialError, match="no answer") as raised:
        cg.MlPotential.from_object(Fails()).evaluate(COPPER)
    assert raised.value.code == "failed"


def test_chgnet_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the energies that the package itself gives (Cu at 3.61 Å, NaCl at 5.64 Å)."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(cg.PotentialError, match="model install chgnet") as absent:
        cg.MlPotential.chgnet()
    assert absent.value.code == "not_installed"
    pytest.importorskip("chgnet")
    environment = {**os.environ, "CRYSTALGYM_PYTHON": sys.executable}
    command = [sys.executable, "-m", "crystalgym", "model", "install", "chgnet"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    atoms = bulk("Cu", "fcc", a=3.61)
    atoms.calc = PotentialCalculator()
    assert atoms.get_potential_energy() == pytest.approx(-4.083308, abs=2e-6)
    assert atoms.get_stress()[0] * 160.2177 == pytest.approx(-1.0218, abs=1e-3)
    salt = bulk("NaCl", "rocksalt", a=5.64)
    energy = cg.evaluate(salt, "energy", calculator="chgnet", store=None)
    assert energy.value == pytest.approx(-3.666430, abs=2e-6)
    formation = cg.evaluate(salt, "formation_energy", calculator="chgnet", store=None).value
    assert formation == pytest.approx(-2.1, abs=0.3)
    alone = Atoms("Cu", cell=[20, 20, 20], pbc=True, calculator=PotentialCalculator())
    with pytest.raises(CalculatorSetupError, match="no neighbour within 6"):
        alone.get_potential_energy()
