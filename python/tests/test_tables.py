"""Exhaustive tables: an environment on one, and exact judgement."""

from __future__ import annotations

import itertools
import pickle
from collections import Counter
from pathlib import Path

import gymnasium as gym
import pytest

import crystalgym as cg

NAME = "band_gap-C6-tiny"
ID = "crystalgym/Table-BandGap-C6-Tiny-v0"


def test_an_environment_on_a_table_knows_its_optimum() -> None:
    # Oracle: every filling played through the environment.
    table = cg.ExhaustiveTable(NAME)
    elements = table.description["elements"]
    env = gym.make(ID).unwrapped
    optimum = table.optimum(env.task)
    best, hits = -1.0, 0
    seen = {}
    env.reset(seed=1)
    for actions in itertools.product(range(len(elements)), repeat=4):
        env.reset()
        for action in actions:
            *_, reward, terminated, _, info = env.step(action)
        assert terminated and info.get("failure") != "not_in_table"
        best = max(best, reward)
        crystal = tuple(sorted(elements[action] for action in actions))
        seen[crystal] = info.get("value")
    for value in seen.values():
        hits += value is not None and abs(value - env.task.target) <= optimum["tolerance"]
    assert len(seen) == len(table) == optimum["fillings"] == 70
    assert optimum["optimum"] == best and optimum["fillings_within"] == hits
    assert [start["optimal_return"] for start in optimum["starts"]] == [best] * 4
    env.close()


def test_a_table_holds_the_published_task() -> None:
    # Oracles: the count of fillings by Burnside's lemma for four equivalent sites, multiplicities that add up to
    # all fillings, the parity of the electrons in the primitive cell (of one atom where all four are alike, of two
    # where they are two and two), and the best reward by a plain loop.
    table = cg.ExhaustiveTable("band_gap-C6-small")
    rows = table.rows()
    assert len(rows) == 18 * 19 * 20 * 21 // 24
    assert sum(row["multiplicity"] for row in rows) == 18**4
    odd = set("Li Na K Rb H N P F Cl Br".split())
    for row in rows:
        counts = Counter(row["elements"])
        cells = min(counts.values()) if len(set(counts.values())) == 1 else 1
        electrons = sum(counts[element] // cells for element in odd & counts.keys())
        is_odd = electrons % 2 == 1
        assert is_odd == (row["failure"] == "odd_electron_count"), row
    for target in (1.12, 2.0):
        env = gym.make("crystalgym/Table-BandGap-C6-v0", target=target).unwrapped
        optimum = table.optimum(env.task)
        values = [row["value"] for row in rows if row["value"] is not None]
        assert optimum["optimum"] == max(cg.reward("band_gap", value, target) for value in values)
        assert optimum["fillings_within"] == sum(abs(value - target) <= 0.1 for value in values)


def test_rows_are_what_an_evaluation_gives() -> None:
    table = cg.ExhaustiveTable(NAME)
    task = gym.spec(ID).kwargs["task"]
    skeleton = cg.Task(task).skeletons[0]
    total = 0
    for row in table.rows():
        total += row["multiplicity"]
        crystal = skeleton.fill(row["elements"])
        found = cg.evaluate(crystal, "band_gap", calculator=table.calculator(), store=None)
        assert (found.value, found.failure) == (row["value"], row["failure"])
        assert found.source == "store" and found.calculator == "native"
    assert total == len(table.description["elements"]) ** 4
    counts = table.description["counts"]
    assert sum(counts.values()) == len(table) and counts["odd_electron_count"] > 0


def test_judgement_by_hand() -> None:
    table = cg.ExhaustiveTable(NAME)
    task = cg.Task(
        {
            "skeletons": ["C6"],
            "property": "band_gap",
            "target": 2.0,
            "elements": table.description["elements"],
        }
    )
    rows = [row for row in table.rows() if row["value"] is not None]
    rewards = sorted((cg.reward("band_gap", row["value"], 2.0) for row in rows), reverse=True)
    worst = min(rows, key=lambda row: cg.reward("band_gap", row["value"], 2.0))
    nearest = min(rows, key=lambda row: abs(row["value"] - 2.0))
    one = table.judge(task, [worst["elements"], list(reversed(worst["elements"]))])
    assert one["calls"] == 1 and one["regret"] == pytest.approx(rewards[0] - rewards[-1])
    both = table.judge(task, [worst["elements"], nearest["elements"]])
    assert both["regret"] == 0 and both["rank"] == 1 and both["calls"] == 2
    assert table.judge(task, [])["rank"] is None


def test_what_a_table_does_not_hold_is_refused(tmp_path: Path) -> None:
    calculator = {"name": "table", "table": {"file": NAME}}
    with pytest.raises(cg.CalculatorError, match="no fillings with K"):
        gym.make("crystalgym/BandGap-C6-v0", calculator=calculator)
    with pytest.raises(cg.CalculatorError, match="it holds band_gap"):
        gym.make("crystalgym/Density-C6-v0", calculator=calculator)
    with pytest.raises(cg.CalculatorError, match="geometry of C4"):
        gym.make(ID, task={"skeletons": ["C4"], "property": "band_gap", "elements": ["Li", "F"]})
    with pytest.raises(cg.CalculatorError, match="table.file is missing"):
        cg.Calculator("table")
    with pytest.raises(cg.CalculatorError, match="none of this name"):
        cg.ExhaustiveTable("nothing")
    file = tmp_path / "t.parquet"
    cg.ExhaustiveTable(NAME).write(file)
    copy = pickle.loads(pickle.dumps(cg.ExhaustiveTable(file)))
    assert copy.rows() == cg.ExhaustiveTable(NAME).rows()
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(cg.CalculatorError):
        cg.ExhaustiveTable(file)
