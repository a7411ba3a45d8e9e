"""Deep Q-learning in one file, after CleanRL, on the graph observation and a vector environment.

A small message-passing network reads the graphs; ``crystalgym.spaces.collate`` batches them. The
last step of an episode has the only reward, so targets are bootstrapped from the network everywhere
else, over allowed actions alone.
"""

from __future__ import annotations

import argparse
import random
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor, nn

import crystalgym as cg
from crystalgym.spaces import STATE_SIZE, collate


@dataclass
class Arguments:
    task: str = "density-C2-easy-small"
    total_steps: int = 4000
    num_envs: int = 8
    learning_rate: float = 1e-3
    buffer_size: int = 10_000
    batch_size: int = 64
    learning_starts: int = 400
    target_update: int = 200
    final_epsilon: float = 0.05
    exploration_fraction: float = 0.5
    seed: int = 1


@dataclass
class Transition:
    observation: dict[str, Any]
    action: int
    reward: float
    next_observation: dict[str, Any]
    terminated: bool


class QNetwork(nn.Module):
    """Two rounds of messages along bonds, then the site in focus and the mean of all sites."""

    def __init__(self, n_elements: int, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_elements + 1, width)
        self.messages = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * width + 4, width), nn.SiLU()) for _ in range(2)
        )
        self.head = nn.Sequential(
            nn.Linear(2 * width + STATE_SIZE, width), nn.SiLU(), nn.Linear(width, n_elements)
        )

    def forward(self, observations: list[dict[str, Any]]) -> Tensor:
        graphs = collate([observation["graph"] for observation in observations])
        edges = torch.from_numpy(graphs["edges"])
        source, target = torch.from_numpy(np.ascontiguousarray(graphs["edge_index"]))
        batch = torch.from_numpy(graphs["batch"])
        nodes = self.embedding(torch.from_numpy(graphs["nodes"]))
        for message in self.messages:
            sent = message(torch.cat([nodes[source], nodes[target], edges], dim=1))
            nodes = nodes + torch.zeros_like(nodes).index_add(0, target, sent)
        sizes = torch.bincount(batch)
        mean = torch.zeros(len(observations), nodes.shape[1]).index_add(0, batch, nodes)
        focus = torch.tensor([int(observation["focus"]) for observation in observations])
        first = torch.cumsum(sizes, dim=0) - sizes
        state = torch.from_numpy(np.stack([observation["state"] for observation in observations]))
        seen = torch.cat([nodes[first + focus], mean / sizes[:, None], state], dim=1)
        values: Tensor = self.head(seen)
        mask = np.stack([observation["action_mask"] for observation in observations])
        return values.masked_fill(torch.from_numpy(mask) == 0, -torch.inf)


def single(batched: dict[str, Any], index: int) -> dict[str, Any]:
    return {key: value[index] for key, value in batched.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in vars(Arguments()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    arguments = Arguments(**vars(parser.parse_args()))

    rng = np.random.default_rng(arguments.seed)
    random.seed(arguments.seed)
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)
    envs = cg.CrystalVectorEnv(
        arguments.num_envs,
        arguments.task,
        obs="graph",
        calculator="rigid",
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    n_elements = len(envs.tasks[0].elements)
    online, target = QNetwork(n_elements), QNetwork(n_elements)
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=arguments.learning_rate)
    buffer: deque[Transition] = deque(maxlen=arguments.buffer_size)
    returns: list[float] = []

    observations, _ = envs.reset(seed=arguments.seed)
    for step in range(0, arguments.total_steps, arguments.num_envs):
        explored = step / (arguments.exploration_fraction * arguments.total_steps)
        epsilon = max(arguments.final_epsilon, 1 - explored * (1 - arguments.final_epsilon))
        singles = [single(observations, i) for i in range(arguments.num_envs)]
        with torch.no_grad():
            greedy: npt.NDArray[np.int64] = online(singles).argmax(dim=1).numpy()
        allowed = [np.flatnonzero(observation["action_mask"]) for observation in singles]
        randomly = np.array([rng.choice(actions) for actions in allowed])
        actions = np.where(rng.random(arguments.num_envs) < epsilon, randomly, greedy)
        observations, rewards, terminated, _, info = envs.step(actions)
        for i, observation in enumerate(singles):
            ended = bool(terminated[i])
            following = info["final_obs"][i] if ended else single(observations, i)
            buffer.append(
                Transition(observation, int(actions[i]), float(rewards[i]), following, ended)
            )
            if ended:
                returns.append(float(rewards[i]))
        if step < arguments.learning_starts:
            continue
        batch = random.sample(buffer, arguments.batch_size)
        reward = torch.tensor([transition.reward for transition in batch])
        running = torch.tensor([not transition.terminated for transition in batch])
        with torch.no_grad():
            best = target([transition.next_observation for transition in batch]).max(dim=1).values
            goal = reward + torch.where(running, best, torch.zeros_like(best))
        chosen = torch.tensor([[transition.action] for transition in batch])
        value = online([transition.observation for transition in batch]).gather(1, chosen)
        loss = nn.functional.smooth_l1_loss(value.squeeze(1), goal)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % arguments.target_update < arguments.num_envs:
            target.load_state_dict(online.state_dict())
    share = max(1, len(returns) // 5)
    print(
        f"mean return of the first fifth of {len(returns)} episodes {np.mean(returns[:share]):.4f}"
    )
    print(f"mean return of the last fifth {np.mean(returns[-share:]):.4f}")
    envs.close()


if __name__ == "__main__":
    main()
