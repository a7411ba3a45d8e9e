"""Seconds from Ctrl-C to ``KeyboardInterrupt``, and to the end of the process, for long calls.

Each call runs in a process of its own and would go on for minutes (Python's sleep for ten seconds);
SIGINT is sent at a random moment.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import crystalgym as cg

# A shell's background jobs ignore SIGINT, and so would their children.
START = """
import signal, time
import numpy as np
import crystalgym as cg
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
CELL = """
cell = cg.Structure([[9, 0, 0], [0, 9, 0], [0, 0, 9]], ['Si', 'Si'],
                    [[0.1, 0, 0], [0.35, 0.2, 0.27]])
native = cg.Calculator('native', ecutwfc_ry=100.0, kppa=4000.0)
task = {'task': 'band_gap-C6-easy-small', 'elements': ['C'], 'store': None}
def sleeps(structure, property):
    time.sleep(10)
    return 1.0
def computes(structure, property):
    total = 0
    while True:
        total += 1
"""
ONE = "env = cg.CrystalEnv(**task, calculator={})\nenv.reset(seed=0)\nfor _ in range(4): env.step(0)"
MANY = (
    "envs = cg.CrystalVectorEnv(2, **task, calculator={})\n"
    "envs.reset(seed=0)\n"
    "for _ in range(4):\n"
    "    envs.send(np.zeros(2, dtype=np.int64))\n"
    "    envs.recv()"
)
CALLS = {
    "ground_state": "cg.ground_state(cell, cutoff_ev=1000, k_mesh=(4, 4, 4), use_symmetry=False)",
    "ground_state, one k-point": "cg.ground_state(cell, cutoff_ev=3000, k_mesh=(1, 1, 1))",
    "evaluate, native": "cg.evaluate(cell, 'band_gap', calculator=native, store=None)",
    "evaluate, pw.x": "cg.evaluate(cg.Skeleton('C6').fill(['C'] * 4), 'band_gap', calculator=qe)",
    "evaluate, Python": "cg.evaluate(cell, 'band_gap', calculator=computes)",
    "CrystalEnv.step, native": ONE.format("native"),
    "CrystalEnv.step, pw.x": ONE.format("qe"),
    "CrystalEnv.step, Python": ONE.format("sleeps"),
    "recv, native": MANY.format("native"),
    "recv, pw.x": MANY.format("qe"),
    "recv, Python on threads": MANY.format("sleeps, workers=2"),
}
"""Names with code; `qe` is a calculator whose pw.x is at work for minutes."""


def interrupted(code: str) -> tuple[float, float]:
    """Seconds from the signal until Python heard of it, and until the process had ended."""
    program = f"{START}{CELL}"
    program += f"try:\n    print('begun', flush=True)\n{textwrap.indent(code, '    ')}\n"
    program += "except KeyboardInterrupt:\n    print(time.monotonic(), flush=True)\n"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(random.uniform(1, 3))
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        heard = float(process.stdout.readline())
        process.wait(120)
        return heard - sent, time.monotonic() - sent
    finally:
        process.kill()
        process.wait()


def calculator(folder: Path, pw_x: str) -> str:
    """Code that makes `qe`, with norm-conserving carbon and a cutoff that takes minutes."""
    (folder / "C.upf").write_text(cg.gth_upf("C"))
    cutoffs = "{'ecutwfc_ry': 400.0, 'ecutrho_ry': 1600.0}"
    return (
        f"qe = cg.Calculator('qe', pseudopotentials={str(folder)!r}, command=[{pw_x!r}], "
        f"pw={cutoffs})\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--only", default="", help="part of the name of the calls to measure")
    arguments = parser.parse_args()
    pw_x = shutil.which("pw.x")
    print(f"{'':26} {'KeyboardInterrupt':>20} {'end of process':>20}")
    print(f"{'seconds':26} {'median':>10} {'worst':>9} {'median':>10} {'worst':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name, code in CALLS.items():
            if arguments.only not in name:
                continue
            if "pw.x" in name:
                if pw_x is None:
                    print(f"{name:26} skipped: no pw.x")
                    continue
                code = calculator(Path(folder), pw_x) + code
            found = [interrupted(code) for _ in range(arguments.repetitions)]
            heard, ended = (sorted(times) for times in zip(*found))
            middle = len(found) // 2
            print(
                f"{name:26} {heard[middle]:10.3f} {heard[-1]:9.3f} "
                f"{ended[middle]:10.3f} {ended[-1]:9.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
