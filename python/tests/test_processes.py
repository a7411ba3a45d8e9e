"""Ctrl-C, and many processes over one store."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv
from stable_baselines3.common.vec_env import SubprocVecEnv

import crystalgym as cg


def interrupted(code: str, started: Callable[[], bool]) -> float:
    """Runs a program, presses Ctrl-C once it is at work; seconds until it has ended with 42."""
    guard = f"try:\n{textwrap.indent(textwrap.dedent(code), '    ')}\n"
    guard += "except KeyboardInterrupt:\n    raise SystemExit(42)\n"
    process = subprocess.Popen([sys.executable, "-c", guard], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not started():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 42, errors
    return time.monotonic() - pressed


LONG_CALCULATIONS = {
    "ground_state": "cg.ground_state(cell, cutoff_ev=1000, k_mesh=(4, 4, 4), use_symmetry=False)",
    "evaluate": "cg.evaluate(cell, 'band_gap', calculator=native, store=store)",
    "step": "env = cg.CrystalEnv('band_gap-C6-easy-small', skeletons=cell, elements=['Si'],"
    " calculator=native, store=store)\nenv.reset(seed=0)\nfor _ in range(2): env.step(0)",
    "vector": "import numpy as np\n"
    "env = cg.CrystalVectorEnv(2, 'band_gap-C6-easy-small', skeletons=cell, elements=['Si'],"
    " calculator=native, store=store)\n"
    "env.reset(seed=0)\nfor _ in range(2): env.step(np.zeros(2, dtype=np.int64))",
    "ase": "from crystalgym.ase import PlaneWaveCalculator\n"
    "atoms = cell.to_ase()\n"
    "atoms.calc = PlaneWaveCalculator(cutoff_ev=1000, k_mesh=(4, 4, 4))\n"
    "atoms.get_potential_energy()",
}


@pytest.mark.parametrize("by", LONG_CALCULATIONS)
def test_ctrl_c_stops_the_engine(tmp_path: Path, by: str) -> None:
    """In the middle of minutes of work; what was begun is claimed in the store by nobody."""
    mark = tmp_path / "started"
    code = (
        "import pathlib, crystalgym as cg\n"
        "cell = cg.Structure([[9, 0, 0], [0, 9, 0], [0, 0, 9]], ['Si', 'Si'],"
        " [[0.1, 0, 0], [0.35, 0.2, 0.27]])\n"
        "native = cg.Calculator('native', ecutwfc_ry=100.0, kppa=4000.0)\n"
        f"store = {str(tmp_path / 'results.sqlite')!r}\n"
        f"pathlib.Path({str(mark)!r}).touch()\n" + LONG_CALCULATIONS[by]
    )

    def started() -> bool:
        if mark.exists():
            time.sleep(1)
            return True
        return False

    # A second is meant; the bound leaves room for slow machines.
    seconds = interrupted(code, started)
    print(f"{by}: {seconds:.2f} s from Ctrl-C to the end", file=sys.stderr)
    assert seconds < 20
    if "store=store" in LONG_CALCULATIONS[by]:
        assert len(cg.ResultStore(tmp_path / "results.sqlite")) == 0


@pytest.mark.parametrize("by", ["evaluate", "step"])
def test_ctrl_c_stops_waiting_for_another_process(tmp_path: Path, by: str) -> None:
    """This process has the claim on a result of a calculator of one's own; the other waits."""
    crystal = cg.Skeleton("C6").fill(["C"] * 4)
    store = tmp_path / "results.sqlite"
    mark = tmp_path / "started"
    code = (
        "import pathlib, crystalgym as cg\n"
        "own = cg.Calculator.from_function(lambda s, p: 1.0, name='own', fingerprint='1')\n"
        f"store = {str(store)!r}\n"
        f"pathlib.Path({str(mark)!r}).touch()\n"
    )
    code += {
        "evaluate": "cg.evaluate(cg.Skeleton('C6').fill(['C'] * 4), 'density', calculator=own,"
        " store=store)",
        "step": "env = cg.CrystalEnv('density-C6-easy-small', elements=['C'], calculator=own,"
        " store=store)\nenv.reset(seed=0)\nfor _ in range(4): env.step(0)",
    }[by]

    def started() -> bool:
        if mark.exists():
            time.sleep(1)
            return True
        return False

    seconds: list[float] = []

    def held(structure: cg.Structure, property: str) -> float:
        seconds.append(interrupted(code, started))
        return 2.0

    own = cg.Calculator.from_function(held, name="own", fingerprint="1")
    found = cg.evaluate(crystal, "density", calculator=own, store=store)
    assert found.value == 2.0 and seconds[0] < 20
    assert len(cg.ResultStore(store)) == 1


@pytest.mark.parametrize("work", ["time.sleep(3)", "while time.monotonic() < start + 3: pass"])
def test_ctrl_c_lets_ones_own_calculator_on_a_thread_come_back(tmp_path: Path, work: str) -> None:
    """A thread that is in Python when the interpreter goes would end the process by a signal."""
    mark = tmp_path / "started"
    code = (
        "import pathlib, time, numpy as np, crystalgym as cg\n"
        "def slow(structure, property):\n"
        "    start = time.monotonic()\n"
        f"    pathlib.Path({str(mark)!r}).touch()\n"
        f"    {work}\n"
        "    return 1.0\n"
        "envs = cg.CrystalVectorEnv(2, 'density-C6-easy-small', calculator=slow, workers=2)\n"
        "envs.reset(seed=0)\n"
        "for _ in range(4): envs.step(np.zeros(2, dtype=np.int64))"
    )
    assert interrupted(code, mark.exists) < 20


