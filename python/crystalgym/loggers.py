"""Callbacks of :func:`crystalgym.train` that write down how a run goes, beside its own tables and
TensorBoard events."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

__all__ = ["CsvLogger", "WandbLogger"]

NUMBERS = ("steps", "episodes", "mean_return", "best_return", "best_value", "calculations", "failures")
"""What of a run's progress is a number."""


class CsvLogger:
    """Appends one row a report to a CSV file.

    Parameters
    ----------
    path : path-like
        The file; one that is there is written anew.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.path.write_text(",".join((*NUMBERS, "best_formula")) + "\n", encoding="utf-8")

    def __call__(self, progress: dict[str, Any]) -> None:
        names = (*NUMBERS, "best_formula")
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow([progress[name] for name in names])


class WandbLogger:
    """Logs to Weights & Biases.

    Parameters
    ----------
    **options
        Of ``wandb.init``: ``project``, ``name``, ``config``, ``mode``, ….

    Raises
    ------
    ImportError
        Without ``wandb``.
    """

    def __init__(self, **options: Any) -> None:
        try:
            import wandb
        except ImportError as error:
            raise ImportError(f"this needs wandb: pip install wandb ({error})") from error
        self.run = wandb.init(**options)

    def __call__(self, progress: dict[str, Any]) -> None:
        numbers = {name: progress[name] for name in NUMBERS if progress[name] is not None}
        self.run.log(numbers, step=progress["steps"])

    def close(self) -> None:
        """Finish the run there."""
        self.run.finish()
