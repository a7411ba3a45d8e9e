"""Many environments whose steps run in Rust, with rewards that may come later."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from crystalgym import render
from crystalgym._crystalgym import Calculator, EnvironmentBatch, Evaluation, ResultStore, Task
from crystalgym._arguments import integers, seed_number, whole
from crystalgym._tasks import Results, changed_tasks, chosen_skeletons, make_task
from crystalgym.envs import (
    RewardFunction,
    check_names,
    check_render_mode,
    episode_info,
    own_reward,
    to_actions,
    warn_of_store,
)
from crystalgym.spaces import GraphMaker, Observation, observation_space

__all__ = ["CrystalVectorEnv"]

Actions = npt.NDArray[np.int64]
Rewards = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
StepResult = tuple[Observation, Rewards, Flags, Flags, dict[str, Any]]


class CrystalVectorEnv(VectorEnv[Observation, Actions, npt.NDArray[Any]]):
    """``num_envs`` environments side by side.

    Environment ``i`` seeded with ``seed`` goes the way of a :class:`crystalgym.CrystalEnv` seeded
    with ``seed + i``.

    Parameters
    ----------
    num_envs : int
        At least 1.
    task, obs, calculator, store, reward, render_mode, **changes
        As for :class:`crystalgym.CrystalEnv`, for all environments.
    autoreset_mode : AutoresetMode or str
        When an environment whose episode has ended starts the next one.
    env_kwargs : sequence of mappings, optional
        For each environment, what is to differ from the task (same number of actions).
    workers : int, optional
        Calculations at the same time; ignored by instant calculators. By default ``native`` takes
        all cores and pw.x, which has processes of its own, one; a Python function runs on the
        caller's thread unless a number is given.
    max_episode_steps : int, optional
        What ``gymnasium.make_vec`` says; refused if episodes, which end by themselves, are longer.

    Notes
    -----
    :meth:`step` waits for all rewards. :meth:`send` and :meth:`recv` do not: results come back in
    the order in which they are ready, so that cheap steps go on while calculations run.
    """

    def __init__(
        self,
        num_envs: int = 1,
        task: str | Mapping[str, Any] | Task | None = None,
        *,
        obs: str = "dict",
        calculator: Any = "native",
        store: ResultStore | str | None = "default",
        reward: RewardFunction | None = None,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        env_kwargs: Sequence[Mapping[str, Any]] | None = None,
        workers: int | None = None,
        max_episode_steps: int | None = None,
        **changes: Any,
    ) -> None:
        check_names(changes)
        check_render_mode(render_mode)
        self.num_envs = num_envs = whole("num_envs", num_envs, 1)
        if workers is not None:
            workers = whole("workers", workers, 1)
        self.tasks = _tasks(num_envs, task, changes, env_kwargs, (calculator, store))
        longest = max(one.config.get("steps") or one.max_sites for one in self.tasks)
        if max_episode_steps is not None and max_episode_steps < longest:
            raise ValueError(
                f"max_episode_steps is {max_episode_steps}, expected at least {longest}: episodes end "
                "by themselves"
            )
        mode = AutoresetMode(autoreset_mode)
        self.metadata = {
            "render_modes": ["ansi", "rgb_array"],
            "render_fps": 4,
            "autoreset_mode": mode,
        }
        self.render_mode = render_mode
        self.obs_mode = obs
        self.single_observation_space = observation_space(self.tasks, obs)
        self.single_action_space = spaces.Discrete(self.tasks[0].n_actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._mode = mode
        self._reward = reward
        self._store = store
        self._workers = workers
        self._batch = EnvironmentBatch(self.tasks, calculator, store, mode.value, workers)
        self._close_at_exit()
        self._to_graph = (
            [GraphMaker(task.skeletons) for task in self.tasks] if obs == "graph" else None
        )
        self._all = np.arange(num_envs, dtype=np.int64)
        self._started = False
        self._warned_of_store = False
        self._masks = self._batch.observe()["action_mask"]

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Start new episodes.

        Parameters
        ----------
        seed : int or sequence, optional
            Environment ``i`` gets ``seed + i``, or its own from the sequence; 0 to 2**64 - 1.
        options : dict, optional
            ``reset_mask`` (bool, shape (num_envs,)) says which environments start anew; all if it
            is absent. The others stay where they are. ``target``, one for all or a sequence with
            one for each environment, changes the targets (in the property's unit) of those that
            start anew, from this episode on; ``skeleton``, one for all or one for each (a label of
            ``task.skeletons``, or its number; None draws one), is that of this episode. There are no
            others.

        Returns
        -------
        observations : dict
            As :attr:`observation_space` says.
        info : dict
            ``action_mask``, int8 of shape (num_envs, n_actions), and ``start_site``, int64 of shape
            (num_envs,).

        Raises
        ------
        TaskError, TypeError, ValueError
            For an unknown option, a target, mask or seed that is none; nothing has moved then.
        """
        mask = self._reset_mask(options)
        chosen = np.flatnonzero(mask).tolist()
        given = self._given_seeds(seed)
        changed = changed_tasks(self.tasks, options, others=("reset_mask",), chosen=chosen)
        skeletons = chosen_skeletons(self.tasks, options)
        super().reset(seed=given[0] if isinstance(seed, (int, np.integer)) else None)
        seeds = self._seeds(given)
        for i, task in changed.items():
            self.tasks[i] = task
            self._batch.set_task(i, task)
        padded = self._batch.reset(
            chosen, [seeds[i] for i in chosen], [skeletons[i] for i in chosen]
        )
        self._started = True
        self._masks = padded["action_mask"]
        starts = self._batch.start_sites(self._all)
        info = {"action_mask": self._masks.copy(), "start_site": starts}
        info |= {"_action_mask": mask, "_start_site": mask.copy()}
        return self._observations(padded, self._all), info

    def step(self, actions: Actions) -> StepResult:
        """One step of every environment; waits for all rewards.

        Parameters
        ----------
        actions : array_like of int, shape (num_envs,)

        Returns
        -------
        observations : dict
        rewards : ndarray of float, shape (num_envs,)
        terminated, truncated : ndarray of bool, shape (num_envs,)
        info : dict
            In Gymnasium's form, with what :class:`crystalgym.CrystalEnv` says of single ones.

        Raises
        ------
        TaskError
            If an action cannot be taken; no environment has moved then.
        """
        return self._result(*self._batch.step(to_actions(actions, self.num_envs)))

    def send(self, actions: Actions, env_ids: npt.ArrayLike | None = None) -> None:
        """Start one step of some environments and return at once.

        Parameters
        ----------
        actions : array_like of int, shape (n,)
        env_ids : array_like of int, shape (n,), optional
            All environments in their order by default.

        Raises
        ------
        TaskError
            If an action cannot be taken, or an environment has a step under way; no environment
            has moved then.
        """
        ids = self._all if env_ids is None else integers("env_ids", env_ids)
        if ids.ndim != 1:
            raise ValueError(f"env_ids has shape {ids.shape}, expected one dimension")
        self._batch.send(ids, to_actions(actions, len(ids)))

    def recv(self, batch_size: int | None = None) -> StepResult:
        """Wait for results of steps that were sent.

        They come in the order in which they are ready, and each is delivered once.

        Parameters
        ----------
        batch_size : int, optional
            How many; all that are under way by default.

        Returns
        -------
        observations, rewards, terminated, truncated, info
            As of :meth:`step`, with one row a result; ``info["env_id"]``, int64 of shape
            (batch_size,), says whose it is.

        Raises
        ------
        ValueError
            If fewer are under way.
        """
        pending = self._batch.n_pending
        wanted = pending if batch_size is None else whole("batch_size", batch_size, 1)
        if not 0 < wanted <= pending:
            raise ValueError(f"recv: {wanted} results wanted, {pending} under way")
        return self._result(*self._batch.receive(wanted), with_ids=True)

    @property
    def pending(self) -> int:
        """Steps sent whose results have not been received."""
        return self._batch.n_pending

    @property
    def calculator(self) -> Calculator:
        """What rewards come from."""
        return self._batch.calculator

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Which actions are allowed now.

        Returns
        -------
        ndarray of bool, shape (num_envs, n_actions)
        """
        masks: npt.NDArray[np.bool_] = self._batch.observe()["action_mask"].astype(np.bool_)
        return masks

    def render(self) -> tuple[Any, ...] | None:
        """Show the crystals as they stand.

        Returns
        -------
        tuple or None
            One frame an environment, as of :meth:`crystalgym.CrystalEnv.render`.
        """
        if self.render_mode is None:
            return None
        padded = self._batch.observe()
        frames: list[Any] = []
        for i, task in enumerate(self.tasks):
            skeleton = task.skeletons[int(padded["skeleton"][i])]
            focus, elements = int(padded["focus"][i]), self._batch.elements(i)
            if self.render_mode == "ansi":
                frames.append(render.as_text(task, skeleton, elements, focus, None))
            else:
                frames.append(render.as_image(task, skeleton, elements, focus, None))
        return tuple(frames)

    def get_state(self) -> str:
        """Where all episodes stand, random numbers included, for :meth:`set_state`.

        Returns
        -------
        str
            JSON.

        Raises
        ------
        RuntimeError
            While a step is under way.
        """
        return self._batch.get_state()

    def set_state(self, state: str) -> None:
        """Go on from a state of environments of the same tasks.

        Parameters
        ----------
        state : str
            What :meth:`get_state` returned, in this or another process.

        Raises
        ------
        TaskError
            If it is none, or of other tasks.
        """
        self._batch.set_state(state)
        self._started = True

    def close_extras(self, **kwargs: Any) -> None:
        """Stop what is under way; called by ``close``.

        Parameters
        ----------
        **kwargs
            None is known.

        Raises
        ------
        TypeError
            If one is given.
        """
        if kwargs:
            raise TypeError(f"close: unexpected argument '{min(kwargs)}', expected none")
        # Gymnasium 1.1 closes what could not be made, too.
        batch: EnvironmentBatch | None = getattr(self, "_batch", None)
        if batch is not None:
            batch.close()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_batch"], state["_closer"]
        return {"attributes": state, "calculator": self.calculator, "state": self.get_state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state["attributes"])
        self._batch = EnvironmentBatch(
            self.tasks, state["calculator"], self._store, self._mode.value, self._workers
        )
        self._batch.set_state(state["state"])
        self._close_at_exit()

    def _close_at_exit(self) -> None:
        # Threads in the user's Python must have come back before the interpreter goes.
        self._closer = weakref.finalize(self, self._batch.close)

    def _given_seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        """A seed an environment, ``None`` where none is given."""
        if seed is None:
            return [None] * self.num_envs
        if np.ndim(seed) == 0:  # type: ignore[arg-type]
            first = seed_number("seed", seed)
            return [seed_number(f"seed + {i}", first + i) for i in range(self.num_envs)]
        seeds = list(seed)  # type: ignore[arg-type]
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds for {self.num_envs} environments")
        return [
            None if one is None else seed_number(f"seed[{i}]", one) for i, one in enumerate(seeds)
        ]

    def _seeds(self, given: list[int | None]) -> list[int | None]:
        """Those given; for the first episodes numbers at random where there are none."""
        if self._started or None not in given:
            return given
        drawn = self.np_random.integers(2**63, size=self.num_envs)
        return [int(other) if one is None else one for one, other in zip(given, drawn)]

    def _reset_mask(self, options: dict[str, Any] | None) -> Flags:
        mask = (options or {}).get("reset_mask")
        if mask is None:
            return np.ones(self.num_envs, dtype=np.bool_)
        mask = np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise ValueError(
                f"reset_mask has shape {mask.shape} and dtype {mask.dtype}, expected "
                f"({self.num_envs},) and bool with at least one True"
            )
        return mask

    def _observations(
        self, padded: dict[str, npt.NDArray[Any]], ids: npt.NDArray[np.int64]
    ) -> Observation:
        if self._to_graph is None:
            return padded
        singles = [
            self._to_graph[i]({key: value[row] for key, value in padded.items()})
            for row, i in enumerate(ids)
        ]
        observation: Observation = {
            key: padded[key] for key in ("action_mask", "focus", "skeleton", "state")
        }
        observation["graph"] = tuple(single["graph"] for single in singles)
        return dict(sorted(observation.items()))

    def _result(
        self,
        ids: npt.NDArray[np.int64],
        padded: dict[str, npt.NDArray[Any]],
        rewards: Rewards,
        terminated: Flags,
        finished: list[tuple[int, Evaluation, float, Evaluation | None]],
        last: dict[str, npt.NDArray[Any]] | None,
        *,
        with_ids: bool = False,
    ) -> StepResult:
        masks, everywhere = padded["action_mask"], np.ones(len(ids), dtype=np.bool_)
        info: dict[str, Any] = {
            "action_mask": masks.copy(),
            "_action_mask": everywhere,
            "start_site": self._batch.start_sites(ids),
            "_start_site": everywhere.copy(),
        }
        if with_ids:
            info["env_id"] = ids
        if last is not None:
            rows = [ended[0] for ended in finished]
            if with_ids:
                row_of = {i: row for row, i in enumerate(ids.tolist())}
                rows = [row_of[i] for i in rows]
            for row, (_, evaluation, target, start) in zip(rows, finished):
                if evaluation.store_error is not None and not self._warned_of_store:
                    self._warned_of_store = True
                    warn_of_store(evaluation)
                if self._reward is not None:
                    rewards[row] = own_reward(self._reward, evaluation, target, start)
            said = [episode_info(end, start) for _, end, _, start in finished]
            of_episodes = _episode_infos(rows, said, len(ids))
            if self._mode == AutoresetMode.SAME_STEP:
                numbers = np.array([ended[0] for ended in finished], dtype=np.int64)
                info["final_obs"] = self._final(last, numbers, rows, len(ids))
                info["final_info"] = of_episodes
                info["_final_obs"] = info["_final_info"] = terminated.copy()
            else:
                info |= of_episodes
        truncated = np.zeros(len(ids), dtype=np.bool_)
        return self._observations(padded, ids), rewards, terminated, truncated, info

    def _final(
        self,
        last: dict[str, npt.NDArray[Any]],
        numbers: npt.NDArray[np.int64],
        rows: list[int],
        count: int,
    ) -> npt.NDArray[np.object_]:
        final = np.full(count, None, dtype=object)
        for number, row, values in zip(numbers, rows, zip(*last.values())):
            single: Observation = dict(zip(last, values))
            final[row] = single if self._to_graph is None else self._to_graph[number](single)
        return final


def _tasks(
    num_envs: int,
    task: str | Mapping[str, Any] | Task | None,
    changes: Mapping[str, Any],
    env_kwargs: Sequence[Mapping[str, Any]] | None,
    results: Results,
) -> list[Task]:
    common = make_task(task, changes, results)
    if env_kwargs is None:
        return [common] * num_envs
    if len(env_kwargs) != num_envs:
        raise ValueError(f"env_kwargs has {len(env_kwargs)} members, expected {num_envs}")
    for single in env_kwargs:
        check_names(single)
    return [make_task(common, dict(single), results) for single in env_kwargs]


def _episode_infos(rows: list[int], said: list[dict[str, Any]], count: int) -> dict[str, Any]:
    """Gymnasium's form: an array a key, and under ``_key`` where it means something."""
    info: dict[str, Any] = {}
    for key in dict.fromkeys(key for single in said for key in single):
        values = [single.get(key) for single in said]
        having = [row for row, value in zip(rows, values) if value is not None]
        is_number = key.endswith("value")
        info[key] = np.full(count, np.nan) if is_number else np.full(count, None, dtype=object)
        info[key][having] = [value for value in values if value is not None]
        info[f"_{key}"] = np.zeros(count, dtype=np.bool_)
        info[f"_{key}"][having] = True
    return info
