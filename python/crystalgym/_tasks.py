"""Tasks from the arguments of an environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crystalgym._crystalgym import ResultStore, Task, tasks
from crystalgym._toml import read_toml
from crystalgym.errors import TaskError

FIELDS = (
    "skeletons",
    "actions",
    "elements",
    "property",
    "target",
    "tolerance",
    "reward_form",
    "process",
    "start_crystal",
    "steps",
    "start_site",
    "odd_electrons_fail_at_once",
    "objective",
    "allowed",
)
"""Arguments that change a task."""

OPTIONS = ("target", "skeleton")
"""Options of ``reset``: the target from that episode on, the skeleton of that episode."""


Results = tuple[Any, ResultStore | str | None]
"""A calculator and a store of its results."""


def make_task(
    task: Task | Mapping[str, Any] | str | os.PathLike[str] | None,
    changes: Mapping[str, Any],
    results: Results | None = None,
) -> Task:
    """The task of this name, of this file or with these members, with changes on top.

    A change changes its member alone, but for the target: it belongs to the property, so that
    another property has its own, and a range has its own tolerance. Stored crystals to start from
    are looked for among the results, if there are any.
    """
    if isinstance(task, os.PathLike) or isinstance(task, str) and task.endswith(".toml"):
        task = _read(os.fspath(task))
    if not changes:
        if isinstance(task, Task):
            return task
        if isinstance(task, str):
            return Task.named(task)
        return _with_start(dict(task or {}), results)
    if isinstance(task, Task):
        config = dict(task.config)
    elif isinstance(task, str):
        named = tasks().get(task)
        config = dict(named if named is not None else Task.named(task).config)
    else:
        config = dict(task or {})
    said = {key: value for key, value in changes.items() if value is not None}
    if "objective" in said:
        # Its first term has a property and a target of its own.
        for key in ("property", "target", "tolerance"):
            config.pop(key, None)
    elif "property" in said:
        config.pop("objective", None)
    if "property" in said and config.get("property", said["property"]) != said["property"]:
        config.pop("target", None)
        config.pop("tolerance", None)
    if isinstance(said.get("target"), (str, list, tuple)):
        config.pop("tolerance", None)
    config.update(said)
    if changes.get("actions") is not None:
        if changes.get("elements") is not None:
            raise TaskError(
                "task: actions and elements are both given, expected one of them",
                code="invalid_task",
                values={"field": "actions"},
            )
        # Elements of the task before would decide alone.
        config.pop("elements", None)
    if "skeletons" in config and not isinstance(config["skeletons"], (list, tuple)):
        config["skeletons"] = [config["skeletons"]]
    if changes.get("elements") is not None and len(changes["elements"]) == 0:
        raise TaskError(
            "task: elements is empty, expected at least one",
            code="invalid_task",
            values={"field": "elements"},
        )
    if "allowed" in config:
        config["allowed"] = {str(site): list(e) for site, e in config["allowed"].items()}
    return _with_start(config, results)


def _with_start(config: dict[str, Any], results: Results | None) -> Task:
    if results is None or config.get("start_crystal") != "stored":
        return Task(config)
    return Task.starting_from_store(config, *results)


def _read(path: str) -> dict[str, Any]:
    """The table ``[task]`` of a TOML file."""
    try:
        table = read_toml(path)
    except (OSError, ValueError) as error:
        raise TaskError(
            f"task: {path}: {error}", code="invalid_task", values={"field": "task"}
        ) from None
    if not isinstance(table.get("task"), dict):
        raise TaskError(
            f"task: {path} has no table [task]", code="invalid_task", values={"field": "task"}
        )
    return dict(table["task"])


def changed_tasks(
    tasks: Sequence[Task],
    options: Mapping[str, Any] | None,
    *,
    others: Sequence[str] = (),
    chosen: Sequence[int] | None = None,
) -> dict[int, Task]:
    """Tasks that the options of a ``reset`` change, by environment.

    Parameters
    ----------
    tasks : sequence of Task
        One an environment.
    options : mapping, optional
        ``target``: a number for all environments, or a sequence with one for each.
    others : sequence of str
        Options that the caller looks at.
    chosen : sequence of int, optional
        Environments that are reset; all by default.

    Returns
    -------
    dict of int to Task

    Raises
    ------
    TaskError
        For an unknown option or a value that is none; nothing has changed then.
    """
    known = (*OPTIONS, *others)
    for option in options or {}:
        if option not in known:
            raise TaskError(
                f"reset: unknown option {option!r}, expected {' or '.join(map(repr, known))}",
                code="unknown_option",
                values={"option": str(option)},
            )
    if not options or "target" not in options:
        return {}
    targets = _one_for_each("target", options["target"], len(tasks))
    environments = range(len(tasks)) if chosen is None else chosen
    return {i: make_task(tasks[i], {"target": targets[i]}) for i in environments}


def chosen_skeletons(
    tasks: Sequence[Task], options: Mapping[str, Any] | None
) -> list[int | None]:
    """The skeletons that the options of a ``reset`` name, by environment.

    Parameters
    ----------
    tasks : sequence of Task
        One an environment.
    options : mapping, optional
        ``skeleton``: a label or a number for all environments, or a sequence with one for each;
        None draws one.

    Returns
    -------
    list of int or None
        Numbers in ``task.skeletons``.

    Raises
    ------
    TaskError
        For a skeleton that the task does not have.
    """
    named = (options or {}).get("skeleton")
    if named is None:
        return [None] * len(tasks)
    if isinstance(named, (str, int, np.integer)):
        return [_skeleton_number(task, named) for task in tasks]
    if len(named) != len(tasks):
        raise TaskError(
            f"reset: skeleton is {len(named)} values, expected one or {len(tasks)} of them",
            code="invalid_task",
            values={"field": "skeleton"},
        )
    return [None if one is None else _skeleton_number(task, one) for task, one in zip(tasks, named)]


def _skeleton_number(task: Task, named: Any) -> int:
    labels = [skeleton.label for skeleton in task.skeletons]
    if isinstance(named, str) and named in labels:
        return labels.index(named)
    is_number = isinstance(named, (int, np.integer)) and not isinstance(named, bool)
    if is_number and 0 <= named < len(labels):
        return int(named)
    raise TaskError(
        f"reset: skeleton is {named!r}, expected one of {', '.join(labels)} "
        f"or 0 to {len(labels) - 1}",
        code="invalid_task",
        values={"field": "skeleton"},
    )


def _one_for_each(name: str, value: Any, count: int) -> list[Any]:
    """The value of each environment, from one for all or a sequence."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        value = list(value)
    if value is None or isinstance(value, (list, tuple)) and len(value) != count:
        expected = "a positive number"
        if count > 1:
            expected += f", or {count} of them"
        found = "None" if value is None else f"{len(value)} values"
        raise TaskError(
            f"reset: {name} is {found}, expected {expected}",
            code="invalid_task",
            values={"field": name},
        )
    values = list(value) if isinstance(value, (list, tuple)) else [value] * count
    if any(one is None for one in values):
        raise TaskError(
            f"reset: {name} holds None, expected positive numbers",
            code="invalid_task",
            values={"field": name},
        )
    return values
