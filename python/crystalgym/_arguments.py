"""Whole numbers from arguments: never rounded, wrapped around or taken from a truth value."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

LARGEST_SEED = 2**64 - 1


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """The integer that an argument is.

    Parameters
    ----------
    name : str
        Of the argument, for the error.
    value
        A Python or NumPy integer.
    least : int
    most : int, optional

    Returns
    -------
    int

    Raises
    ------
    TypeError
        If it is none; a truth value or a real number is none.
    ValueError
        If it is out of range.
    """
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}, expected an integer")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected an integer") from None
    if number < least or (most is not None and number > most):
        expected = f"at least {least}" if most is None else f"{least} to {most}"
        raise ValueError(f"{name} is {number}, expected {expected}")
    return number


def seed_number(name: str, value: Any) -> int:
    """A seed, which has 64 bits."""
    return whole(name, value, 0, LARGEST_SEED)


def integers(name: str, values: Any) -> npt.NDArray[np.int64]:
    """An array of integers with the shape that it has.

    Raises
    ------
    TypeError
        If it holds anything else, or integers beyond 64 bits.
    """
    found = np.asarray(values)
    if found.size == 0 and found.dtype.kind == "f" and not isinstance(values, np.ndarray):
        found = found.astype(np.int64)  # an empty list
    too_large = found.dtype.kind == "u" and (found > np.iinfo(np.int64).max).any()
    if found.dtype.kind not in "iu" or too_large:
        raise TypeError(f"{name} is {values!r}, expected integers")
    return np.ascontiguousarray(found, dtype=np.int64).reshape(found.shape)
