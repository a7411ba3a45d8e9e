"""Tasks from the arguments of an environment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from crystalgym._crystalgym import Task, tasks
from crystalgym.errors import TaskError

FIELDS = (
    "skeletons",
    "actions",
    "elements",
    "property",
    "target",
    "start_site",
    "odd_electrons_fail_at_once",
    "allowed",
)
"""Arguments that change a task."""


def make_task(task: Task | Mapping[str, Any] | str | None, changes: Mapping[str, Any]) -> Task:
    """The task of this name or with these members, with changes on top."""
    if not changes:
        if isinstance(task, Task):
            return task
        if isinstance(task, str):
            return Task.named(task)
        return Task(dict(task or {}))
    if isinstance(task, Task):
        config = dict(task.config)
    elif isinstance(task, str):
        named = tasks().get(task)
        config = dict(named if named is not None else Task.named(task).config)
    else:
        config = dict(task or {})
    config.update({key: value for key, value in changes.items() if value is not None})
    if "skeletons" in config and not isinstance(config["skeletons"], (list, tuple)):
        config["skeletons"] = [config["skeletons"]]
    if changes.get("elements") is not None and len(changes["elements"]) == 0:
        raise TaskError(
            "task: elements is empty, expected at least one",
            code="invalid_task",
            values={"field": "elements"},
        )
    target = config.get("target")
    if isinstance(target, float) and not math.isfinite(target):
        raise TaskError(
            f"task: target is {target}, expected a positive number",
            code="invalid_task",
            values={"field": "target"},
        )
    if "allowed" in config:
        config["allowed"] = {str(site): list(e) for site, e in config["allowed"].items()}
    return Task(config)
