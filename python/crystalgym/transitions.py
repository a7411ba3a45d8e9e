"""Transitions of a run's episodes, for offline learning: as arrays, or as a data set of Minari."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crystalgym._crystalgym import Structure
from crystalgym.envs import CrystalEnv
from crystalgym.errors import CalculationFailed
from crystalgym.training import Run

__all__ = ["EpisodeTransitions", "episodes", "to_minari"]


@dataclass(frozen=True)
class EpisodeTransitions:
    """An episode of T steps."""

    observations: dict[str, npt.NDArray[Any]]
    """By key of the observation, T + 1 of each, the first axis being time."""
    actions: npt.NDArray[np.int64]
    """T of them."""
    rewards: npt.NDArray[np.float64]
    """T of them, all but the last 0."""
    terminations: npt.NDArray[np.bool_]
    """T of them."""
    value: float
    """The property of the crystal; NaN after a failure."""
    formula: str
    """Formula of the crystal."""


class _Recorded:
    """The calculator of an episode that is played again: says what was said."""

    def __init__(self) -> None:
        self.row: Mapping[str, Any] = {}

    def __call__(self, structure: Structure, property: str) -> float:
        if self.row["value"] is None:
            raise CalculationFailed("as recorded", code=str(self.row["failure"]))
        return float(self.row["value"])


def episodes(run: Run | str | os.PathLike[str], *, seed: int = 0) -> Iterator[EpisodeTransitions]:
    """The episodes of a run of ``process = "filling"``, played again without a calculation.

    Crystals, values and rewards are those of the run. The site at which an episode starts, which is
    not recorded and makes no difference to them, is drawn anew.

    Parameters
    ----------
    run : Run or path-like
        The run or its folder.
    seed : int
        Of the sites to start at.

    Returns
    -------
    iterator of EpisodeTransitions

    Raises
    ------
    ValueError
        For a run of another process, whose starts are not recorded.
    """
    run = run if isinstance(run, Run) else Run(run)
    task = run.task
    process = task.config.get("process", "filling")
    if process != "filling":
        raise ValueError(f"the run's process is {process!r}, expected 'filling'")
    recorded = _Recorded()
    env = CrystalEnv(task, calculator=recorded, store=None)
    columns = run.episodes().to_dict()
    for number, values in enumerate(zip(*columns.values())):
        row = dict(zip(columns, values))
        recorded.row = row
        options = {"skeleton": row["skeleton"], "target": row["target"]}
        yield _play(env, str(row["elements"]).split(), options, seed if number == 0 else None)
    env.close()


def _play(
    env: CrystalEnv, elements: list[str], options: dict[str, Any], seed: int | None
) -> EpisodeTransitions:
    observation, info = env.reset(seed=seed, options=options)
    seen, actions, rewards = [observation], [], []
    ends: list[bool] = []
    while not (ends and ends[-1]):
        action = env.task.elements.index(elements[int(observation["focus"])])
        observation, reward, terminated, _, info = env.step(action)
        seen.append(observation)
        actions.append(action)
        rewards.append(reward)
        ends.append(terminated)
    return EpisodeTransitions(
        observations={key: np.stack([one[key] for one in seen]) for key in observation},
        actions=np.array(actions, dtype=np.int64),
        rewards=np.array(rewards, dtype=np.float64),
        terminations=np.array(ends, dtype=np.bool_),
        value=info["value"],
        formula=info["formula"],
    )


def to_minari(
    run: Run | str | os.PathLike[str], dataset_id: str, *, seed: int = 0, **options: Any
) -> Any:
    """Write the episodes of a run as a data set of Minari.

    Parameters
    ----------
    run : Run or path-like
        The run or its folder.
    dataset_id : str
        Such as ``"crystalgym/density-c2/dqn-v0"``.
    seed : int
        Of the sites to start at.
    **options
        Of ``minari.create_dataset_from_buffers``: ``algorithm_name``, ``author``, ``description``, ….

    Returns
    -------
    minari.MinariDataset

    Raises
    ------
    ImportError
        Without ``minari``.
    """
    try:
        import minari
        from minari.data_collector import EpisodeBuffer
    except ImportError as error:
        raise ImportError(f"this needs minari: pip install 'minari[hdf5]' ({error})") from error
    run = run if isinstance(run, Run) else Run(run)
    env = CrystalEnv(run.task, calculator=_Recorded(), store=None)
    buffers = [
        EpisodeBuffer(
            id=number,
            observations=episode.observations,
            actions=episode.actions,
            rewards=episode.rewards,
            terminations=episode.terminations,
            truncations=np.zeros_like(episode.terminations),
            infos={"value": _only_last(episode.value, len(episode.actions))},
        )
        for number, episode in enumerate(episodes(run, seed=seed))
    ]
    options.setdefault("algorithm_name", run.config["algorithm"]["name"])
    return minari.create_dataset_from_buffers(
        dataset_id,
        buffers,
        observation_space=env.observation_space,
        action_space=env.action_space,
        **options,
    )


def _only_last(value: float, steps: int) -> npt.NDArray[np.float64]:
    """One number for each observation: NaN until the last one."""
    values = np.full(steps + 1, np.nan)
    values[-1] = value
    return values
