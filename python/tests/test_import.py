"""What importing the package costs, and when environments are known."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_loads_nothing_heavy() -> None:
    heavy = "{'gymnasium','torch','pymatgen','ase','pandas','polars','scipy','numpy','matplotlib'}"
    assert run(f"import sys, crystalgym; print({heavy} & set(sys.modules))") == "set()"


def test_environments_are_known_whichever_is_imported_first() -> None:
    make = "print(gym.make('crystalgym/Density-C2-v0', calculator='rigid').unwrapped.task.target)"
    assert run(f"import crystalgym, gymnasium as gym; {make}") == "3.0"
    assert run(f"import gymnasium as gym, crystalgym; {make}") == "3.0"
    spelled = make.replace("'crystalgym/", "'crystalgym:crystalgym/")
    assert run(f"import gymnasium as gym; {spelled}") == "3.0"


def test_every_public_name_is_there() -> None:
    run("import crystalgym; [getattr(crystalgym, name) for name in crystalgym.__all__]")
