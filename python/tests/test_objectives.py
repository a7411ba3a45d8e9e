"""Objectives of several properties, against rewards worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import crystalgym as cg

ABOVE_HULL = 0.6
"""Of every crystal of `calculate`, in eV/atom."""


def calculate(structure: Any, property: str) -> float:
    if property == "density":
        return structure.density
    if any(symbol == "F" for symbol in structure.elements):
        raise cg.CalculationFailed("as asked", code="scf_not_converged")
    return ABOVE_HULL


def objective(**changes: Any) -> dict[str, Any]:
    terms = [
        {"property": "density", "target": 3.0},
        {"property": "energy_above_hull", "at_most": 0.1, "weight": 3.0},
    ]
    return {"terms": terms, **changes}


def play(env: Any, symbols: list[str]) -> tuple[float, dict[str, Any]]:
    env.reset(seed=1)
    reward, info = 0.0, {}
    for symbol in symbols:
        action = env.unwrapped.task.elements.index(symbol)
        _, reward, _, _, info = env.step(action)
    return float(reward), info


def make(**changes: Any) -> Any:
    changes = {"skeletons": ["C4"], "start_site": 0, "elements": ["Li", "Cl", "F"], **changes}
    return cg.CrystalEnv(calculator=calculate, store=None, **changes)


@pytest.mark.parametrize("combination", ["weighted_sum", "product"])
def test_rewards_by_hand(combination: str) -> None:
    env = make(objective=objective(combination=combination))
    assert env.task.reward_range == (-1.0, 1.0)
    assert (env.task.property_name, env.task.target) == ("density", 3.0)
    reward, info = play(env, ["Li", "Cl", "Li", "Cl"])
    density = info["value"]
    assert info["terms"] == {"density": density, "energy_above_hull": ABOVE_HULL}
    good = [math.exp(-((density - 3.0) ** 2) / 3.0), math.exp(-((ABOVE_HULL - 0.1) ** 2))]
    expected = {
        "weighted_sum": 0.25 * good[0] + 0.75 * good[1],
        "product": good[0] ** 0.25 * good[1] ** 0.75,
    }
    assert reward == pytest.approx(expected[combination], abs=1e-12)
    # One of two calculations fails: −1, once.
    reward, info = play(env, ["Li", "F", "Li", "F"])
    assert (reward, info["failure"]) == (-1.0, "scf_not_converged")


def test_the_worst_term_and_what_is_skipped() -> None:
    terms = objective()["terms"]
    terms[1] = {"property": "energy_above_hull", "at_most": 0.1}
    whole = make(objective={"terms": terms, "combination": "worst"})
    reward, info = play(whole, ["Li", "Cl", "Li", "Cl"])
    good = math.exp(-((info["value"] - 3.0) ** 2) / 3.0)
    assert reward == pytest.approx(min(good, math.exp(-0.25)), abs=1e-12)
    # The density is asked for last, as it takes longer: e^-0.25 = 0.779 decides.
    env = make(objective={"terms": terms, "combination": "worst", "skip_below": 0.78})
    reward, info = play(env, ["Li", "Cl", "Li", "Cl"])
    assert reward == pytest.approx(math.exp(-0.25), abs=1e-12)
    assert info["failure"] == "skipped" and math.isnan(info["value"])
    assert info["terms"] == {"energy_above_hull": ABOVE_HULL}


def test_side_by_side_and_by_calculators_of_their_own() -> None:
    task = {"skeletons": ["C4"], "objective": {"terms": [
        {"property": "density", "at_least": 2.0, "at_most": 4.0},
        {"property": "band_gap", "direction": "maximise"},
    ]}}
    calculator = cg.Calculator("empirical", for_property={"density": {"name": "rigid"}})
    envs = cg.CrystalVectorEnv(2, task=task, calculator=calculator, store=None)
    envs.reset(seed=3)
    single = cg.CrystalEnv(task, calculator=calculator, store=None)
    rigid = cg.Calculator("rigid")
    for _ in range(4):
        _, rewards, terminated, _, info = envs.step(np.array([1, 2]))
    assert terminated.all()
    terms = info["final_info"]["terms"] if "final_info" in info else info["terms"]
    for reward, values in zip(rewards, terms):
        density, gap = values["density"], values["band_gap"]
        beyond = max(abs(density - 3.0) - 1.0, 0.0)
        good = [math.exp(-(beyond**2) / 3.0), 1.0 / (1.0 + math.exp(1.0 - gap))]
        assert reward == pytest.approx(0.5 * sum(good), abs=1e-12)
    _, info = play(single, [single.task.elements[1]] * 4)
    crystal = cg.Skeleton("C4").fill([single.task.elements[1]] * 4)
    alone = cg.evaluate(crystal, "density", calculator=rigid, store=None)
    assert info["terms"]["density"] == alone.value


def test_tasks_with_stability(tmp_path: Path) -> None:
    ids = [name for name in cg.environment_ids() if "Stability-" in name]
    assert len(ids) == 3 * 8
    for identifier in ids:
        task = cg.Task.named(gym.spec(identifier).kwargs["task"])
        [first, second] = task.config["objective"]["terms"]
        assert first["target"] == task.target
        assert second == {"property": "energy_above_hull", "at_most": 0.1, "weight": 1.0}
    assert cg.Task(task.config).config == task.config
    with pytest.raises(cg.CalculatorError, match=r"stability\.references"):
        gym.make(ids[0], calculator="native", store=None)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([], "objective has no terms"),
        ([{"property": "hardness"}], "unknown variant `hardness`"),
        ([{"property": "density", "weight": 0.0}], "weight of density is 0"),
        ([{"property": "density", "at_least": 3.0, "at_most": 1.0}], "at least 3 and at most 1"),
    ],
)
def test_what_cannot_be_is_named(terms: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(cg.TaskError, match=message):
        cg.Task({"objective": {"terms": terms}})


def test_targets_of_energies_may_be_negative() -> None:
    assert cg.reward("formation_energy", -1.0, -2.0) == pytest.approx(math.exp(-1.0))
    with pytest.raises(ValueError, match="expected a positive number"):
        cg.reward("density", 1.0, 0.0)
