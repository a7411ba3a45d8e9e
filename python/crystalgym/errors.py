"""Exceptions: one class a family, each with a stable ``code`` and the ``values`` behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "CalculationFailed",
    "CalculatorError",
    "CrystalGymError",
    "DftError",
    "PotentialError",
    "ResultWarning",
    "StoreError",
    "StoreWarning",
    "StructureError",
    "TaskError",
    "TrainingError",
]


class CrystalGymError(Exception):
    """Base of all exceptions of the package.

    Parameters
    ----------
    message : str
        What is wrong, where, and what would be right.
    code : str
        Stable name, such as ``unknown_element``.
    values : mapping, optional
        The values found and expected, by name.
    """

    code: str
    values: dict[str, Any]

    def __init__(
        self, message: str = "", *, code: str = "", values: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.values = dict(values or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), str(self), self.code, self.values)


def _restore(
    cls: type[CrystalGymError], message: str, code: str, values: dict[str, Any]
) -> CrystalGymError:
    return cls(message, code=code, values=values)


class StructureError(CrystalGymError, ValueError):
    """A structure, a file that holds one, an element or a skeleton."""


class TaskError(CrystalGymError, ValueError):
    """A task, or what was done in it: an action, a snapshot, a property's name."""


class CalculatorError(CrystalGymError, RuntimeError):
    """A calculator that cannot work as configured."""


class CalculationFailed(CrystalGymError, RuntimeError):
    """A calculation without a value; ``code`` says why, as in ``crystalgym list failures``.

    A calculator of one's own raises it where a calculation fails:
    ``raise CalculationFailed("no convergence", code="scf_not_converged")``.
    """


class DftError(CrystalGymError, ValueError):
    """The input of the plane-wave engine: cell, atoms, settings, pseudopotentials."""


class PotentialError(CrystalGymError, ValueError):
    """An interatomic potential: not installed, or a structure that it does not cover."""


class StoreError(CrystalGymError, OSError):
    """The store of results."""

    # OSError makes up its text from errno and file name; ours is the message alone.
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class StoreWarning(RuntimeWarning):
    """A result that the store could not take or give: it holds, but nobody shares it."""


class ResultWarning(UserWarning):
    """Something that is to be said against a computed value.

    Parameters
    ----------
    message : str
        With the numbers, and what to do.
    code : str
        Stable name, such as ``cutoff_too_low``, as in ``crystalgym list warnings``.
    """

    code: str

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_warning, (type(self), str(self), self.code)


def _restore_warning(cls: type[ResultWarning], message: str, code: str) -> ResultWarning:
    return cls(message, code=code)


class TrainingError(CrystalGymError, RuntimeError):
    """A run, its configuration, or a trained agent."""
