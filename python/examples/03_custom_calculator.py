"""Rewards of one's own: any Python function or object can be the calculator.

The one here takes the energy per atom of ASE's EMT potential, which knows a few metals only; what
it does not know is a failed calculation, with a code, and not an error.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ase.calculators.emt import EMT

import crystalgym as cg


class CohesiveDensity:
    """Density of metals that EMT binds; the name of the property decides what is asked."""

    def evaluate(self, structure: cg.Structure, property: str) -> dict[str, float]:
        atoms = structure.to_ase()
        atoms.calc = EMT()  # type: ignore[no-untyped-call]
        try:
            energy = float(atoms.get_potential_energy())
        except NotImplementedError as error:
            raise cg.CalculationFailed(str(error), code="unsupported_property") from error
        return {"value": structure.density, "total_energy_ev": energy}


def best_of(evaluation: cg.Evaluation, target: float) -> float:
    """A reward of one's own: minus the energy per atom, and -10 for a failure."""
    if evaluation.value is None:
        return -10.0
    return -float(evaluation.details["total_energy_ev"]) / len(evaluation.structure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=30)
    arguments = parser.parse_args()

    calculator = cg.Calculator.from_function(CohesiveDensity(), fingerprint="EMT of ASE, version 1")
    with tempfile.TemporaryDirectory() as folder:
        store = cg.ResultStore(Path(folder) / "results.sqlite")
        env = cg.CrystalEnv(
            "density-C6-easy-small",
            elements=["Cu", "Ag", "Au", "Ni", "Pd", "Pt", "Na"],
            calculator=calculator,
            store=store,
            reward=best_of,
        )
        env.action_space.seed(0)
        env.reset(seed=0)
        returns: dict[str, float] = {}
        for _ in range(arguments.episodes):
            terminated = False
            while not terminated:
                _, reward, terminated, _, info = env.step(env.action_space.sample())
            returns[info["formula"]] = reward
            env.reset()
        for formula in sorted(returns, key=lambda formula: -returns[formula])[:5]:
            print(f"{formula:12} {returns[formula]:8.3f}")
        print(f"{len(store)} results in the store: {store.statistics()}")


if __name__ == "__main__":
    main()
