"""Evaluation with built-in calculators and with one's own; the store."""

from __future__ import annotations

import pickle
import sqlite3
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import crystalgym as cg

SALT = cg.Skeleton("C6").fill(["Na", "Cl", "F", "Li"])


def test_rigid_density_is_mass_over_volume() -> None:
    """Oracle: the masses and the volume of ASE."""
    found = cg.evaluate(SALT, "density", calculator="rigid")
    atoms = SALT.structure.to_ase()
    expected = 1.66053906660 * atoms.get_masses().sum() / atoms.get_volume()
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert (found.unit, found.failure, found.source) == ("g/cm³", None, "computed")
    found.raise_for_failure()
    again = pickle.loads(pickle.dumps(found))
    assert (again.value, again.details, repr(again)) == (found.value, found.details, repr(found))


def test_calculators_are_named_configured_and_checked() -> None:
    assert pickle.loads(pickle.dumps(cg.Calculator("empirical"))).name == "empirical"
    with pytest.raises(cg.CalculatorError) as error:
        cg.Calculator("magic")
    assert (error.value.code, error.value.values) == ("invalid_settings", {"field": "name"})
    with pytest.raises(cg.CalculatorError, match="rigid has no settings"):
        cg.Calculator("rigid", cutoff=1.0)
    with pytest.raises(cg.CalculatorError, match="time_limit"):
        cg.Calculator("qe", time_limit=3)
    with pytest.raises(cg.CalculatorError, match="density only"):
        cg.evaluate(SALT, "band_gap", calculator="rigid")
    with pytest.raises(cg.TaskError, match="'colour'"):
        cg.evaluate(SALT, "colour", calculator="rigid")
    with pytest.raises(TypeError, match="no calculator"):
        cg.evaluate(SALT, "density", calculator=3)


def mean_atomic_number(structure: cg.Structure, property: str) -> float:
    return float(np.mean([cg.element_data(e)["atomic_number"] for e in structure.elements]))


class Cautious:
    def evaluate(self, structure: cg.Structure, property: str) -> dict[str, float]:
        if "F" in structure.elements:
            raise cg.CalculationFailed("no fluorine here", code="scf_not_converged")
        return {"value": 2.5, "total_energy_ev": -10.0}


def test_a_calculator_of_ones_own() -> None:
    assert cg.evaluate(SALT, "density", calculator=mean_atomic_number).value == 10.0
    failed = cg.evaluate(SALT, "band_gap", calculator=Cautious())
    assert (failed.value, failed.failure) == (None, "scf_not_converged")
    with pytest.raises(cg.CalculationFailed) as error:
        failed.raise_for_failure()
    assert (error.value.code, str(error.value)) == ("scf_not_converged", "no fluorine here")
    other = cg.Skeleton("C6").fill(["Na", "Cl", "O", "Li"])
    found = cg.evaluate(other, "band_gap", calculator=Cautious())
    assert (found.value, found.details["total_energy_ev"]) == (2.5, -10.0)


def test_a_bug_in_ones_own_calculator_is_no_failed_calculation() -> None:
    def broken(structure: cg.Structure, property: str) -> float:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        cg.evaluate(SALT, "density", calculator=broken)
    with pytest.raises(TypeError, match="expected a number"):
        cg.evaluate(SALT, "density", calculator=lambda s, p: "heavy")
    for workers in (None, 2):
        envs = cg.CrystalVectorEnv(2, "density-C6-easy-small", calculator=broken, workers=workers)
        envs.reset(seed=0)
        with pytest.raises(ZeroDivisionError):
            for _ in range(4):
                envs.step(np.zeros(2, dtype=np.int64))
        envs.close()


def test_rewards_of_ones_own() -> None:
    def heavier_is_better(evaluation: cg.Evaluation, target: float) -> float:
        return (evaluation.value or 0.0) - target

    env = cg.CrystalEnv("density-C6-easy-small", reward=heavier_is_better, calculator="empirical")
    envs = cg.CrystalVectorEnv(
        1, "density-C6-easy-small", reward=heavier_is_better, calculator="empirical"
    )
    env.reset(seed=0)
    envs.reset(seed=0)
    for _ in range(4):
        _, reward, *_ = env.step(7)
        _, rewards, *_ = envs.step(np.array([7]))
    assert reward == rewards[0] == env.structure.density - 3.0


