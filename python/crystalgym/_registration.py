"""Registers the environments with Gymnasium as soon as both are imported, in either order."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from crystalgym._crystalgym import Skeleton, reward, shipped_tables, tasks

NAMESPACE = "crystalgym"
CLOSE = 0.1
"""How close to the target a solved task comes, relatively: its ``reward_threshold`` is the reward
there."""
_REGISTRY = "gymnasium.envs.registration"
_PROPERTIES = {"band_gap": "BandGap", "bulk_modulus": "BulkModulus", "density": "Density"}
_SETS = ("C1", "C2", "C3", "C4", "C5", "C6", "C7", "mixed")
_DIFFICULTIES = {"easy": "Easy", "hard": "Hard", "very_hard": "VeryHard"}
_SIZES = {"small": "Small", "medium": "Medium", "large": "Large"}
_PROCESSES = {"": "", "-substitution": "-Substitution"}
"""What is added to the name of a task, and to its identifier."""
_STABILITY = {"gap": "BandGap", "bulk_modulus": "BulkModulus", "density": "Density"}
"""Properties of the tasks of two objectives, the second being the energy above the hull."""


def _named() -> Iterator[tuple[str, str]]:
    """Identifiers of the paper's tasks with the names of the tasks."""
    for suffix, ending in _PROCESSES.items():
        for identifier, task in _filled():
            yield f"{NAMESPACE}/{identifier}{ending}-v0", f"{task}{suffix}"


def _filled() -> Iterator[tuple[str, str]]:
    """The same without namespace, version and process."""
    for key, name in _PROPERTIES.items():
        for skeletons in _SETS:
            label = skeletons.capitalize() if skeletons == "mixed" else skeletons
            yield f"{name}-{label}", f"{key}-{skeletons}-easy-small"
            for difficulty, hardness in _DIFFICULTIES.items():
                if difficulty == "very_hard" and key != "density":
                    continue
                for size, actions in _SIZES.items():
                    yield (
                        f"{name}-{label}-{hardness}-{actions}",
                        f"{key}-{skeletons}-{difficulty}-{size}",
                    )


def _with_stability() -> Iterator[tuple[str, str]]:
    """Identifiers of the tasks of two objectives with the names of the tasks."""
    for key, name in _STABILITY.items():
        for skeletons in _SETS:
            label = skeletons.capitalize() if skeletons == "mixed" else skeletons
            task = f"{key}+stability-{skeletons}-easy-small"
            yield f"{NAMESPACE}/{name}Stability-{label}-v0", task


def environment_ids() -> Iterator[str]:
    for identifier, _ in _named():
        yield identifier
    for identifier, _ in _with_stability():
        yield identifier
    for table in shipped_tables():
        yield f"{NAMESPACE}/{table['environment']}-v0"
    yield f"{NAMESPACE}/Crystal-v0"


def register() -> None:
    """Tells Gymnasium about all environments; doing it again changes nothing."""
    from gymnasium.envs.registration import register as add
    from gymnasium.envs.registration import registry

    def add_one(
        identifier: str, kwargs: dict[str, Any], threshold: float | None, steps: int | None
    ) -> None:
        if identifier not in registry:
            add(
                identifier,
                entry_point="crystalgym.envs:CrystalEnv",
                vector_entry_point="crystalgym.vector:CrystalVectorEnv",
                reward_threshold=threshold,
                # Gymnasium truncates at this number: one more than an episode has, which ends by
                # itself.
                max_episode_steps=None if steps is None else steps + 1,
                kwargs=kwargs,
            )

    made_of = tasks()
    sites = {skeleton.label: skeleton.n_sites for skeleton in Skeleton.builtins()}
    for identifier, task in _named():
        target = made_of[task]["target"]
        threshold = reward(made_of[task]["property"], (1 - CLOSE) * target, target)
        steps = max(sites[label] for label in made_of[task]["skeletons"])
        add_one(identifier, {"task": task}, threshold, steps)
    for identifier, task in _with_stability():
        steps = max(sites[label] for label in made_of[task]["skeletons"])
        add_one(identifier, {"task": task}, None, steps)
    for table in shipped_tables():
        of_table = {
            "skeletons": [table["skeleton"]],
            "property": table["property"],
            "elements": table["elements"],
        }
        calculator = {"name": "table", "table": {"file": table["name"]}}
        kwargs = {"task": of_table, "calculator": calculator}
        add_one(f"{NAMESPACE}/{table['environment']}-v0", kwargs, None, sites[table["skeleton"]])
    add_one(f"{NAMESPACE}/Crystal-v0", {}, None, None)


class _RegisteringLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        register()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Finder(MetaPathFinder):
    """Waits for Gymnasium's registry to be imported."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != _REGISTRY:
            return None
        # The others find it; from then on nobody needs this one.
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _RegisteringLoader(spec.loader)
        return spec


def install() -> None:
    if _REGISTRY in sys.modules:
        register()
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
