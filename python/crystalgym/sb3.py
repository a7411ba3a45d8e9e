"""The vector environment as Stable-Baselines3 wants it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvObs, VecEnvStepReturn

from crystalgym.vector import CrystalVectorEnv

__all__ = ["SB3VecEnv"]


class SB3VecEnv(VecEnv):
    """Many environments whose steps run in Rust, for Stable-Baselines3 and sb3-contrib.

    Rewards that take long are computed side by side (``workers``). ``infos`` have ``value``, ``formula``,
    ``failure`` and, as of ``VecMonitor``, ``episode`` with its return ``r`` and length ``l``.

    Parameters
    ----------
    num_envs : int
        How many.
    task : str, dict or Task, optional
        As of :class:`crystalgym.CrystalEnv`.
    **options
        Of :class:`crystalgym.CrystalVectorEnv`: ``calculator``, ``store``, ``workers``, and what is to
        differ from the task.
    """

    def __init__(self, num_envs: int, task: Any = None, **options: Any) -> None:
        if options.setdefault("obs", "dict") != "dict":
            raise ValueError("obs is 'graph', which Stable-Baselines3 does not know, expected 'dict'")
        options["autoreset_mode"] = AutoresetMode.SAME_STEP
        self.envs = CrystalVectorEnv(num_envs, task, **options)
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, dtype=np.int64)
        self._actions: npt.NDArray[np.int64] = np.zeros(num_envs, dtype=np.int64)
        super().__init__(
            num_envs, self.envs.single_observation_space, self.envs.single_action_space
        )

    def reset(self) -> VecEnvObs:
        """Start all episodes anew, with the seeds of :meth:`seed` if there are any.

        Returns
        -------
        dict of ndarray
        """
        seeds = list(self._seeds)
        observations, info = self.envs.reset(seed=seeds if any(s is not None for s in seeds) else None)
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = 0.0
        self._lengths[:] = 0
        self.reset_infos = [{"action_mask": mask} for mask in info["action_mask"]]
        return observations

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Keep the actions of the next step.

        Parameters
        ----------
        actions : ndarray of int, shape (num_envs,)
        """
        self._actions = np.asarray(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Take the step, and wait for its rewards.

        Returns
        -------
        observations, rewards, dones, infos
        """
        observations, rewards, terminated, _, info = self.envs.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        infos: list[dict[str, Any]] = [{"TimeLimit.truncated": False} for _ in range(self.num_envs)]
        for i in np.flatnonzero(terminated):
            end = info["final_info"]
            said = {
                key: end[key][i] for key in end if not key.startswith("_") and end[f"_{key}"][i]
            }
            infos[i] |= said
            infos[i]["terminal_observation"] = info["final_obs"][i]
            infos[i]["episode"] = {"r": float(self._returns[i]), "l": int(self._lengths[i])}
        self._returns[terminated] = 0.0
        self._lengths[terminated] = 0
        return observations, rewards.astype(np.float32), terminated, infos

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Which actions are allowed now, for maskable algorithms.

        Returns
        -------
        ndarray of bool, shape (num_envs, n_actions)
        """
        return self.envs.action_masks()

    def close(self) -> None:
        """Stop what is under way."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute, the same for all environments but for ``action_masks`` and ``task``.

        Parameters
        ----------
        attr_name : str
        indices : int or sequence of int, optional

        Returns
        -------
        list
        """
        chosen = self._chosen(indices)
        if attr_name == "task":
            return [self.envs.tasks[i] for i in chosen]
        return [getattr(self if attr_name == "action_masks" else self.envs, attr_name) for _ in chosen]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refused: the environments are one.

        Parameters
        ----------
        attr_name : str
        value
        indices : int or sequence of int, optional

        Raises
        ------
        AttributeError
        """
        raise AttributeError(f"'{attr_name}' of single environments cannot be set")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """What a method says of each environment; ``action_masks`` is the one that there is.

        Parameters
        ----------
        method_name : str
        *method_args, **method_kwargs
            None are known.
        indices : int or sequence of int, optional

        Returns
        -------
        list

        Raises
        ------
        AttributeError
            For another method.
        """
        if method_name != "action_masks":
            raise AttributeError(f"no method '{method_name}', expected 'action_masks'")
        masks = self.action_masks()
        return [masks[i] for i in self._chosen(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Whether environments are wrapped; none is.

        Parameters
        ----------
        wrapper_class : type
        indices : int or sequence of int, optional

        Returns
        -------
        list of bool
        """
        return [False for _ in self._chosen(indices)]

    def get_images(self) -> Sequence[Any]:
        """One picture an environment, if they have ``render_mode="rgb_array"``.

        Returns
        -------
        sequence of ndarray
        """
        return list(self.envs.render() or [])

    def _chosen(self, indices: Any) -> list[int]:
        return [int(i) for i in self._get_indices(indices)]
