"""Design crystals by reinforcement learning, with rewards from density functional theory.

``import crystalgym`` registers the environments with Gymnasium, whichever is imported first, and
loads neither Gymnasium nor any other library by itself.

Units: eV, Å, GPa, g/cm³, degrees. Lattice vectors are rows; a Cartesian position is
``frac @ lattice``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crystalgym import _registration
from crystalgym._crystalgym import (
    BandStructure,
    Calculator,
    Crystal,
    CrystalGraph,
    DensityOfStates,
    Evaluation,
    ExhaustiveTable,
    Finding,
    GroundState,
    MlPotential,
    ResultStore,
    SearchResult,
    Skeleton,
    Structure,
    Table,
    Task,
    __version__,
    element_data,
    evaluate,
    ground_state,
    gth_upf,
    k_mesh,
    niggli_reduce,
    properties,
    read_episodes,
    reward,
    search,
    space_group,
    tasks,
)
from crystalgym.errors import (
    CalculationFailed,
    CalculatorError,
    CrystalGymError,
    DftError,
    PotentialError,
    ResultWarning,
    StoreError,
    StoreWarning,
    StructureError,
    TaskError,
    TrainingError,
)

if TYPE_CHECKING:
    from crystalgym.envs import CrystalEnv
    from crystalgym.training import Run, train
    from crystalgym.vector import CrystalVectorEnv

__all__ = [
    # Structures
    "Crystal",
    "CrystalGraph",
    "Skeleton",
    "Structure",
    "element_data",
    "k_mesh",
    "niggli_reduce",
    "space_group",
    # Evaluation
    "Calculator",
    "Evaluation",
    "ExhaustiveTable",
    "ResultStore",
    "Table",
    "evaluate",
    "properties",
    # Searches
    "Finding",
    "SearchResult",
    "search",
    # Density functional theory
    "BandStructure",
    "DensityOfStates",
    "GroundState",
    "MlPotential",
    "ground_state",
    "gth_upf",
    # Runs
    "Run",
    "read_episodes",
    "train",
    # Environments
    "CrystalEnv",
    "CrystalVectorEnv",
    "Task",
    "environment_ids",
    "reward",
    "tasks",
    # Errors
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
    "__version__",
]

_LAZY = {
    "CrystalEnv": "crystalgym.envs",
    "CrystalVectorEnv": "crystalgym.vector",
    "Run": "crystalgym.training",
    "train": "crystalgym.training",
}


def environment_ids() -> list[str]:
    """Identifiers of all environments, for ``gymnasium.make``.

    Returns
    -------
    list of str
    """
    return list(_registration.environment_ids())


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'crystalgym' has no attribute '{name}'")


_registration.install()
