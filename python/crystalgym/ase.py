"""A calculator for ASE on the plane-wave engine."""

from __future__ import annotations

from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorSetupError, SCFError, all_changes
from ase.units import GPa

from crystalgym._crystalgym import ground_state
from crystalgym.errors import DftError

__all__ = ["PlaneWaveCalculator"]


class PlaneWaveCalculator(Calculator):
    """Energies, forces and stresses of periodic crystals by :func:`crystalgym.ground_state`.

    ``energy`` and ``free_energy`` are both the total energy in eV that is variational, which with
    smearing is the free energy.

    Parameters
    ----------
    **kwargs
        Keywords of :func:`crystalgym.ground_state`; ``cutoff_ev`` must be given.

    Examples
    --------
    >>> from ase.build import bulk
    >>> silicon = bulk("Si")
    >>> silicon.calc = PlaneWaveCalculator(cutoff_ev=150, k_mesh=(2, 2, 2))
    >>> round(silicon.get_potential_energy())
    -213
    """

    implemented_properties: list[str] = ["energy", "free_energy", "forces", "stress"]
    discard_results_on_any_change = True

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute and keep ``results``; ``ground_state`` holds the rest.

        Raises
        ------
        ase.calculators.calculator.CalculatorSetupError
            If the input is wrong.
        ase.calculators.calculator.SCFError
            If the loop did not converge.
        """
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        parameters: dict[str, Any] = dict(self.parameters)
        if "cutoff_ev" not in parameters:
            raise CalculatorSetupError("cutoff_ev is missing, expected a number of eV")
        wanted = not {"forces", "stress"}.isdisjoint(properties or ())
        parameters["forces"] = parameters.get("forces", False) or wanted
        try:
            self.ground_state = ground_state(self.atoms, **parameters)
        except DftError as error:
            raise CalculatorSetupError(str(error)) from error
        if not self.ground_state.converged:
            raise SCFError(f"the SCF ended as '{self.ground_state.end}'")
        energy = self.ground_state.energy
        self.results = {"energy": energy, "free_energy": energy}
        forces, stress = self.ground_state.forces, self.ground_state.stress
        if forces is not None and stress is not None:
            self.results["forces"] = forces
            # ASE: eV/Å³, in the order xx, yy, zz, yz, xz, xy.
            self.results["stress"] = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] * GPa
