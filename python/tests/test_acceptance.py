"""A user's first hour, word for word, with the package as `pip install` puts it there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.request
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

import crystalgym


def test_the_package_is_the_installed_one() -> None:
    """Whatever else these tests say, they say it of the wheel: not of the sources beside them."""
    installed = Path(sysconfig.get_path("platlib")) / "crystalgym"
    found = Path(crystalgym.__file__).parent
    if found != installed and os.environ.get("CRYSTALGYM_REQUIRE_TOOLS") != "1":
        pytest.skip(f"{found} is not below {installed}: an editable installation")
    assert found == installed
    version = metadata.version("crystalgym")
    assert version == crystalgym.__version__
    assert (installed / "py.typed").exists()


def test_the_first_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    env = gym.make("crystalgym/BandGap-C1-v0", obs="dict")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        check_env(env)
    # What Gymnasium says of all that `make` returns.
    assert [w for w in said if "different from the unwrapped version" not in str(w.message)] == []
    _, info = env.reset(seed=1)
    assert env.action_space.contains(env.action_space.sample(mask=info["action_mask"]))

    envs = gym.make_vec("crystalgym/BandGap-C1-v0", num_envs=8)
    envs.reset(seed=1)
    envs.step(envs.action_space.sample())
    envs.close()

    # Rewards without DFT: how long a random crystal takes by DFT is a matter of luck.
    env = gym.make("crystalgym/BandGap-C1-v0", obs="dict", calculator="empirical")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm.rich calls itself experimental
        model = PPO(
            "MultiInputPolicy", env, n_steps=16, batch_size=16, tensorboard_log="runs", device="cpu"
        )
        model.learn(16, progress_bar=True)
        # Ctrl-C in the middle of the next 10 000 steps, then on from what was saved.
        with pytest.raises(KeyboardInterrupt):
            model.learn(10_000, callback=PressCtrlC(), reset_num_timesteps=False, progress_bar=True)
    model.save("model")
    again = PPO.load("model", env=env)
    before = again.num_timesteps
    assert 16 < before < 10_000
    again.learn(16, reset_num_timesteps=False)
    assert again.num_timesteps == before + 16

    tags = tensorboard_tags("runs")
    assert any(run.startswith("PPO") and "rollout/ep_rew_mean" in tags[run] for run in tags)

    structure = env.unwrapped.structure  # type: ignore[attr-defined]
    structure.to("out.cif")
    from pymatgen.core import Structure

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Structure.from_file("out.cif")
    assert theirs.composition == structure.to_pymatgen().composition
    assert sorted(structure.to_ase().get_chemical_symbols()) == sorted(structure.elements)


class PressCtrlC(BaseCallback):
    """Ten steps after the start."""

    def _on_step(self) -> bool:
        if self.n_calls == 10:
            signal.raise_signal(signal.SIGINT)
        return True


def tensorboard_tags(logdir: str) -> dict[str, list[str]]:
    """Names of the scalars of each run, as a running TensorBoard has them."""
    command = [str(SCRIPT.with_name("tensorboard")), "--logdir", logdir, "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = ""
        while (address := re.search(r"at (http://\S+)", said)) is None:
            line = process.stderr.readline()
            assert line, said
            said += line
        deadline = time.monotonic() + 60
        tags: dict[str, dict[str, Any]] = {}
        while not tags and time.monotonic() < deadline:
            time.sleep(0.2)
            url = address[1].rstrip("/") + "/data/plugin/scalars/tags"
            with urllib.request.urlopen(url, timeout=60) as answer:
                tags = json.load(answer)
        return {run: list(scalars) for run, scalars in tags.items()}
    finally:
        process.kill()
        process.communicate()


COMMAND = [sys.executable, "-m", "crystalgym"]
SCRIPT = Path(sysconfig.get_path("scripts")) / "crystalgym"


def test_the_command_trains_stops_at_ctrl_c_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("runs") / "first"
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
    assert "charts/episodic_return" in tensorboard_tags("runs")["first"]


def test_the_command_answers_as_the_rust_one_does() -> None:
    environment = {**os.environ, "NO_COLOR": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, env=environment, check=False
        )

    listed = run("list", "skeletons")
    assert listed.returncode == 0 and listed.stdout.count("\n") == 8
    assert run("list", "nonsense").returncode == 2
    done = subprocess.run([SCRIPT, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"crystalgym {crystalgym.__version__}\n"


def test_the_benchmark_says_what_it_would_cost(tmp_path: Path) -> None:
    """The last line of the first hour: jobs, and the hours of DFT they would take."""
    command = [SCRIPT, "bench", "--preset", "paper-exp1", "--seeds", "5", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    jobs = [line for line in done.stdout.splitlines() if line.startswith("exp1-")]
    # Three properties, seven crystals, four algorithms, five seeds.
    assert len(jobs) == len(set(jobs)) == 3 * 7 * 4 * 5
    said = re.search(r"420 jobs.*: (\d+) DFT calculations, .* ([\d.]+) core hours", done.stdout)
    assert said is not None and int(said[1]) > 0 and float(said[2]) > 0
    assert list(tmp_path.iterdir()) == []
