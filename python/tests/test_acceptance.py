"""A user's first hour, word for word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import PPO

import crystalgym  # noqa: F401


def test_the_first_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    env = gym.make("crystalgym/BandGap-C1-v0", obs="dict")
    with warnings.catch_warnings():
        # That the environment comes with the wrappers of `make` around it.
        warnings.simplefilter("ignore")
        check_env(env.unwrapped, skip_render_check=True)
    _, info = env.reset(seed=1)
    assert env.action_space.contains(env.action_space.sample(mask=info["action_mask"]))

    envs = gym.make_vec("crystalgym/BandGap-C1-v0", num_envs=8)
    envs.reset(seed=1)
    envs.step(envs.action_space.sample())
    envs.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm.rich calls itself experimental
        model = PPO("MultiInputPolicy", env, n_steps=64, tensorboard_log="runs", device="cpu")
        model.learn(128, progress_bar=True)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (run,) = Path("runs").iterdir()
    events = EventAccumulator(str(run))
    events.Reload()
    assert "rollout/ep_rew_mean" in events.Tags()["scalars"]

    model.save("model")
    again = PPO.load("model", env=env)
    again.learn(64, reset_num_timesteps=False)
    assert again.num_timesteps == 192

    structure = env.unwrapped.structure  # type: ignore[attr-defined]
    structure.to("out.cif")
    from pymatgen.core import Structure

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Structure.from_file("out.cif")
    assert theirs.composition == structure.to_pymatgen().composition
    assert sorted(structure.to_ase().get_chemical_symbols()) == sorted(structure.elements)


COMMAND = [sys.executable, "-m", "crystalgym"]


def test_the_command_trains_stops_at_ctrl_c_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = ["dqn.total_steps=100000000", "calculator.name=rigid", "task.property=density"]
    start = [*COMMAND, "train", "--output", str(folder)]
    start += [word for setting in settings for word in ("--set", setting)]
    process = subprocess.Popen(start, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder / "episodes.csv").exists() or not (folder / "episodes.csv").stat().st_size:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert f"--resume {folder}" in errors
    again = subprocess.Popen([*COMMAND, "train", "--resume", str(folder)], stderr=subprocess.PIPE)
    time.sleep(1)
    assert again.poll() is None
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=60)
    assert again.returncode == 0


def test_the_command_answers_as_the_rust_one_does() -> None:
    environment = {**os.environ, "NO_COLOR": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, env=environment, check=False
        )

    listed = run("list", "skeletons")
    assert listed.returncode == 0 and listed.stdout.count("\n") == 8
    assert run("list", "nonsense").returncode == 2
    script = Path(sys.executable).parent / "crystalgym"
    if script.exists():
        done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("crystalgym ")
