"""Training from Python: callbacks, stops, loggers, transitions, what notebooks show, Stable-Baselines3."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crystalgym as cg
from crystalgym import loggers, transitions

SETTINGS: dict[str, Any] = {
    "dqn": {"total_steps": 600, "learning_starts": 60, "network": {"hidden": 8}},
    "calculator.name": "rigid",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> cg.Run:
    folder = tmp_path_factory.mktemp("training")
    heard: list[dict[str, Any]] = []
    done = cg.train(
        "density-C6-easy-small",
        settings=SETTINGS,
        output=folder / "run",
        callback=[heard.append, loggers.CsvLogger(folder / "log.csv")],
    )
    last = heard[-1]
    assert (last["steps"], last["total_steps"]) == (600, 600)
    assert last["best_formula"] == done.best(1)[0]["formula"]
    with open(folder / "log.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(heard) and rows[-1]["steps"] == "600"
    return done


def test_a_run_tells_of_itself(run: cg.Run) -> None:
    columns = run.episodes().to_dict()
    count = len(columns["episode"])
    assert 140 <= count <= 150
    best = run.best(3)
    assert best[0]["episodic_return"] == max(columns["episodic_return"])
    assert len({one["formula"] + one["skeleton"] for one in best}) == 3
    assert best[0]["crystal"].formula == best[0]["formula"]
    assert run.agent().steps == 600
    assert run.task.config["property"] == "density"
    assert f"{count} episodes" in repr(run) and best[0]["formula"] in run._repr_html_()
    with pytest.raises(cg.TrainingError, match="holds no run"):
        cg.Run(run.folder.parent / "nothing")


def test_a_callback_stops_a_run_and_it_goes_on(tmp_path: Path) -> None:
    seen: list[int] = []

    def enough(progress: dict[str, Any]) -> bool:
        seen.append(progress["steps"])
        return False

    settings = {**SETTINGS, "dqn": {"total_steps": 20_000, "network": {"hidden": 8}}}
    task = {"property": "density", "skeletons": ["C2"], "allowed": {"Rb": ["Cl", "F"]}}
    run = cg.train(task, settings=settings, output=tmp_path / "run", callback=enough)
    assert 0 < seen[-1] < 20_000
    assert run.task.config["allowed"] == {"Rb": ["F", "Cl"]} or run.task.config["allowed"] == {
        "Rb": ["Cl", "F"]
    }
    before = len(run.episodes())
    again = cg.train(resume=tmp_path / "run", callback=lambda progress: False)
    assert len(again.episodes()) >= before

    def broken(progress: dict[str, Any]) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        cg.train(task, settings=settings, output=tmp_path / "broken", callback=broken)
    with pytest.raises(TypeError, match="no other argument"):
        cg.train("density-C2-easy-small", resume=tmp_path / "run")
    with pytest.raises(cg.TrainingError, match="total_stepz"):
        cg.train(settings={"dqn.total_stepz": 1}, output=tmp_path / "wrong")


def test_transitions_are_those_of_the_run(run: cg.Run) -> None:
    """Oracle: the table of episodes."""
    columns = run.episodes().to_dict()
    count = 0
    for episode, value, earned, elements in zip(
        transitions.episodes(run), columns["value"], columns["episodic_return"], columns["elements"]
    ):
        assert episode.observations["nodes"].shape == (5, 4)
        assert len(episode.actions) == len(episode.rewards) == 4
        assert episode.rewards[:-1].tolist() == [0.0, 0.0, 0.0]
        assert episode.rewards[-1] == earned
        assert episode.value == value or math.isnan(episode.value) and value is None
        assert episode.terminations.tolist() == [False, False, False, True]
        filled = [run.task.elements[node] for node in episode.observations["nodes"][-1]]
        assert filled == elements.split()
        count += 1
    assert count == len(columns["value"])


def test_optional_packages_are_asked_for(run: cg.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, call in (
        ("wandb", lambda: loggers.WandbLogger(project="mine")),
        ("minari", lambda: transitions.to_minari(run, "mine/test-v0")),
    ):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ImportError, match=f"pip install '?{name}"):
            call()


def test_wandb_hears_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a stand-in with the two functions that are used."""
    logged: list[tuple[dict[str, float], int]] = []

    class Stand:
        def init(self, **options: Any) -> Stand:
            assert options == {"project": "mine"}
            return self

        def log(self, numbers: dict[str, float], step: int) -> None:
            logged.append((numbers, step))

        def finish(self) -> None:
            logged.append(({}, -1))

    monkeypatch.setitem(sys.modules, "wandb", Stand())  # type: ignore[arg-type]
    logger = loggers.WandbLogger(project="mine")
    progress = dict.fromkeys((*loggers.NUMBERS, "best_formula"), None) | {"steps": 7, "episodes": 2}
    logger(progress)
    logger.close()
    assert logged == [({"steps": 7, "episodes": 2}, 7), ({}, -1)]


