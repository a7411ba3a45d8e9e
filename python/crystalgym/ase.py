"""Calculators for ASE on the plane-wave engine and on potentials, and potentials out of ASE's."""

from __future__ import annotations

import warnings
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorSetupError, SCFError, all_changes
from ase.units import GPa

from crystalgym._crystalgym import GroundState, MlPotential, Structure, ground_state
from crystalgym.errors import DftError, PotentialError, StructureError

__all__ = ["AsePotential", "PlaneWaveCalculator", "PotentialCalculator"]

# ASE: xx, yy, zz, yz, xz, xy.
_VOIGT_ROWS = [0, 1, 2, 1, 0, 0]
_VOIGT_COLUMNS = [0, 1, 2, 2, 2, 1]


@dataclass(frozen=True)
class Levels:
    """What is left of the electrons in a pickled calculator; energies in eV.

    Attributes
    ----------
    k_points : ndarray of float, shape (n_k, 3)
        Irreducible k-points in units of the reciprocal lattice vectors.
    k_weights : ndarray of float, shape (n_k,)
        Their weights, which sum to 1.
    bands : ndarray of float, shape (n_k, n_bands)
        Band energies, ascending.
    occupations : ndarray of float, shape (n_k, n_bands)
        Electrons in each band, from 0 to 2.
    fermi_level : float or None
        For smeared occupations.
    homo : float or None
        Highest occupied level.
    lumo : float or None
        Lowest unoccupied level.
    """

    k_points: npt.NDArray[np.float64]
    k_weights: npt.NDArray[np.float64]
    bands: npt.NDArray[np.float64]
    occupations: npt.NDArray[np.float64]
    fermi_level: float | None
    homo: float | None
    lumo: float | None


