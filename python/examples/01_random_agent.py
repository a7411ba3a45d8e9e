"""A random agent: episodes with the action mask, and the best crystal as a file."""

from __future__ import annotations

import argparse

import gymnasium as gym

import crystalgym


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--output", default="best.cif")
    arguments = parser.parse_args()

    env = gym.make("crystalgym/Density-C2-v0", calculator="rigid")
    crystals = env.unwrapped
    assert isinstance(crystals, crystalgym.CrystalEnv)
    env.action_space.seed(1)
    best_reward, best = -1.0, None
    for episode in range(arguments.episodes):
        _, info = env.reset(seed=1 if episode == 0 else None)
        terminated = False
        while not terminated:
            action = env.action_space.sample(mask=info["action_mask"])
            _, reward, terminated, _, info = env.step(action)
        if float(reward) > best_reward:
            best_reward, best = float(reward), crystals.structure
            print(f"episode {episode}: reward {best_reward:.4f}, {best.formula}")
    if best is not None:
        best.to(arguments.output)
        print(f"{best.formula} is in {arguments.output}")


if __name__ == "__main__":
    main()
