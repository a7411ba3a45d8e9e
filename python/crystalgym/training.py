"""Training from Python: the agents of ``crystalgym train``, with a callback, and runs as they lie on
disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from crystalgym._crystalgym import Crystal, Skeleton, Table, Task, read_episodes, train_run
from crystalgym._toml import read_toml
from crystalgym.agents import TrainedAgent, load
from crystalgym.errors import TrainingError

__all__ = ["Callback", "Run", "train"]

Callback = Callable[[dict[str, Any]], Any]
"""Hears how far a run has come; what is ``False`` ends it."""


class Run:
    """A run as its folder has it, finished or not.

    Parameters
    ----------
    folder : path-like
        Folder of the run.

    Raises
    ------
    TrainingError
        If it holds none.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        if not (self.folder / "config.toml").is_file():
            raise TrainingError(
                f"{self.folder} holds no run", code="run_folder", values={"path": str(self.folder)}
            )

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration."""
        return read_toml(str(self.folder / "config.toml"))

    @property
    def task(self) -> Task:
        """What it trains on."""
        return Task(dict(self.config["task"]))

    def episodes(self) -> Table:
        """One row an episode, in the order in which their rewards came.

        Returns
        -------
        Table
        """
        return read_episodes(self.folder / "episodes.csv")

    def agent(self, **options: Any) -> TrainedAgent:
        """The agent of the newest checkpoint.

        Parameters
        ----------
        **options
            As of :func:`crystalgym.agents.load`.

        Returns
        -------
        TrainedAgent

        Raises
        ------
        TrainingError
            If there is no checkpoint yet.
        """
        return load(self.folder, **options)

    def best(self, count: int = 10) -> list[dict[str, Any]]:
        """The best crystals, best first, each once.

        Parameters
        ----------
        count : int
            How many at most.

        Returns
        -------
        list of dict
            With ``crystal``, ``formula``, ``skeleton``, ``value``, ``episodic_return`` and ``episode``.
        """
        columns = self.episodes().to_dict()
        rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
        rows = [row for row in rows if row["value"] is not None]
        rows.sort(key=lambda row: (-row["episodic_return"], row["episode"]))
        skeletons = {skeleton.label: skeleton for skeleton in self.task.skeletons}
        found: dict[tuple[str, tuple[str, ...]], dict[str, Any]] = {}
        for row in rows:
            crystal = _crystal(skeletons, row).canonical()
            key = (row["skeleton"], tuple(crystal.elements))
            if key not in found:
                found[key] = {
                    "crystal": crystal,
                    "formula": crystal.formula,
                    **{key: row[key] for key in ("skeleton", "value", "episodic_return", "episode")},
                }
            if len(found) == count:
                break
        return list(found.values())

    def __repr__(self) -> str:
        algorithm = self.config["algorithm"]["name"]
        return f"Run({algorithm}, {len(self.episodes())} episodes, {str(self.folder)!r})"

    def _repr_html_(self) -> str:
        from crystalgym._html import of_run

        return of_run(self)


def _crystal(skeletons: Mapping[str, Skeleton], row: Mapping[str, Any]) -> Crystal:
    return skeletons[row["skeleton"]].fill(str(row["elements"]).split())


def train(
    task: Task | Mapping[str, Any] | str | None = None,
    *,
    algorithm: str | None = None,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    config: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    trust: bool = False,
    callback: Callback | Sequence[Callback] | None = None,
) -> Run:
    """Train an agent, as ``crystalgym train`` does.

    Ctrl-C leaves a checkpoint behind, from which ``resume`` goes on. So does a callback that returns
    ``False``.

    Parameters
    ----------
    task : str, dict or Task, optional
        A task of the paper or the members of one; skeletons by their names or files.
    algorithm : str, optional
        ``dqn`` (default), ``rainbow``, ``ppo``, ``sac``, ``gflownet``, ``surrogate``, ``llm``, or a search.
    preset : str, optional
        ``standard`` (default) or ``paper``.
    settings : dict, optional
        By the names of the configuration, nested or with dots: ``{"dqn.total_steps": 800,
        "calculator": {"name": "rigid"}}``.
    config : path-like, optional
        A TOML file below these settings.
    output : path-like, optional
        Folder of the run; a new one in ``runs/`` by default.
    resume : path-like, optional
        Folder of one's own run to go on with; nothing else but ``trust`` and ``callback``
        can then be given.
    trust : bool
        With ``resume``: whether the folder may name programs, variables and places to write.
    callback : callable or list of them, optional
        Called about ten times a second with ``steps``, ``total_steps``, ``episodes``, ``mean_return``
        (of the last 100 episodes), ``best_return``, ``best_value``, ``best_formula``,
        ``calculations`` and ``failures``; :mod:`crystalgym.loggers` has some.

    Returns
    -------
    Run

    Raises
    ------
    TrainingError, TaskError, CalculatorError
        For a configuration that is wrong, which the message names.
    """
    callbacks = [callback] if callable(callback) else list(callback or [])
    given = dict(_flat(settings or {}))
    if isinstance(task, str):
        name: str | None = task
    else:
        name = None
        members = {} if task is None else dict(task.config if isinstance(task, Task) else task)
        given = {f"task.{key}": value for key, value in members.items()} | given
    if resume is not None and (task, algorithm, preset, settings, config, output) != (None,) * 6:
        raise TypeError("resume goes on with a run as it is: expected no other argument but trust and callback")

    def report(progress: dict[str, Any]) -> bool:
        # Every one is told, whoever wants to stop.
        answers = [one(progress) for one in callbacks]
        return any(answer is False for answer in answers)

    assignments = [f"{key}={_toml_value(value)}" for key, value in given.items() if value is not None]
    folder = train_run(
        name, algorithm, preset, assignments, config, output, resume, trust, report
    )
    return Run(folder)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Settings with dots in their names. Sites that are allowed elements have names of their own."""
    found: list[tuple[str, Any]] = []
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and name != "task.allowed":
            found += _flat(value, f"{name}.")
        else:
            found.append((name, value))
    return found


def _toml_value(value: Any) -> str:
    """A setting as TOML writes it."""
    if isinstance(value, Mapping):
        members = (f"{json.dumps(str(key))} = {_toml_value(one)}" for key, one in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return json.dumps(value, allow_nan=False)
