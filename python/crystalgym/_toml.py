"""Reading TOML; Python 3.10 has no reader of its own."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: str) -> dict[str, Any]:
    """The tables of a file.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, or is no TOML.
    """
    with open(path, "rb") as file:
        return tomllib.load(file)
