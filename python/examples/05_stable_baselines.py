"""PPO of Stable-Baselines3 and maskable PPO of sb3-contrib on the dict observation."""

from __future__ import annotations

import argparse
from functools import partial

import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor

import crystalgym as cg

TASK = "density-C6-easy-small"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--logs", default=None, help="folder for TensorBoard")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    envs = make_vec_env(partial(cg.CrystalEnv, TASK, calculator="rigid"), n_envs=4, seed=1)
    plain = PPO(
        "MultiInputPolicy", envs, n_steps=128, seed=1, tensorboard_log=arguments.logs, device="cpu"
    )
    plain.learn(arguments.steps)
    fresh = Monitor(cg.CrystalEnv(TASK, calculator="rigid"))
    mean, spread = evaluate_policy(plain, fresh, n_eval_episodes=20)
    print(f"PPO: mean return {mean:.4f} ± {spread:.4f}")

    # Sites 0 and 1 take a halogen each: only maskable algorithms can play this one.
    halogens = ["F", "Cl", "Br"]
    make = partial(cg.CrystalEnv, TASK, calculator="rigid", allowed={0: halogens, 1: halogens})
    masked_envs = make_vec_env(make, n_envs=4, seed=1)
    masked = MaskablePPO("MultiInputPolicy", masked_envs, n_steps=128, seed=1, device="cpu")
    masked.learn(arguments.steps)
    env = make()
    observation, info = env.reset(seed=3)
    terminated = False
    while not terminated:
        action, _ = masked.predict(observation, action_masks=env.action_masks(), deterministic=True)
        observation, reward, terminated, _, info = env.step(int(action))
    print(f"maskable PPO: {info['formula']}, reward {reward:.4f}")


if __name__ == "__main__":
    main()
