"""Runs of the command, read from Python, and their agents."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crystalgym as cg
from crystalgym import agents, metrics


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    command = [sys.executable, "-m", "crystalgym", "train", "--task", "density-mixed-easy-small"]
    settings = ["--set", "dqn.total_steps=600", "--set", "output.evaluation_rollouts=3"]
    settings += ["--set", "calculator.name=rigid"]
    subprocess.run([*command, *settings, "--output", str(folder)], check=True, capture_output=True)
    return folder


def test_episodes_as_a_table(run: Path) -> None:
    """Oracle: pandas' own reader of the same file."""
    import pandas

    expected = pandas.read_csv(run / "episodes.csv")
    found = cg.read_episodes(run / "episodes.csv").to_pandas()
    assert list(found.columns) == list(expected.columns)
    for column in ("episode", "step", "elements", "value", "episodic_return", "source"):
        assert found[column].tolist() == expected[column].tolist()
    with pytest.raises(cg.TrainingError) as error:
        cg.read_episodes(run / "config.toml")
    assert error.value.values["path"] == str(run / "config.toml")


def rollout(agent: agents.TrainedAgent, seed: int, obs: str) -> str:
    env = cg.CrystalEnv(agent.task, calculator="rigid", obs=obs)
    observation, info = env.reset(seed=seed)
    terminated = False
    while not terminated:
        observation, _, terminated, _, info = env.step(int(agent.act(observation, info)))
    return " ".join(element or "" for element in env.elements)


def test_an_agent_acts_as_in_its_run(run: Path) -> None:
    """Oracle: the run's own greedy rollouts, which print their crystals in the last line."""
    resumed = subprocess.run(
        [sys.executable, "-m", "crystalgym", "train", "--resume", str(run)],
        check=True,
        capture_output=True,
        text=True,
    )
    last = resumed.stdout.strip().splitlines()[-1]
    assert last.startswith("final policy")
    expected = last[last.index("(") + 1 : -1].split(", ")
    agent = agents.load(run)
    assert (agent.algorithm, agent.steps) == ("dqn", 600)
    # Where the final rollouts of a run start.
    first = 1_000_000 + agent.config["dqn"]["seed"]
    for obs in ("dict", "graph"):
        made = [rollout(agent, first + i, obs) for i in range(3)]
        assert [formula(elements) for elements in made] == expected


def formula(elements: str) -> str:
    return metrics.reduced_formula("".join(elements.split()))


def test_batches_act_as_single_observations_do(run: Path) -> None:
    agent = agents.load(run)
    for obs in ("dict", "graph"):
        envs = cg.CrystalVectorEnv(5, agent.task, obs=obs, calculator="rigid")
        single = [cg.CrystalEnv(agent.task, obs=obs, calculator="rigid") for _ in range(5)]
        observations, infos = envs.reset(seed=9)
        alone = [env.reset(seed=9 + i)[0] for i, env in enumerate(single)]
        for _ in range(4):
            actions = agent.act(observations, infos)
            assert np.array_equal(actions, [agent.act(observation) for observation in alone])
            observations, _, terminated, _, infos = envs.step(actions)
            assert not terminated[:0].any()
            alone = [env.step(int(a))[0] for env, a in zip(single, actions)]
            if terminated.any():
                break


def test_an_agent_can_act_on_other_skeletons(run: Path) -> None:
    agent = agents.load(run, task="density-C1-easy-small", seed=4)
    assert [skeleton.label for skeleton in agent.task.skeletons] == ["C1"]
    assert len(rollout(agent, 0, "dict").split()) == 5


def test_what_does_not_fit_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(cg.TrainingError):
        agents.load(tmp_path)
    with pytest.raises(cg.TrainingError):
        agents.load(run, task="density-C1-easy-large")
    agent = agents.load(run)
    env = cg.CrystalEnv(agent.task, calculator="empirical")
    observation, _ = env.reset(seed=0)
    focus = observation["focus"]
    observation["focus"] = np.int64(17)
    with pytest.raises(cg.TaskError) as error:
        agent.act(observation)
    assert error.value.code == "no_state"
    # No episode that starts elsewhere has this site in focus first.
    with pytest.raises(cg.TaskError) as error:
        agent.act({**observation, "focus": focus}, {"start_site": (focus + 1) % 4})
    assert error.value.code == "no_state"


def test_a_language_model_is_loaded_like_any_agent(tmp_path: Path) -> None:
    """Oracle: acting on a batch is acting on each of its observations."""

    def command(*arguments: str) -> None:
        call = [sys.executable, "-m", "crystalgym", *arguments]
        subprocess.run(call, check=True, capture_output=True)

    model, folder = str(tmp_path / "model"), tmp_path / "run"
    small = ["--hidden", "16", "--inner", "24", "--layers", "1", "--heads", "2", "--key-heads", "1"]
    command("llm", "new", "--output", model, *small)
    settings = [f"llm.model={model}", "llm.total_steps=40", "llm.batch_episodes=4", "llm.environments=4"]
    settings += ["calculator.name=rigid"]
    sets = [word for setting in settings for word in ("--set", setting)]
    task = ["--task", "density-mixed-easy-small", "--algorithm", "llm"]
    command("train", *task, *sets, "--output", str(folder))
    agent = agents.load(folder)
    assert agent.algorithm == "llm" and agent.steps >= 40
    elements = rollout(agent, 5, "graph")
    assert elements == rollout(agent, 5, "graph") and all(elements.split(" "))
    envs = cg.CrystalVectorEnv(3, agent.task, calculator="rigid")
    single = [cg.CrystalEnv(agent.task, calculator="rigid") for _ in range(3)]
    actions = agent.act(envs.reset(seed=7)[0])
    alone = [env.reset(seed=7 + i)[0] for i, env in enumerate(single)]
    assert np.array_equal(actions, [agent.act(observation) for observation in alone])