class PlaneWaveCalculator(Calculator):
    """Energies, forces and stresses of periodic crystals by :func:`crystalgym.ground_state`.

    ``energy`` and ``free_energy`` are both the total energy in eV that is variational, which with
    smearing is the free energy. Electrons are paired: magnetic moments are warned of and left aside.
    After a calculation the levels can be asked for, so that ``ase.dft.bandgap`` and the like work.
    Forces and stress are computed when they are first asked for, from the electrons that are there.
    Copies by :mod:`copy` and :mod:`pickle` keep settings, results and levels; a pickled one has no
    ``ground_state``.

    Parameters
    ----------
    **kwargs
        Keywords of :func:`crystalgym.ground_state`. Without ``cutoff_ev`` those of ``accuracy``,
        ``"balanced"`` unless another is named; ``ground_state.settings`` says which.

    Examples
    --------
    >>> from ase.build import bulk
    >>> silicon = bulk("Si")
    >>> silicon.calc = PlaneWaveCalculator(cutoff_ev=150, k_mesh=(2, 2, 2))
    >>> round(silicon.get_potential_energy())
    -211
    """

    implemented_properties: list[str] = ["energy", "free_energy", "forces", "stress"]
    discard_results_on_any_change = True
    ground_state: GroundState | None = None
    levels: Levels | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute and keep ``results``; ``ground_state`` holds the rest.

        Parameters
        ----------
        atoms : ase.Atoms, optional
            Periodic along all three directions.
        properties : list of str, optional
            Forces and stress are computed only if one of them is among these.
        system_changes : list of str
            Without any, forces and stress are computed from the electrons that are there.

        Raises
        ------
        ase.calculators.calculator.CalculatorSetupError
            If the input is wrong.
        ase.calculators.calculator.SCFError
            If the loop did not converge.
        """
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        if self.atoms is None:
            raise CalculatorSetupError("there are no atoms to compute")
        known = self.ground_state
        if known is not None and not system_changes:
            known.compute_forces()
            self._keep(known)
            return
        self._forget()
        parameters: dict[str, Any] = dict(self.parameters)
        wanted = not {"forces", "stress"}.isdisjoint(properties or ())
        parameters["forces"] = parameters.get("forces", False) or wanted
        if np.any(self.atoms.get_initial_magnetic_moments()):
            warnings.warn(
                "the plane-wave engine pairs all electrons: magnetic moments play no part",
                UserWarning,
                stacklevel=2,
            )
        try:
            state = ground_state(self.atoms, **parameters)
        except (DftError, StructureError, TypeError) as error:
            raise CalculatorSetupError(str(error)) from error
        if not state.converged:
            raise SCFError(f"the SCF ended as '{state.end}'")
        self._keep(state)

    def reset(self) -> None:
        """Forget all results."""
        super().reset()  # type: ignore[no-untyped-call]
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "ground_state": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> PlaneWaveCalculator:
        copied = self.__class__.__new__(self.__class__)
        memo[id(self)] = copied
        copied.__dict__.update(deepcopy(self.__dict__, memo))
        return copied

    def _forget(self) -> None:
        self.ground_state = None
        self.levels = None

    def _keep(self, state: GroundState) -> None:
        self.ground_state = state
        self.levels = Levels(
            k_points=state.k_points,
            k_weights=state.k_weights,
            bands=state.bands,
            occupations=state.occupations,
            fermi_level=state.fermi_level,
            homo=state.homo,
            lumo=state.lumo,
        )
        self.results = {"energy": state.energy, "free_energy": state.energy}
        forces, stress = state.forces, state.stress
        if forces is not None and stress is not None:
            self.results["forces"] = forces
            # ASE: eV/Å³.
            self.results["stress"] = stress[_VOIGT_ROWS, _VOIGT_COLUMNS] * GPa

    def get_fermi_level(self) -> float:
        """Fermi level in eV; with fixed occupations the middle of the gap.

        Returns
        -------
        float
        """
        state = self._levels()
        if state.fermi_level is not None:
            return state.fermi_level
        if state.homo is None:
            raise CalculatorSetupError("no level is occupied: there is no Fermi level")
        return state.homo if state.lumo is None else (state.homo + state.lumo) / 2

    def get_ibz_k_points(self) -> npt.NDArray[np.float64]:
        """Irreducible k-points in units of the reciprocal lattice vectors.

        Returns
        -------
        ndarray of float, shape (n_k, 3)
        """
        return self._levels().k_points.copy()

    def get_k_point_weights(self) -> npt.NDArray[np.float64]:
        """Weights of the irreducible k-points; they sum to 1.

        Returns
        -------
        ndarray of float, shape (n_k,)
        """
        return self._levels().k_weights.copy()

    def get_eigenvalues(self, kpt: int = 0, spin: int = 0) -> npt.NDArray[np.float64]:
        """Band energies at a k-point in eV, ascending.

        Parameters
        ----------
        kpt : int
            Index of the irreducible k-point.
        spin : int
            0, the only one.

        Returns
        -------
        ndarray of float, shape (n_bands,)
        """
        bands: npt.NDArray[np.float64] = self._levels().bands[kpt].copy()
        return bands

    def get_occupation_numbers(self, kpt: int = 0, spin: int = 0) -> npt.NDArray[np.float64]:
        """Electrons in each band at a k-point, from 0 to 2.

        Parameters
        ----------
        kpt : int
            Index of the irreducible k-point.
        spin : int
            0, the only one.

        Returns
        -------
        ndarray of float, shape (n_bands,)
        """
        occupations: npt.NDArray[np.float64] = self._levels().occupations[kpt].copy()
        return occupations

    def get_number_of_bands(self) -> int:
        """Number of bands at each k-point.

        Returns
        -------
        int
        """
        return int(self._levels().bands.shape[1])

    def get_number_of_spins(self) -> int:
        """One: electrons are paired.

        Returns
        -------
        int
        """
        return 1

    def get_spin_polarized(self) -> bool:
        """Never.

        Returns
        -------
        bool
        """
        return False

    def _levels(self) -> Levels:
        if self.levels is None:
            raise CalculatorSetupError("nothing has been computed: ask for the energy first")
        return self.levels


class AsePotential:
    """What :meth:`crystalgym.MlPotential.from_object` asks, answered by an ASE calculator.

    Parameters
    ----------
    calculator : ase.calculators.calculator.Calculator
        With energies, forces and stresses.
    """

    def __init__(self, calculator: Any) -> None:
        self.calculator = calculator

    def evaluate(self, structure: Structure, derivatives: bool, /) -> dict[str, Any]:
        """Energy of a structure, and forces and stress.

        Parameters
        ----------
        structure : Structure
        derivatives : bool
            Whether forces and stress are asked for.

        Returns
        -------
        dict
            ``energy`` in eV, ``forces`` in eV/Å, ``stress`` in GPa.
        """
        atoms = structure.to_ase()
        atoms.calc = self.calculator
        answer: dict[str, Any] = {"energy": float(atoms.get_potential_energy())}
        if derivatives:
            answer["forces"] = np.asarray(atoms.get_forces(), dtype=float)
            stress = atoms.get_stress(voigt=False)
            answer["stress"] = np.asarray(stress, dtype=float) / GPa
        return answer


class PotentialCalculator(Calculator):
    """Energies, forces and stresses of periodic crystals by a :class:`crystalgym.MlPotential`.

    Parameters
    ----------
    potential : crystalgym.MlPotential, optional
        CHGNet as installed if none is given.
    **kwargs
        Those of every ASE calculator.

    Raises
    ------
    PotentialError
        If CHGNet is not installed.

    Examples
    --------
    >>> from ase.build import bulk
    >>> copper = bulk("Cu", "fcc", a=3.61)
    >>> copper.calc = PotentialCalculator()  # doctest: +SKIP
    >>> round(copper.get_potential_energy(), 3)  # doctest: +SKIP
    -4.083
    """

    implemented_properties: list[str] = ["energy", "free_energy", "forces", "stress", "magmoms"]

    def __init__(self, potential: MlPotential | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.potential = MlPotential.chgnet() if potential is None else potential

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute and keep ``results``.

        Parameters
        ----------
        atoms : ase.Atoms, optional
            Periodic along all three directions.
        properties : list of str, optional
            All are computed at once.
        system_changes : list of str

        Raises
        ------
        ase.calculators.calculator.CalculatorSetupError
            For atoms that the potential does not cover.
        """
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        if self.atoms is None:
            raise CalculatorSetupError("there are no atoms to compute")
        try:
            found = self.potential.evaluate(self.atoms)
        except (PotentialError, StructureError) as error:
            raise CalculatorSetupError(str(error)) from error
        energy = found["energy"]
        self.results = {"energy": energy, "free_energy": energy, "forces": found["forces"]}
        self.results["stress"] = found["stress"][_VOIGT_ROWS, _VOIGT_COLUMNS] * GPa
        if "magnetic_moments" in found:
            self.results["magmoms"] = found["magnetic_moments"]
