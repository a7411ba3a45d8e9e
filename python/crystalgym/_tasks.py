"""Tasks from the arguments of an environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crystalgym._crystalgym import Task, tasks

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
    if isinstance(config.get("skeletons"), str):
        config["skeletons"] = [config["skeletons"]]
    if "allowed" in config:
        config["allowed"] = {str(site): list(e) for site, e in config["allowed"].items()}
    return Task(config)
