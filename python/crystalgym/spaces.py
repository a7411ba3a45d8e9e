"""Spaces of the environments, and observations in the form of graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.spaces import GraphInstance

from crystalgym._crystalgym import Skeleton, Task

__all__ = [
    "STATE_SIZE",
    "GraphMaker",
    "Observation",
    "collate",
    "dict_space",
    "graph_space",
    "observation_space",
]

Observation = dict[str, Any]

STATE_SIZE = 10
"""Numbers of the graph-level vector: target, share of the episode that is over, a, b, c (Å), α, β, γ
(rad), sites per Å³, space-group number / 230."""

# Spaces have to be bounded; nothing comes near these.
LONGEST_BOND_ANG = 1e3
LARGEST_STATE = 1e6


def dict_space(
    n_sites: int, n_edges: int, n_elements: int, n_skeletons: int, n_actions: int | None = None
) -> spaces.Dict:
    """Space of the observation mode ``dict``: arrays padded to fixed sizes.

    ================== ================= =======================================================
    key                shape             meaning
    ================== ================= =======================================================
    ``nodes``          (n_sites,)        element of each site, ``n_elements`` where it is empty
    ``node_mask``      (n_sites,)        1 where there is a site
    ``edge_sources``   (n_edges,)        sending site of each directed bond
    ``edge_targets``   (n_edges,)        receiving site
    ``edge_distances`` (n_edges,)        bond length in Å
    ``edge_mask``      (n_edges,)        1 where there is a bond
    ``state``          (10,)             graph-level vector, see ``STATE_SIZE``
    ``focus``          ()                site that the next action fills, 0 where it chooses one
    ``skeleton``       ()                index of the skeleton
    ``action_mask``    (n_actions,)      1 where an action is allowed
    ================== ================= =======================================================

    Parameters
    ----------
    n_sites, n_edges : int
        Sizes that arrays are padded to.
    n_elements, n_skeletons : int
    n_actions : int, optional
        As many as elements by default.

    Returns
    -------
    gymnasium.spaces.Dict
    """
    return spaces.Dict(
        {
            "action_mask": spaces.MultiBinary(n_elements if n_actions is None else n_actions),
            "edge_distances": spaces.Box(0.0, LONGEST_BOND_ANG, (n_edges,), np.float32),
            "edge_mask": spaces.MultiBinary(n_edges),
            "edge_sources": spaces.Box(0, n_sites - 1, (n_edges,), np.int64),
            "edge_targets": spaces.Box(0, n_sites - 1, (n_edges,), np.int64),
            "focus": spaces.Discrete(n_sites),
            "node_mask": spaces.MultiBinary(n_sites),
            "nodes": spaces.MultiDiscrete([n_elements + 1] * n_sites),
            "skeleton": spaces.Discrete(n_skeletons),
            "state": spaces.Box(0.0, LARGEST_STATE, (STATE_SIZE,), np.float32),
        }
    )


def graph_space(
    n_sites: int, n_elements: int, n_skeletons: int, n_actions: int | None = None
) -> spaces.Dict:
    """Space of the observation mode ``graph``.

    ``graph`` holds the element of each site (``n_elements`` where it is empty) and, for each
    directed bond, its length and vector in Å and its ``(source, target)``; the other keys are those
    of :func:`dict_space`.

    Parameters
    ----------
    n_sites : int
        Sites of the largest skeleton.
    n_elements, n_skeletons : int
    n_actions : int, optional
        As many as elements by default.

    Returns
    -------
    gymnasium.spaces.Dict
    """
    return spaces.Dict(
        {
            "action_mask": spaces.MultiBinary(n_elements if n_actions is None else n_actions),
            "focus": spaces.Discrete(n_sites),
            "graph": spaces.Graph(
                node_space=spaces.Discrete(n_elements + 1),
                edge_space=spaces.Box(-LONGEST_BOND_ANG, LONGEST_BOND_ANG, (4,), np.float32),
            ),
            "skeleton": spaces.Discrete(n_skeletons),
            "state": spaces.Box(0.0, LARGEST_STATE, (STATE_SIZE,), np.float32),
        }
    )


def observation_space(tasks: Sequence[Task], mode: str) -> spaces.Dict:
    """The space of one environment; several tasks share the largest sizes.

    Parameters
    ----------
    tasks : sequence of Task
        With as many elements and actions each.
    mode : {"dict", "graph"}

    Returns
    -------
    gymnasium.spaces.Dict

    Raises
    ------
    ValueError
        If there is no such mode.
    """
    n_sites = max(task.max_sites for task in tasks)
    n_edges = max(task.max_edges for task in tasks)
    n_elements = len(tasks[0].elements)
    n_skeletons = max(len(task.skeletons) for task in tasks)
    n_actions = tasks[0].n_actions
    if mode == "dict":
        return dict_space(n_sites, n_edges, n_elements, n_skeletons, n_actions)
    if mode == "graph":
        return graph_space(n_sites, n_elements, n_skeletons, n_actions)
    raise ValueError(f"obs is '{mode}', expected 'dict' or 'graph'")


class GraphMaker:
    """Turns padded observations of a task into graphs.

    Parameters
    ----------
    skeletons : sequence of Skeleton
        Those of the task, in its order.
    """

    def __init__(self, skeletons: Sequence[Skeleton]) -> None:
        self._fixed = [_edges(skeleton) for skeleton in skeletons]

    def __call__(self, observation: Observation) -> Observation:
        """From an observation of the mode ``dict`` to one of the mode ``graph``."""
        n_sites, edges, links = self._fixed[int(observation["skeleton"])]
        graph = GraphInstance(observation["nodes"][:n_sites], edges.copy(), links.copy())
        return {
            "action_mask": observation["action_mask"],
            "focus": observation["focus"],
            "graph": graph,
            "skeleton": observation["skeleton"],
            "state": observation["state"],
        }


def _edges(skeleton: Skeleton) -> tuple[int, npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    graph = skeleton.graph
    edges = np.column_stack([graph.distances, graph.vectors]).astype(np.float32)
    links = np.column_stack([graph.sources, graph.targets]).astype(np.int32)
    return graph.n_sites, edges, links


def collate(graphs: Sequence[GraphInstance]) -> dict[str, npt.NDArray[Any]]:
    """One large graph of many, as PyTorch Geometric and DGL batch them.

    Parameters
    ----------
    graphs : sequence of GraphInstance
        The ``graph`` of observations of the mode ``graph``.

    Returns
    -------
    dict of str to ndarray
        By key, for N sites and E directed bonds in all: ``nodes``, shape (N,); ``edges``, shape
        (E, 4), length and vector in Å; ``edge_index``, shape (2, E), sites counted through all
        graphs; ``batch``, shape (N,), and ``edge_batch``, shape (E,), the number of the graph.
    """
    nodes = [np.asarray(graph.nodes) for graph in graphs]
    edges = [np.asarray(graph.edges) for graph in graphs]
    sizes = np.array([len(members) for members in nodes], dtype=np.int64)
    counts = np.array([len(members) for members in edges], dtype=np.int64)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    links = [
        np.asarray(graph.edge_links, dtype=np.int64) + start for graph, start in zip(graphs, first)
    ]
    return {
        "nodes": np.concatenate(nodes),
        "edges": np.concatenate(edges),
        "edge_index": np.concatenate(links).T,
        "batch": np.repeat(np.arange(len(graphs)), sizes),
        "edge_batch": np.repeat(np.arange(len(graphs)), counts),
    }
