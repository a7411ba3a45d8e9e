"""What a seed means: digests of seeded trajectories, which no rearrangement of the code may change.

The digests on record lie in ``value_stability.tsv`` beside this file. A change of what a seed gives
has to be meant, stated in CHANGELOG.md, and recorded:
``CRYSTALGYM_RECORD_DIGESTS=1 pytest python/tests/test_value_stability.py``.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from gymnasium.vector import AutoresetMode

import crystalgym as cg
from crystalgym import agents

RECORD = Path(__file__).with_name("value_stability.tsv")
HEADER = "# run\tpart\tarithmetic\tSHA-256"
STEPS = 120

# Said beside what the digests were made of, which is what it was.
SINCE_RECORDED = {"start_site", "_start_site"}

Digests = dict[tuple[str, str, str], str]


def arithmetic() -> str | None:
    """The kind of this machine's arithmetic, if digests of real numbers are on record for it.

    Exponentials are the C library's, which has other ones for processors with fused multiply-adds.
    """
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return None
    gnu = platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc"
    return "x86_64-gnu-fma" if gnu and "fma" in flags and "avx2" in flags else None


class Trajectory:
    """Digests of what an environment gave, whole numbers and words apart from real numbers."""

    def __init__(self) -> None:
        self.choices = hashlib.sha256()
        self.numbers = hashlib.sha256()

    def add(self, name: str, value: Any) -> None:
        """Any value, in an order that does not depend on the order of keys."""
        if isinstance(value, Mapping):
            for key in sorted(set(value) - SINCE_RECORDED):
                self.add(f"{name}.{key}", value[key])
        elif isinstance(value, tuple) and hasattr(value, "_asdict"):
            self.add(name, value._asdict())
        elif isinstance(value, (tuple, list)) or (
            isinstance(value, np.ndarray) and value.dtype == object
        ):
            for i, member in enumerate(value):
                self.add(f"{name}[{i}]", member)
        elif value is None or isinstance(value, str):
            self.choices.update(f"{name}={value}\n".encode())
        else:
            array = np.ascontiguousarray(value)
            digest = self.numbers if array.dtype.kind == "f" else self.choices
            assert array.dtype.kind in "fiub", (name, array.dtype)
            # Little-endian on every machine.
            array = array.astype(array.dtype.newbyteorder("<"))
            digest.update(f"{name}:{array.dtype.str}{array.shape}=".encode() + array.tobytes())


def draws(seed: int) -> Callable[[npt.NDArray[np.bool_]], npt.NDArray[np.int64]]:
    """Allowed actions by chance: a row of the masks each, 0 where none is allowed.

    From the generator's bits, since NumPy keeps those the same in all versions, and not what it
    makes of them.
    """
    bits = np.random.PCG64(seed)

    def draw(masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        chosen = [np.flatnonzero(mask) for mask in masks]
        numbers = [int(bits.random_raw()) >> 11 for _ in chosen]
        actions = [int(a[n % len(a)]) if len(a) else 0 for a, n in zip(chosen, numbers)]
        return np.array(actions, dtype=np.int64)

    return draw


TASKS: dict[str, dict[str, Any]] = {
    "C2": {"task": "density-C2-easy-small", "calculator": "rigid"},
    "mixed": {
        "skeletons": ["C2", "C4", "C6", "C7"],
        "property": "density",
        "target": 5.0,
        "calculator": "rigid",
    },
    "restricted": {
        "skeletons": ["C2", "C5"],
        "elements": ["Na", "Cs", "Ca", "Ti", "O", "S", "F"],
        "allowed": {0: ["Na", "Cs", "Ca"], 2: ["O", "S"]},
        "start_site": 1,
        "calculator": "rigid",
    },
    "gaps": {"task": "band_gap-mixed-hard-small", "calculator": "empirical"},
    "odd electrons": {
        "task": "band_gap-C3-easy-small",
        "odd_electrons_fail_at_once": True,
        "calculator": "empirical",
    },
    "moduli": {"task": "bulk_modulus-C1-easy-small", "calculator": "empirical"},
}


def vector_trajectory(mode: AutoresetMode, obs: str, options: Mapping[str, Any]) -> Trajectory:
    trajectory, draw = Trajectory(), draws(seed=11)
    envs = cg.CrystalVectorEnv(5, obs=obs, autoreset_mode=mode, **options)
    trajectory.add("reset", envs.reset(seed=21))
    ends = 0
    for step in range(STEPS):
        result = envs.step(draw(envs.action_masks()))
        trajectory.add("step", result)
        terminated = result[2]
        ends += int(terminated.sum())
        if mode == AutoresetMode.DISABLED and terminated.any():
            # Now and then a new seed for one, and a new target for all that start anew.
            again: dict[str, Any] = {"reset_mask": terminated}
            if step > STEPS // 2:
                again["target"] = 4.0
            seed = [step if i == 0 else None for i in range(5)] if step % 3 == 0 else None
            trajectory.add("reset", envs.reset(seed=seed, options=again))
    envs.close()
    assert ends > STEPS // 3
    return trajectory


def single_trajectory(obs: str, options: Mapping[str, Any]) -> Trajectory:
    trajectory, draw = Trajectory(), draws(seed=12)
    env = cg.CrystalEnv(obs=obs, **options)
    trajectory.add("reset", env.reset(seed=22))
    for step in range(STEPS):
        result = env.step(draw(env.action_masks()[None])[0])
        trajectory.add("step", result)
        if result[2]:
            seed = step if step % 3 == 0 else None
            trajectory.add("reset", env.reset(seed=seed))
    env.close()
    return trajectory


AGENTS: dict[str, list[str]] = {
    # So long that the best action is not the same everywhere.
    "dqn": ["dqn.total_steps=1600", "dqn.learning_starts=60"],
    "ppo": ["ppo.total_steps=480"],
    "sac": ["sac.total_steps=320"],
}


def agents_trajectory(folder: Path, algorithm: str) -> Trajectory:
    """What a briefly trained agent does, which draws from its policy as in training."""
    run = folder / algorithm
    command = [sys.executable, "-m", "crystalgym", "train", "--output", str(run)]
    command += ["--task", "density-mixed-easy-small", "--algorithm", algorithm]
    common = ["calculator.name=rigid", f"{algorithm}.network.hidden=8"]
    for setting in (*common, *AGENTS[algorithm]):
        command += ["--set", setting]
    subprocess.run(command, check=True, capture_output=True)
    agent, trajectory = agents.load(run, seed=4), Trajectory()
    mode = AutoresetMode.SAME_STEP
    envs = cg.CrystalVectorEnv(5, agent.task, calculator="rigid", autoreset_mode=mode)
    observations, _ = envs.reset(seed=23)
    for _ in range(STEPS):
        actions = np.atleast_1d(agent.act(observations))
        trajectory.add("actions", actions)
        observations, *rest = envs.step(actions)
        trajectory.add("step", rest)
    envs.close()
    return trajectory


def later(structure: cg.Structure, property: str) -> float:
    """A density that takes longer for some crystals than for others."""
    time.sleep(len(structure.formula) % 5 * 1e-3)
    return structure.density


def runs() -> Iterator[tuple[str, Callable[[], Trajectory]]]:
    for name, options in TASKS.items():
        for mode in AutoresetMode:
            yield f"{name}, vector, {mode.value}", partial(vector_trajectory, mode, "dict", options)
        yield f"{name}, single", partial(single_trajectory, "dict", options)
    graph = TASKS["mixed"]
    same_step, next_step = AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP
    yield "mixed, vector, graphs", partial(vector_trajectory, same_step, "graph", graph)
    yield "mixed, single, graphs", partial(single_trajectory, "graph", graph)
    late = {"task": "density-mixed-easy-small", "calculator": later, "workers": 3, "store": None}
    yield "late rewards, vector", partial(vector_trajectory, next_step, "dict", late)


def on_record() -> Digests:
    if not RECORD.exists():
        return {}
    lines = [line.split("\t") for line in RECORD.read_text(encoding="utf-8").splitlines()[1:]]
    return {(run, part, kind): digest for run, part, kind, digest in lines}


def test_seeded_trajectories_are_what_they_were(tmp_path: Path) -> None:
    """Oracle: the digests on record."""
    kind = arithmetic()
    found: Digests = {}
    for run, play in runs():
        trajectory = play()
        found[run, "choices", "any"] = trajectory.choices.hexdigest()
        if kind is not None:
            found[run, "numbers", kind] = trajectory.numbers.hexdigest()
    if kind is not None:
        for algorithm in AGENTS:
            trajectory = agents_trajectory(tmp_path, algorithm)
            run = f"agent, {algorithm}"
            # What a network chooses hangs on the last bits of its weights.
            found[run, "choices", kind] = trajectory.choices.hexdigest()
            found[run, "numbers", kind] = trajectory.numbers.hexdigest()
    recorded = on_record()
    others = {key: old for key, old in recorded.items() if key[2] not in ("any", kind)}
    if os.environ.get("CRYSTALGYM_RECORD_DIGESTS") == "1":
        lines = ["\t".join((*key, digest)) for key, digest in sorted({**others, **found}.items())]
        RECORD.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
        return
    comparable = {key: old for key, old in recorded.items() if key not in others}
    changes = [
        f"  {run}, {part}: was {comparable.get((run, part, of))}, is {found.get((run, part, of))}"
        for run, part, of in sorted({*comparable, *found})
        if comparable.get((run, part, of)) != found.get((run, part, of))
    ]
    assert not changes, (
        f"a seed no longer means what it meant ({RECORD.name}):\n" + "\n".join(changes) + "\n"
        "A change that is meant has to be stated in CHANGELOG.md, with the reason. Then record "
        "it:\n"
        "  CRYSTALGYM_RECORD_DIGESTS=1 pytest python/tests/test_value_stability.py"
    )
    if kind is None:
        pytest.skip("real numbers not compared: nothing is on record for this machine's arithmetic")
