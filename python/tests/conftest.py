"""What tests need: optional programs, and structures to compare with."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import crystalgym


def program(name: str) -> str:
    """The program, or a skipped test; required programs that are missing fail it."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CRYSTALGYM_REQUIRE_TOOLS") == "1":
            pytest.fail(f"required but missing: {name}")
        pytest.skip(f"{name} not found")
    return found


@pytest.fixture(scope="session", autouse=True)
def users_own_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A store of the tests' own where the user's would be, in child processes too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """SIGINT raises `KeyboardInterrupt`, here and in children: a shell's background jobs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def pw_x() -> str:
    return program("pw.x")


@pytest.fixture(scope="session")
def random_structures() -> list[crystalgym.Structure]:
    """50 random cells of 1 to 6 sites, none too flat, no two sites too close."""
    rng = np.random.default_rng(7)
    symbols = ["Na", "Cl", "O", "Ti", "Si", "Cs"]
    made: list[crystalgym.Structure] = []
    while len(made) < 50:
        lattice = rng.uniform(-1, 1, (3, 3)) * 2 + np.diag(rng.uniform(4, 7, 3))
        frac = rng.uniform(0, 1, (int(rng.integers(1, 7)), 3))
        elements = [str(rng.choice(symbols)) for _ in frac]
        deltas = frac[:, None] - frac[None]
        deltas -= np.round(deltas)
        distances = np.linalg.norm(deltas @ lattice, axis=-1) + 9 * np.eye(len(frac))
        if abs(np.linalg.det(lattice)) > 60 and distances.min() > 1.3:
            made.append(crystalgym.Structure(lattice, elements, frac))
    return made


@pytest.fixture(scope="session")
def examples_folder() -> Path:
    return Path(__file__).parent.parent / "examples"