def test_results_are_stored_once_and_read_as_a_table(tmp_path: Path) -> None:
    import polars

    calls: list[str] = []

    def counted(structure: cg.Structure, property: str) -> float:
        calls.append(structure.formula)
        if "Cl" in structure.elements:
            raise cg.CalculationFailed("no chlorine", code="scf_not_converged")
        return 1.0

    calculator = cg.Calculator.from_function(counted, fingerprint="version 1")
    store = cg.ResultStore(tmp_path / "results.sqlite")
    fillings = [["Na", "Cl", "F", "Li"], ["Na", "O", "F", "Li"], ["Li", "O", "F", "Na"]]
    for _ in range(2):
        sources = [
            cg.evaluate(
                cg.Skeleton("C6").fill(filling), "density", calculator=calculator, store=store
            ).source
            for filling in fillings
        ]
    # The last two are equivalent under the skeleton's symmetry.
    assert len(calls) == 2 and sources == ["store"] * 3
    assert len(store) == 2
    assert store.statistics() == {
        ("counted", "density", "scf_not_converged"): 1,
        ("counted", "density", "success"): 1,
    }
    table = store.table()
    frame = polars.DataFrame(table)
    assert frame.columns == table.columns
    assert frame.to_dict(as_series=False) == table.to_dict()
    assert frame["failure"].to_list() == ["scf_not_converged", None]
    pandas_frame = table.to_pandas()
    assert len(pandas_frame) == 2 and pandas_frame["value"].dropna().tolist() == [1.0]
    assert len(store.table("band_gap")) == 0
    assert store.results()[1]["outcome"]["value"] == 1.0
    assert pickle.loads(pickle.dumps(store)).path == store.path
    store.check()


def test_threads_share_a_result_of_ones_own_calculator(tmp_path: Path) -> None:
    """One thread computes, and needs the interpreter lock for it; the other waits without it."""
    calls: list[int] = []

    def slow(structure: cg.Structure, property: str) -> float:
        calls.append(threading.get_ident())
        time.sleep(0.5)
        return 1.0

    calculator = cg.Calculator.from_function(slow, fingerprint="1")
    store = cg.ResultStore(tmp_path / "results.sqlite")

    def one() -> str:
        found = cg.evaluate(SALT, "density", calculator=calculator, store=store)
        return str(found.source)

    with ThreadPoolExecutor(2) as pool:
        sources = sorted(f.result(timeout=60) for f in [pool.submit(one), pool.submit(one)])
    assert sources == ["computed", "store"] and len(calls) == 1


def test_without_a_fingerprint_nothing_is_stored(tmp_path: Path) -> None:
    store = cg.ResultStore(tmp_path / "results.sqlite")
    cg.evaluate(SALT, "density", calculator=mean_atomic_number, store=store)
    assert len(store) == 0


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    path.write_text("this is no database, only some text of sufficient length" * 20)
    with pytest.raises(cg.StoreError) as error:
        cg.ResultStore(path)
    assert error.value.values["path"] == str(path) and str(path) in str(error.value)


def unwritable_store(tmp_path: Path) -> cg.ResultStore:
    """A store whose table is gone once it is open: results can neither be found nor kept."""
    path = tmp_path / "results.sqlite"
    store = cg.ResultStore(path)
    with sqlite3.connect(path) as connection:
        connection.execute("drop table results")
    return store


def test_a_store_that_fails_is_warned_of(tmp_path: Path) -> None:
    calculator = cg.Calculator.from_function(mean_atomic_number, fingerprint="1")
    store = unwritable_store(tmp_path)
    with pytest.warns(cg.StoreWarning, match="could not be shared") as said:
        found = cg.evaluate(SALT, "density", calculator=calculator, store=store)
    assert found.value is not None and found.store_error is not None
    assert len(said) == 1 and said[0].filename == __file__
    assert issubclass(cg.StoreWarning, RuntimeWarning)


def test_an_environment_warns_once(tmp_path: Path) -> None:
    calculator = cg.Calculator.from_function(mean_atomic_number, fingerprint="1")
    # One each: a store says once that it fails, and again only after it has worked.
    for name in ("one", "many"):
        (tmp_path / name).mkdir()
    store, other = unwritable_store(tmp_path / "one"), unwritable_store(tmp_path / "many")
    task = "density-C6-easy-small"
    env = cg.CrystalEnv(task, calculator=calculator, store=store)
    envs = cg.CrystalVectorEnv(2, task, calculator=calculator, store=other)
    for one, action in ((env, 3), (envs, np.array([3, 4]))):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            for seed in range(3):
                one.reset(seed=seed)
                for _ in range(4):
                    one.step(action)
        assert [str(w.category.__name__) for w in said] == ["StoreWarning"]


def test_numbers_of_ones_own_calculator_are_numbers() -> None:
    for answer in (True, {"value": 1.0, "homo_ev": float("nan")}):
        with pytest.raises(TypeError, match="expected a"):
            cg.evaluate(SALT, "density", calculator=lambda structure, name: answer)
