"""Steps per second of `SB3VecEnv` beside Stable-Baselines3's own `make_vec_env`, with ``rigid`` rewards, by
the processor time of the process."""

from __future__ import annotations

import time

import numpy as np
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv

import crystalgym as cg
from crystalgym.sb3 import SB3VecEnv

NUM_ENVS = 16
STEPS = 300
REPETITIONS = 5
TASK = "density-C6-easy-small"


def rate(envs: VecEnv) -> float:
    envs.seed(0)
    envs.reset()
    actions = np.random.default_rng(0).integers(0, 18, (STEPS, NUM_ENVS))
    start = time.process_time()
    for row in actions:
        envs.step(row)
    return STEPS * NUM_ENVS / (time.process_time() - start)


def main() -> None:
    make = {"task": TASK, "calculator": "rigid"}
    made = {
        "make_vec_env": make_vec_env(cg.CrystalEnv, n_envs=NUM_ENVS, env_kwargs=make),
        "SB3VecEnv": SB3VecEnv(NUM_ENVS, TASK, calculator="rigid"),
    }
    for _ in range(2):
        for name, envs in made.items():
            rates = sorted(rate(envs) for _ in range(REPETITIONS))
            print(
                f"{name:13} {rates[REPETITIONS // 2]:8.0f} steps/s of processor time "
                f"({rates[0]:.0f} to {rates[-1]:.0f})"
            )


if __name__ == "__main__":
    main()
