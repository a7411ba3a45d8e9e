"""The environment as Gymnasium knows it."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from crystalgym import render
from crystalgym._crystalgym import (
    Calculator,
    Crystal,
    EnvironmentBatch,
    Evaluation,
    ResultStore,
    Structure,
    Task,
)
from crystalgym._arguments import integers, seed_number
from crystalgym._tasks import FIELDS, changed_tasks, chosen_skeletons, make_task
from crystalgym.errors import StoreWarning, TaskError
from crystalgym.spaces import GraphMaker, Observation, observation_space

__all__ = ["CrystalEnv", "RewardFunction"]

_FIRST = np.zeros(1, dtype=np.int64)

RewardFunction = Callable[[Evaluation, float], float]
"""From what was evaluated and the target to a reward."""


class CrystalEnv(gym.Env[Observation, np.int64]):
    """Fill the empty skeleton of a crystal, one element a step; or change a crystal.

    The last step evaluates the crystal; its reward says how close the property came to the target.
    All other rewards are 0. An episode ends with ``terminated`` alone.

    Parameters
    ----------
    task : str, dict or Task, optional
        A task of the paper (``crystalgym.tasks()``), a TOML file with a table ``[task]``, or the
        members of one.
    obs : {"dict", "graph"}
        Form of the observations, see :mod:`crystalgym.spaces`.
    calculator : str, dict, Calculator or callable
        What rewards come from. The default ``"native"`` is the built-in plane-wave engine,
        ``"qe"`` runs pw.x; a table (:class:`ExhaustiveTable`) knows what it was asked before;
        ``"empirical"`` (textbook formulas) and ``"rigid"`` (densities alone)
        take microseconds and know *no DFT*.
    store : ResultStore, str, path or None
        Where results are looked up and kept; ``"default"`` is the user's own, ``None`` is none.
        Instant calculators and functions without a fingerprint use none.
    reward : callable, optional
        ``reward(evaluation, target)`` in place of the paper's; with ``reward_form="difference"``, the
        difference of two of them is taken.
    render_mode : {"ansi", "rgb_array"}, optional
    **changes
        What is to differ from the task: ``skeletons`` (names, files, :class:`Skeleton` objects or
        structures), ``actions`` (``"small"``, ``"medium"``, ``"large"``) or ``elements`` (a list of
        symbols), ``property``, ``target`` (in the property's unit: a number, or a range such as
        ``[1.4, 1.6]`` or ``"1.4..1.6"``; by default the property's easy target), ``tolerance``,
        ``reward_form`` (``"final"``, or ``"difference"`` from what the start earns), ``process``
        (``"filling"``, ``"substitution"`` or ``"improvement"``), ``start_crystal`` (what the latter
        two start from: ``"random"``, ``"material"``, ``"stored"``, or a list of symbols, or one for
        each skeleton), ``steps`` (their actions an episode), ``start_site``,
        ``odd_electrons_fail_at_once``, ``allowed`` (symbols by site), ``objective`` (several properties
        with a target, a bound or a direction each).

    Raises
    ------
    TaskError, StructureError, CalculatorError, StoreError, TypeError, ValueError
        That name the argument and its value.

    Notes
    -----
    ``info`` holds ``action_mask`` (int8, 1 where an action is allowed), ``start_site`` (int, where the
    episode's traversal started, which says which sites are to come) and, after the last step,
    ``formula``, ``value`` (in the property's unit, NaN after a failure) and, if it failed, ``failure`` (a
    code); for an objective of several properties also ``terms``, the value or the failure of each that was
    computed; with ``reward_form="difference"`` also ``start_formula`` and ``start_value`` or ``start_failure`` of the
    crystal at the start.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}
    _ARGUMENTS: ClassVar = ("task", "obs", "calculator", "store", "reward", "render_mode")

    def __init__(
        self,
        task: str | os.PathLike[str] | Mapping[str, Any] | Task | None = None,
        *,
        obs: str = "dict",
        calculator: Any = "native",
        store: ResultStore | str | None = "default",
        reward: RewardFunction | None = None,
        render_mode: str | None = None,
        **changes: Any,
    ) -> None:
        check_names(changes)
        check_render_mode(render_mode)
        self.task = make_task(task, changes, (calculator, store))
        self.obs_mode = obs
        self.observation_space = observation_space([self.task], obs)
        self.action_space = spaces.Discrete(self.task.n_actions)
        self.render_mode = render_mode
        self._reward = reward
        self._store = store
        self._batch = EnvironmentBatch([self.task], calculator, store, "Disabled", None)
        self._to_graph = GraphMaker(self.task.skeletons) if obs == "graph" else None
        self._padded = _first(self._batch.observe())
        self._started = False
        self._evaluation: Evaluation | None = None
        self._warned_of_store = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the next episode.

        Parameters
        ----------
        seed : int, optional
            Starts the random numbers anew; 0 to 2**64 - 1. Without one, the first episode is seeded
            at random.
        options : dict, optional
            ``target`` changes the target (in the property's unit) from this episode on; ``skeleton``
            (a label of ``task.skeletons``, or its number) is that of this episode, which is drawn
            otherwise. There are no others.

        Returns
        -------
        observation : dict
            As :attr:`observation_space` says.
        info : dict
            ``action_mask``, int8 of shape (n_actions,), and ``start_site``.

        Raises
        ------
        TaskError, TypeError, ValueError
            For an unknown option, a target, skeleton or seed that is none; nothing has moved then.
        """
        seed = None if seed is None else seed_number("seed", seed)
        changed = changed_tasks([self.task], options)
        skeletons = chosen_skeletons([self.task], options)
        super().reset(seed=seed)
        for environment, self.task in changed.items():
            self._batch.set_task(environment, self.task)
        if seed is None and not self._started:
            seed = int(self.np_random.integers(2**63))
        self._started = True
        self._padded = _first(self._batch.reset([0], [seed], skeletons))
        return self._observation(), self._info()

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Put an element on the site in focus, or on one of the agent's choice.

        Parameters
        ----------
        action : int
            Index of the element in ``task.elements``; with ``process="improvement"`` that plus
            ``len(task.elements)`` times the site.

        Returns
        -------
        observation : dict
        reward : float
            0 but for the last step.
        terminated : bool
            Whether that was the last step.
        truncated : bool
            Never.
        info : dict
            As the notes of the class say.

        Raises
        ------
        TaskError
            If the action is none of the space, not allowed here, or the episode has ended; nothing
            has moved then.
        """
        actions = to_actions(action, 1, single=True)
        _, padded, rewards, terminated, finished, _ = self._batch.step(actions)
        self._padded = _first(padded)
        reward = float(rewards[0])
        info = self._info()
        if finished:
            _, self._evaluation, target, start = finished[0]
            info |= episode_info(self._evaluation, start)
            if self._evaluation.store_error is not None and not self._warned_of_store:
                self._warned_of_store = True
                warn_of_store(self._evaluation)
            if self._reward is not None:
                reward = own_reward(self._reward, self._evaluation, target, start)
        return self._observation(), reward, bool(terminated[0]), False, info

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Which actions are allowed now, for sb3-contrib's maskable algorithms.

        Returns
        -------
        ndarray of bool, shape (n_actions,)
        """
        mask: npt.NDArray[np.bool_] = self._padded["action_mask"].astype(np.bool_)
        return mask

    @property
    def calculator(self) -> Calculator:
        """What rewards come from."""
        return self._batch.calculator

    @property
    def evaluation(self) -> Evaluation | None:
        """The latest evaluation with all that is known of it."""
        return self._evaluation

    @property
    def elements(self) -> list[str | None]:
        """Element of each site, ``None`` where it is empty."""
        return self._batch.elements(0)

    @property
    def crystal(self) -> Crystal:
        """The crystal, if every site is filled, or else the latest that was finished.

        Raises
        ------
        TaskError
            If none has been finished yet.
        """
        elements = self.elements
        filled = [element for element in elements if element is not None]
        if len(filled) == len(elements):
            return self.task.skeletons[int(self._padded["skeleton"])].fill(filled)
        if self._evaluation is not None:
            return self._evaluation.crystal
        raise TaskError(
            f"{len(filled)} of {len(elements)} sites are filled and no episode has ended yet",
            code="no_crystal",
            values={"filled": len(filled), "sites": len(elements)},
        )

    @property
    def structure(self) -> Structure:
        """The structure of :attr:`crystal`."""
        return self.crystal.structure

    def render(self) -> Any:
        """Show the crystal as it stands.

        Returns
        -------
        str, ndarray of uint8 or None
            A table (``ansi``), a picture of shape (400, 400, 3) (``rgb_array``), or nothing without
            a render mode.
        """
        if self.render_mode is None:
            return None
        skeleton = self.task.skeletons[int(self._padded["skeleton"])]
        focus = int(self._padded["focus"])
        if self.render_mode == "ansi":
            return render.as_text(self.task, skeleton, self.elements, focus, self._evaluation)
        return render.as_image(self.task, skeleton, self.elements, focus, self._evaluation)

    def get_state(self) -> str:
        """Where the episode stands, random numbers included, for :meth:`set_state`.

        Returns
        -------
        str
            JSON.
        """
        return json.dumps({"batch": self._batch.get_state(), "started": self._started})

    def set_state(self, state: str) -> None:
        """Go on from a state of an environment of the same task.

        Parameters
        ----------
        state : str
            What :meth:`get_state` returned, in this or another process.

        Raises
        ------
        TaskError
            If it is none, or of another task.
        """
        try:
            read = json.loads(state)
            batch, started = read["batch"], bool(read["started"])
        except (ValueError, KeyError, TypeError) as error:
            raise TaskError(f"not a state of an environment: {error}", code="snapshot") from error
        self._batch.set_state(batch)
        self._started = started
        self._padded = _first(self._batch.observe())

    def close(self) -> None:
        """Release everything; may be called again."""
        self._batch.close()
        super().close()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_batch"]
        return {
            "attributes": state,
            "calculator": self.calculator,
            "state": self._batch.get_state(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state["attributes"])
        calculator = state["calculator"]
        self._batch = EnvironmentBatch([self.task], calculator, self._store, "Disabled", None)
        self._batch.set_state(state["state"])

    def _observation(self) -> Observation:
        observation = self._padded if self._to_graph is None else self._to_graph(self._padded)
        return {
            key: value.copy() if isinstance(value, np.ndarray) else value
            for key, value in observation.items()
        }

    def _info(self) -> dict[str, Any]:
        start_site = int(self._batch.start_sites(_FIRST)[0])
        return {"action_mask": self._padded["action_mask"].copy(), "start_site": start_site}


def check_names(changes: Mapping[str, Any]) -> None:
    """Refuses arguments that are no part of a task."""
    for name in changes:
        if name not in FIELDS:
            raise TypeError(
                f"unexpected argument '{name}': expected obs, calculator, store, reward, "
                f"render_mode or one of {', '.join(FIELDS)}"
            )


def check_render_mode(render_mode: str | None) -> None:
    """Refuses unknown render modes."""
    if render_mode not in (None, *CrystalEnv.metadata["render_modes"]):
        raise ValueError(f"render_mode is '{render_mode}', expected 'ansi' or 'rgb_array'")


def to_actions(actions: Any, count: int, *, single: bool = False) -> npt.NDArray[np.int64]:
    """Actions as the extension module takes them; never rounded, wrapped around or reordered."""
    try:
        found = integers("the action", actions)
    except (TypeError, ValueError):
        raise TaskError(
            f"the action is {actions!r}, expected an index of the action space",
            code="invalid_action",
            values={"action": repr(actions)},
        ) from None
    if found.size != count:
        raise TaskError(
            f"{found.size} actions, expected {count}",
            code="action_count",
            values={"expected": count, "found": found.size},
        )
    if found.shape != (count,) and not (single and found.shape == ()):
        raise TaskError(
            f"the actions have shape {found.shape}, expected ({count},)",
            code="invalid_action",
            values={"action": repr(actions)},
        )
    return found.reshape(count)


def episode_info(end: Evaluation, start: Evaluation | None) -> dict[str, Any]:
    """What ``info`` says of a finished crystal, and of the one at the start if its evaluation is part
    of the reward; the same on every run."""
    info = _said_of(end)
    if start is not None:
        info |= {f"start_{key}": value for key, value in _said_of(start).items()}
    return info


def _said_of(evaluation: Evaluation) -> dict[str, Any]:
    value = evaluation.value
    info: dict[str, Any] = {
        "formula": evaluation.crystal.formula,
        "value": math.nan if value is None else value,
    }
    if value is None:
        info["failure"] = evaluation.failure
    if terms := evaluation.terms:
        info["terms"] = {
            term["property"]: term["failure"] if term["value"] is None else term["value"]
            for term in terms
        }
    return info


def own_reward(
    reward: RewardFunction, end: Evaluation, target: float, start: Evaluation | None
) -> float:
    """The reward of an episode by a function of one's own."""
    before = 0.0 if start is None else reward(start, target)
    return float(reward(end, target) - before)


def warn_of_store(evaluation: Evaluation) -> None:
    """A store that fails costs the sharing, not the result."""
    warnings.warn(
        f"a result could not be shared: {evaluation.store_error}", StoreWarning, stacklevel=3
    )


def _first(padded: dict[str, npt.NDArray[Any]]) -> Observation:
    return {key: value[0] for key, value in padded.items()}
