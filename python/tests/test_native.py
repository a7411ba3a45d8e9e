"""The built-in engine as the calculator of evaluations and environments."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import crystalgym as cg
from crystalgym.ase import PlaneWaveCalculator

RY_EV = 13.605693122994
CUTOFF_RY = 16.0
# Two writings of a crystal come to the same numbers as far as they converge: by default to 1e-6 Ry, which
# leaves levels uncertain by some meV.
CONVERGENCE_RY = 1e-9
COARSE = {"ecutwfc_ry": CUTOFF_RY, "kppa": 100.0, "convergence_ry": CONVERGENCE_RY}
CRYSTAL = cg.Skeleton("C2").fill(["Rb", "Ca", "H", "H", "H"])


def coarse() -> cg.Calculator:
    return cg.Calculator("native", **COARSE)


def test_it_is_the_default_as_on_the_command_line() -> None:
    assert cg.CrystalEnv(store=None).calculator.name == "native"
    assert cg.CrystalVectorEnv(1, store=None).calculator.name == "native"
    made = gym.make("crystalgym/BandGap-C1-v0", store=None).unwrapped
    assert isinstance(made, cg.CrystalEnv) and made.calculator.name == "native"
    assert cg.Calculator("native").config == made.calculator.config
    shown = subprocess.run(
        [sys.executable, "-m", "crystalgym", "train", "--show-config"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'name = "native"' in shown.stdout


def test_a_named_calculator_is_configured_and_picklable() -> None:
    calculator = coarse()
    assert (calculator.name, calculator.is_instant) == ("native", False)
    assert calculator.config is not None
    assert calculator.config["native"]["ecutwfc_ry"] == CUTOFF_RY
    again = pickle.loads(pickle.dumps(calculator))
    assert again.config == calculator.config
    with pytest.raises(cg.CalculatorError, match="ecutwfc_ry is -1"):
        cg.Calculator("native", ecutwfc_ry=-1.0)
    with pytest.raises(cg.CalculatorError, match="cutoff"):
        cg.Calculator("native", cutoff=20.0)


def test_an_evaluation_is_the_engines_and_the_commands(tmp_path: Path) -> None:
    """Oracles: the same electrons through `ground_state`, through ASE and by the command."""
    found = cg.evaluate(CRYSTAL, "band_gap", calculator=coarse(), store=None)
    assert found.value is not None and found.value > 1
    mesh = cg.k_mesh(CRYSTAL, COARSE["kppa"])
    same = {"cutoff_ev": CUTOFF_RY * RY_EV, "k_mesh": mesh, "convergence_ev": CONVERGENCE_RY * RY_EV}
    state = cg.ground_state(CRYSTAL, **same)
    assert found.value == pytest.approx(state.band_gap, abs=1e-4)
    assert found.details["total_energy_ev"] == pytest.approx(state.energy, abs=1e-4)
    atoms = CRYSTAL.structure.to_ase()
    atoms.calc = PlaneWaveCalculator(**same)
    assert atoms.get_potential_energy() == pytest.approx(found.details["total_energy_ev"], abs=1e-4)

    command = [sys.executable, "-m", "crystalgym", "evaluate", "--property", "band_gap", "--json"]
    command += ["--skeleton", "C2", "--elements", "Rb,Ca,H,H,H", "--store", "none"]
    for name, value in COARSE.items():
        command += ["--set", f"native.{name}={value}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f'"value": {found.value}' in done.stdout
    assert json.loads(done.stdout)


def test_pw_x_finds_the_same(pw_x: str, tmp_path: Path) -> None:
    """Oracle: pw.x with the same analytic pseudopotentials, cutoff and k-mesh."""
    for symbol in ("Rb", "Ca", "H"):
        (tmp_path / f"{symbol}.upf").write_text(cg.gth_upf(symbol))
    theirs = cg.Calculator(
        "qe",
        pseudopotentials=str(tmp_path),
        command=[pw_x],
        pw={"ecutwfc_ry": CUTOFF_RY, "ecutrho_ry": 4 * CUTOFF_RY, "kppa": 100.0},
    )
    ours = cg.evaluate(CRYSTAL, "band_gap", calculator=coarse(), store=None)
    pw = cg.evaluate(CRYSTAL, "band_gap", calculator=theirs, store=None)
    pw.raise_for_failure()
    assert ours.details["total_energy_ev"] == pytest.approx(pw.details["total_energy_ev"], abs=1e-4)
    # pw.x prints levels to 1e-4 eV.
    assert ours.details["homo_ev"] == pytest.approx(pw.details["homo_ev"], abs=2e-3)
    assert ours.value == pytest.approx(pw.value, abs=2e-3)


def test_environments_learn_from_it(tmp_path: Path) -> None:
    """Oracles: Gymnasium's checker, which compares rewards and infos of the same seed; the values
    of `evaluate`; any number of workers."""
    task = {"elements": ["Na", "Li", "Mg"], "calculator": coarse()}
    store = tmp_path / "results.sqlite"
    env = cg.CrystalEnv("band_gap-C6-easy-small", **task, store=store)
    check_env(env, skip_render_check=True)
    env.reset(seed=0)
    for action in (0, 1, 0, 1):
        *_, info = env.step(action)
    found = cg.evaluate(env.structure, "band_gap", calculator=coarse(), store=None)
    assert info.get("value") == pytest.approx(found.value, abs=1e-6)
    runs = []
    for workers in (1, 3):
        envs = cg.CrystalVectorEnv(3, "band_gap-C6-easy-small", **task, store=None, workers=workers)
        envs.reset(seed=4)
        rng = np.random.default_rng(0)
        runs.append([envs.step(rng.integers(0, 3, 3)) for _ in range(4)])
        envs.close()
    # To the bit; the value of a failure is NaN in both.
    np.testing.assert_equal(runs[0], runs[1])
    assert runs[0][-1][2].all()
    assert len(cg.ResultStore(store)) > 0


def test_the_users_own_store_is_used_unless_told_otherwise() -> None:
    store = cg.ResultStore()
    before = len(store)
    cg.evaluate(CRYSTAL, "band_gap", calculator=coarse(), store=None)
    assert len(store) == before
    assert cg.evaluate(CRYSTAL, "band_gap", calculator=coarse()).source in ("computed", "store")
    assert len(store) == before + 1
    assert cg.evaluate(CRYSTAL, "band_gap", calculator=coarse()).source == "store"
