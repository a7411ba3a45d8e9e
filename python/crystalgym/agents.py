"""Trained agents of ``crystalgym train``: load them, and ask what they would do."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from crystalgym._crystalgym import Task, TrainedPolicy
from crystalgym._arguments import integers, seed_number
from crystalgym._tasks import make_task

__all__ = ["TrainedAgent", "load"]


class TrainedAgent:
    """An agent as its run's latest checkpoint has it; made by :func:`load`.

    Parameters
    ----------
    policy : TrainedPolicy
        What the extension module loaded.
    """

    def __init__(self, policy: TrainedPolicy) -> None:
        self._policy = policy

    @property
    def task(self) -> Task:
        """What it acts in."""
        return self._policy.task

    @property
    def algorithm(self) -> str:
        """Name of the algorithm that trained it."""
        return self._policy.algorithm

    @property
    def steps(self) -> int:
        """Environment steps that it was trained for."""
        return self._policy.steps

    @property
    def config(self) -> dict[str, Any]:
        """Configuration of the run."""
        return self._policy.config

    def act(
        self,
        observation: Mapping[str, Any],
        info: Mapping[str, Any] | None = None,
        *,
        target: float | None = None,
    ) -> np.int64 | npt.NDArray[np.int64]:
        """Allowed actions for an observation of its task, or for a batch of them.

        Parameters
        ----------
        observation : mapping
            Of a :class:`crystalgym.CrystalEnv` (one action comes back) or a
            :class:`crystalgym.CrystalVectorEnv` (an array of them), in either mode.
        info : mapping, optional
            What came with it, whose ``start_site`` says in which order sites have their turn. Agents
            that look ahead (``llm``, ``surrogate``) have to know it wherever it does not follow from
            the observation, as it does for the first action of an episode.
        target : float, optional
            Target of the property in its unit; that of the task by default.

        Returns
        -------
        int64, or ndarray of int64, shape (n,)
            Actions of the task.

        Raises
        ------
        TaskError
            If an observation is none of an unfinished episode of the task, or the agent has to know
            more than it says.
        """
        focus = integers("focus", observation["focus"])
        skeleton = np.atleast_1d(integers("skeleton", observation["skeleton"]))
        state = np.atleast_2d(np.asarray(observation["state"], dtype=np.float32))
        progress = np.ascontiguousarray(state[:, 1])
        nodes = self._nodes(observation)
        starts = None
        if info is not None:
            starts = np.atleast_1d(integers("start_site", info["start_site"]))
        actions = self._policy.act(
            skeleton, np.atleast_1d(focus), nodes, progress, starts, target
        )
        return actions if focus.ndim else np.int64(actions[0])

    def _nodes(self, observation: Mapping[str, Any]) -> npt.NDArray[np.int64]:
        if "nodes" in observation:
            rows = np.atleast_2d(integers("nodes", observation["nodes"]))
            return np.ascontiguousarray(rows)
        graphs = observation["graph"]
        # A single graph is a tuple too, but of arrays.
        graphs = [graphs] if hasattr(graphs, "nodes") else graphs
        blank = len(self.task.elements)
        padded = np.full((len(graphs), self.task.max_sites), blank, dtype=np.int64)
        for row, graph in zip(padded, graphs):
            row[: len(graph.nodes)] = integers("nodes", graph.nodes)
        return padded

    def __repr__(self) -> str:
        return f"TrainedAgent({self.algorithm}, {self.steps} steps, {self.task!r})"


def load(
    folder: str | PathLike[str],
    *,
    task: Task | Mapping[str, Any] | str | None = None,
    seed: int | None = None,
) -> TrainedAgent:
    """Load the agent of a run of ``crystalgym train``.

    Neither the run's calculator nor its store is needed, and a run that is going on is left alone.

    Parameters
    ----------
    folder : path-like
        Folder of the run.
    task : Task, dict or str, optional
        What it is to act in: other skeletons or another target, but the same elements.
    seed : int, optional
        Draw actions as in training; without it the best ones are taken.

    Returns
    -------
    TrainedAgent

    Raises
    ------
    crystalgym.TrainingError
        If there is no run, no checkpoint, or the task does not fit.
    """
    chosen = None if task is None else make_task(task, {})
    seed = None if seed is None else seed_number("seed", seed)
    return TrainedAgent(TrainedPolicy(folder, chosen, seed))