def test_notebooks_show_crystals_evaluations_and_tables(run: cg.Run) -> None:
    crystal = cg.Skeleton("C2").fill(["Rb", "Ca", "H", "H", "H"])
    shown = crystal._repr_html_()
    assert "data:image/png;base64," in shown and "RbCaH3 on C2, P m -3 m (221)" in shown
    evaluation = cg.evaluate(crystal, "density", calculator="rigid")
    assert f"{evaluation.value:.5g} g/cm³" in evaluation._repr_html_()

    def failing(structure: cg.Structure, property: str) -> float:
        raise cg.CalculationFailed("no <b>luck</b>", code="scf_not_converged")

    failed = cg.evaluate(crystal, "band_gap", calculator=failing)._repr_html_()
    assert "scf_not_converged: no &lt;b&gt;luck&lt;/b&gt;" in failed
    table = run.episodes()._repr_html_()
    assert table.count("<tr>") == 11
    assert f"{len(run.episodes())} rows, the first 10 shown" in table


def test_a_picture_is_a_png() -> None:
    """Oracle: what zlib unpacks has the pixels that were packed."""
    import zlib

    from crystalgym._html import _png

    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    data = _png(pixels)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    start = data.index(b"IDAT") + 4
    length = int.from_bytes(data[start - 8 : start - 4], "big")
    rows = zlib.decompress(data[start : start + length])
    assert rows == b"\0" + pixels[0].tobytes() + b"\0" + pixels[1].tobytes()


def test_lists_are_evaluated_in_their_order() -> None:
    skeleton = cg.Skeleton("C6")
    crystals = [skeleton.fill([symbol] * 4) for symbol in ("Na", "K", "Na")]
    found = cg.evaluate(crystals, "density", calculator="rigid")
    assert [one.crystal.formula for one in found] == ["Na", "K", "Na"]
    assert [one.value for one in found] == [
        cg.evaluate(crystal, "density", calculator="rigid").value for crystal in crystals
    ]
    assert cg.evaluate([], "density", calculator="rigid") == []
    with pytest.raises(cg.StructureError):
        cg.evaluate([crystals[0], 7], "density", calculator="rigid")


def test_the_default_store_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert cg.ResultStore("default").path == cg.ResultStore().path
    assert cg.ResultStore("default").path == tmp_path / "crystalgym/store.sqlite"


def test_stable_baselines_learns_on_the_vector_environment() -> None:
    """Oracle: the environments one by one, each with its own seed."""
    from sb3_contrib import MaskablePPO
    from stable_baselines3 import PPO

    from crystalgym.sb3 import SB3VecEnv

    envs = SB3VecEnv(3, "density-C6-easy-small", calculator="rigid")
    singles = [cg.CrystalEnv("density-C6-easy-small", calculator="rigid") for _ in range(3)]
    envs.seed(5)
    observations = envs.reset()
    starts = [env.reset(seed=5 + i)[0] for i, env in enumerate(singles)]
    actions = np.random.default_rng(1).integers(0, 18, (12, 3))
    for number, row in enumerate(actions):
        for i, start in enumerate(starts):
            for key, value in start.items():
                assert np.array_equal(observations[key][i], value), key  # type: ignore[index]
        observations, rewards, dones, infos = envs.step(row)
        for i, env in enumerate(singles):
            starts[i], reward, terminated, _, info = env.step(row[i])
            assert (rewards[i], dones[i]) == (np.float32(reward), terminated)
            if terminated:
                assert infos[i]["value"] == info["value"] and infos[i]["formula"] == info["formula"]
                assert infos[i]["episode"] == {"r": reward, "l": 4}
                last = infos[i]["terminal_observation"]
                assert all(np.array_equal(last[key], starts[i][key]) for key in last)
                starts[i] = env.reset()[0]
    made = PPO("MultiInputPolicy", envs, n_steps=16, batch_size=48, seed=1, device="cpu").learn(96)
    assert made.num_timesteps == 96 and len(made.ep_info_buffer) > 0  # type: ignore[arg-type]
    masked = SB3VecEnv(3, "density-C6-easy-small", calculator="rigid", allowed={0: ["F"]})
    MaskablePPO("MultiInputPolicy", masked, n_steps=16, batch_size=48, seed=1, device="cpu").learn(96)
    with pytest.raises(ValueError, match="expected 'dict'"):
        SB3VecEnv(2, "density-C6-easy-small", obs="graph", calculator="rigid")