def children_called(name: str, folder: Path) -> list[int]:
    """Processes of that name with a file or their working folder below ``folder``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().strip() != name:
                continue
            if str(folder) in os.readlink(process / "cwd"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("by", ["evaluate", "step", "vector"])
def test_ctrl_c_leaves_no_pw_x_behind(pw_x: str, tmp_path: Path, by: str) -> None:
    """A real pw.x at work on a cell that takes it minutes."""
    pseudopotentials = tmp_path / "pseudopotentials"
    pseudopotentials.mkdir()
    write_pseudopotentials(pseudopotentials)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    calls = {
        "evaluate": "cg.evaluate(cg.Skeleton('C6').fill(['C'] * 4), 'band_gap', calculator=qe)",
        "step": "env = cg.CrystalEnv('band_gap-C6-easy-small', elements=['C'], calculator=qe)\n"
        "env.reset(seed=0)\nfor _ in range(4): env.step(0)",
        "vector": "import numpy as np\n"
        "env = cg.CrystalVectorEnv(2, 'band_gap-C6-easy-small', elements=['C'], calculator=qe)\n"
        "env.reset(seed=0)\nfor _ in range(4): env.step(np.zeros(2, dtype=np.int64))",
    }
    code = (
        "import crystalgym as cg\n"
        f"qe = cg.Calculator('qe', pseudopotentials={str(pseudopotentials)!r}, "
        f"scratch={str(scratch)!r}, command=[{pw_x!r}], "
        "pw={'ecutwfc_ry': 400.0, 'ecutrho_ry': 1600.0})\n" + calls[by]
    )
    interrupted(code, lambda: bool(children_called("pw.x", scratch)))
    assert children_called("pw.x", scratch) == []


def write_pseudopotentials(folder: Path) -> None:
    """A norm-conserving carbon, as the engine writes its own analytic one."""
    (folder / "C.upf").write_text(cg.gth_upf("C"))


def slow_and_counted(
    folder: Path, structure: cg.Structure, property: str
) -> float:  # pragma: no cover - runs in workers
    """Leaves a file for each calculation, named by the process."""
    time.sleep(0.02)
    path = folder / f"{structure.formula}.{os.getpid()}.{time.monotonic_ns()}"
    path.touch()
    return structure.density


def make_env(folder: Path) -> cg.CrystalEnv:
    calculator = cg.Calculator.from_function(
        partial(slow_and_counted, folder), name="slow", fingerprint="1"
    )
    return cg.CrystalEnv(
        "density-C6-easy-small",
        elements=["Na", "Cl", "Li"],
        calculator=calculator,
        store=str(folder / "results.sqlite"),
    )


def check_store(folder: Path) -> None:
    """Whole, and nothing computed twice."""
    store = cg.ResultStore(folder / "results.sqlite")
    store.check()
    connection = sqlite3.connect(folder / "results.sqlite")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    calculated = [
        path for path in folder.iterdir() if path.suffix.isdigit() or path.name.count(".") == 2
    ]
    # Multisets of 4 out of 3 elements on 4 equivalent sites.
    assert 1 < len(store) <= 15
    # A calculation of a worker that was killed may have been done again.
    assert len(store) <= len(calculated) <= len(store) + 1


def test_four_workers_of_stable_baselines_share_a_store(tmp_path: Path) -> None:
    envs = SubprocVecEnv([partial(make_env, tmp_path)] * 4, start_method="spawn")
    envs.seed(1)
    envs.reset()
    rng = np.random.default_rng(0)
    for _ in range(40):
        envs.step(rng.integers(0, 3, 4))
    envs.close()
    check_store(tmp_path)


# Gymnasium's vector environment cannot be closed in peace once a worker is dead.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:.*Calling `close` while waiting:UserWarning")
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_a_killed_worker_harms_nothing(tmp_path: Path, context: str) -> None:
    envs: AsyncVectorEnv[Any, Any, Any] = AsyncVectorEnv(
        [partial(make_env, tmp_path)] * 4, context=context, shared_memory=True
    )
    envs.reset(seed=1)
    rng = np.random.default_rng(0)
    for _ in range(12):
        envs.step(rng.integers(0, 3, 4))
    victim = envs.processes[2]
    envs.step_async(rng.integers(0, 3, 4))
    os.kill(victim.pid, signal.SIGKILL)
    victim.join(10)
    assert victim.exitcode == -signal.SIGKILL
    # Gymnasium finds a pipe broken; its own workers are ended all the same.
    with contextlib.suppress(OSError, EOFError):
        envs.close(terminate=True)
    envs.closed = True
    for process in envs.processes:
        process.kill()
        process.join(10)
    del envs, victim, process
    gc.collect()
    # Another run goes on with the same store, claims of the dead one included.
    others = AsyncVectorEnv([partial(make_env, tmp_path)] * 4, context=context)
    others.reset(seed=1)
    for _ in range(20):
        _, rewards, terminated, _, _ = others.step(rng.integers(0, 3, 4))
        assert (rewards[terminated] > 0).all()
    others.close()
    check_store(tmp_path)
