"""Steps per second of the vector environment through Python, with ``rigid`` rewards.

Every step counts that moves an environment; those that only reset one (mode NextStep) do not.
"""

from __future__ import annotations

import time

import numpy as np
from gymnasium.vector import AutoresetMode

import crystalgym as cg

NUM_ENVS = 64
STEPS = 3000
REPETITIONS = 7


def rate(task: str, mode: AutoresetMode) -> float:
    envs = cg.CrystalVectorEnv(NUM_ENVS, task, calculator="rigid", autoreset_mode=mode)
    envs.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 18, (STEPS, NUM_ENVS))
    moved = 0
    ended = np.zeros(NUM_ENVS, dtype=np.bool_)
    start = time.perf_counter()
    for row in actions:
        _, _, terminated, _, _ = envs.step(row)
        moved += NUM_ENVS
        if mode == AutoresetMode.NEXT_STEP:
            moved -= int(ended.sum())
            ended = terminated
    return moved / (time.perf_counter() - start)


def main() -> None:
    for task in ("density-C2-easy-small", "density-mixed-easy-small"):
        for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
            rates = sorted(rate(task, mode) for _ in range(REPETITIONS))
            middle = rates[REPETITIONS // 2]
            print(
                f"{task:26} {mode.value:9} {middle:9.0f} steps/s "
                f"(median of {REPETITIONS}; {rates[0]:.0f} to {rates[-1]:.0f})"
            )


if __name__ == "__main__":
    main()
