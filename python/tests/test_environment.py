"""The environment by the checkers of Gymnasium and Stable-Baselines3, and by itself."""

from __future__ import annotations

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

import crystalgym as cg

IDS = [name for name in cg.environment_ids() if "Stability-" not in name]
"""Without the tasks of two objectives, which need a reference set (test_objectives.py)."""


def test_every_task_of_the_paper_has_an_id() -> None:
    # 7 skeletons and the mixed set; 2 targets for three properties and a third for the density;
    # 3 action sets; a short name for each easy and small one; filling and substitution; one for
    # everything else, and one for each table that comes with the package.
    tables = len(cg.ExhaustiveTable.shipped())
    assert len(IDS) == len(set(IDS)) == 2 * (8 * 3 * (2 + 2 + 3) + 8 * 3) + 1 + tables
    assert set(IDS) <= set(gym.registry)
    for identifier in IDS:
        spec = gym.spec(identifier)
        assert not spec.nondeterministic and spec.vector_entry_point is not None
        if identifier == "crystalgym/Crystal-v0":
            assert spec.kwargs == {} and spec.reward_threshold is None
            continue
        if identifier.startswith("crystalgym/Table-"):
            assert spec.kwargs["calculator"]["name"] == "table"
            continue
        task = cg.Task.named(spec.kwargs["task"])
        process = "substitution" if "-Substitution-" in identifier else "filling"
        assert task.config["process"] == process
        # Missing the target by 10 % solves a task.
        close = cg.reward(task.property_name, 0.9 * task.target, task.target)
        assert spec.reward_threshold == close < task.reward_range[1]
        labels = [skeleton.label for skeleton in task.skeletons]
        if "-Mixed" in identifier:
            # The published mix is of five.
            assert sorted(labels) == ["C2", "C3", "C4", "C6", "C7"]
            continue
        assert len(labels) == 1 and f"-{labels[0]}-" in identifier


@pytest.mark.parametrize("obs", ["dict", "graph"])
@pytest.mark.parametrize("identifier", IDS)
def test_checkers_find_nothing(identifier: str, obs: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # What Gymnasium says of every environment without it.
        warnings.filterwarnings("ignore", message=".*render.*")
        env = gym.make(
            identifier, obs=obs, disable_env_checker=True, calculator="empirical"
        ).unwrapped
        check_env(env, skip_render_check=True)
        if obs == "dict":
            check_env_of_sb3(env, warn=True, skip_render_check=True)
            return
        # Stable-Baselines3 keeps observations in arrays of fixed shape, which graphs have not: of
        # any Graph space its checker says that it is not supported, and looks no further.
        with pytest.warns(UserWarning, match="Graph observation space is not supported") as said:
            check_env_of_sb3(env, warn=True, skip_render_check=True)
        assert len(said) == 1


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_rendering(mode: str) -> None:
    env = gym.make(
        "crystalgym/Density-C2-v0",
        render_mode=mode,
        disable_env_checker=True,
        calculator="empirical",
    ).unwrapped
    check_env(env)
    env.reset(seed=1)
    frames = [env.render()]
    for action in (3, 5, 8, 8, 8):
        env.step(action)
        frames.append(env.render())
    if mode == "ansi":
        assert frames[0].count(">") == 1
        assert "RbCaH3" in frames[-1] and "g/cm³" in frames[-1]
    else:
        assert all(frame.shape == (400, 400, 3) and frame.dtype == np.uint8 for frame in frames)
        assert all((a != b).any() for a, b in zip(frames, frames[1:]))
        # The colours of Rb, Ca and H are there, and the letters of the last line.
        for symbol in ("Rb", "Ca"):
            colour = np.array(list(bytes.fromhex(cg.element_data(symbol)["colour"][1:])))
            near = np.abs(frames[-1].astype(int) - colour).max(axis=2) < 40
            assert near.sum() > 50, symbol
        below = frames[-1][375:395]
        assert (below < 100).all(axis=2).sum() > 300


def episode(env: gym.Env[Any, Any], seed: int | None, actions: np.random.Generator) -> list[Any]:
    """All that two episodes of the same seed and actions must share."""
    seen: list[Any] = [env.reset(seed=seed)]
    terminated = False
    while not terminated:
        mask = seen[-1][-1]["action_mask"]
        step = env.step(actions.choice(np.flatnonzero(mask)))
        terminated = step[2]
        seen.append(step)
    return seen


@pytest.mark.parametrize("obs", ["dict", "graph"])
@pytest.mark.parametrize("name", ["BandGap", "BulkModulus", "Density"])
def test_the_same_seed_and_actions_give_the_same(name: str, obs: str) -> None:
    runs = []
    for _ in range(2):
        env = gym.make(
            f"crystalgym/{name}-Mixed-Large-v0".replace("Mixed", "Mixed-Easy"),
            obs=obs,
            calculator="empirical",
        )
        rng = np.random.default_rng(5)
        runs.append([episode(env, seed, rng) for seed in (3, None, None, None)])
    assert data_equivalence(runs[0], runs[1], exact=True)


def test_rewards_are_the_papers() -> None:
    env = cg.CrystalEnv("density-C2-easy-small", calculator="rigid")
    for seed in range(20):
        *_, (_, reward, terminated, truncated, info) = episode(
            env, seed, np.random.default_rng(seed)
        )
        density = env.structure.density
        assert info["value"] == pytest.approx(density, rel=1e-12)
        assert reward == pytest.approx(np.exp(-((density - 3) ** 2) / 3), rel=1e-12)
        assert terminated and not truncated


def test_observations_say_what_is_so() -> None:
    env = cg.CrystalEnv("density-mixed-easy-small", calculator="empirical")
    for seed in range(30):
        observation, _ = env.reset(seed=seed)
        skeleton = env.task.skeletons[int(observation["skeleton"])]
        graph, n = skeleton.graph, len(skeleton)
        assert observation["node_mask"].sum() == n
        assert observation["edge_mask"].sum() == graph.n_edges
        assert np.array_equal(observation["edge_sources"][: graph.n_edges], graph.sources)
        assert np.array_equal(observation["edge_targets"][: graph.n_edges], graph.targets)
        assert np.allclose(observation["edge_distances"][: graph.n_edges], graph.distances)
        order = graph.breadth_first(int(observation["focus"]))
        for step, site in enumerate(order):
            assert observation["focus"] == site
            assert observation["nodes"][site] == len(env.task.elements)
            assert observation["state"][1] == pytest.approx(step / n)
            observation, *_ = env.step(step)
            assert observation["nodes"][site] == step
            assert env.elements[site] == env.task.elements[step]


def test_substitution_changes_a_complete_crystal_site_by_site() -> None:
    env = cg.CrystalEnv("density-mixed-easy-small-substitution", calculator="empirical")
    n_elements = len(env.task.elements)
    starts = set()
    for seed in range(20):
        observation, _ = env.reset(seed=seed)
        n = len(env.task.skeletons[int(observation["skeleton"])])
        before = observation["nodes"][:n].copy()
        starts.add(tuple(before))
        assert (before < n_elements).all()
        visited = []
        for step in range(n):
            focus = int(observation["focus"])
            visited.append(focus)
            # The first site keeps its element; the others get the next one.
            action = before[focus] if step == 0 else (before[focus] + 1) % n_elements
            observation, _, terminated, _, info = env.step(action)
            assert terminated == (step == n - 1)
        assert sorted(visited) == list(range(n)) and "formula" in info
        after = observation["nodes"][:n]
        assert [int(site) for site in np.flatnonzero(after == before)] == [visited[0]]
    assert len(starts) == 20


def test_substitution_may_start_from_a_material() -> None:
    elements = ["Si", "Sn", "Br", "I"]
    changes: dict[str, Any] = {"skeletons": ["C7"], "elements": elements, "calculator": "rigid"}
    for start in ("material", ["Sn", "I", "I", "I", "I"]):
        env = cg.CrystalEnv(process="substitution", start_crystal=start, **changes)
        env.reset(seed=3)
        assert env.elements == ["Sn", "I", "I", "I", "I"]
    with pytest.raises(cg.TaskError, match="start_crystal has 2 elements, expected 5"):
        cg.CrystalEnv(process="substitution", start_crystal=["Sn", "I"], **changes)
    with pytest.raises(cg.TaskError, match='start_crystal is for process = "substitution"'):
        cg.CrystalEnv(start_crystal="material", **changes)
    with pytest.raises(cg.TaskError, match='expected "random", "material", "stored", a list'):
        cg.CrystalEnv(process="substitution", start_crystal="nothing", **changes)


IMPROVEMENT: dict[str, Any] = {
    "task": "density-mixed-easy-small",
    "process": "improvement",
    "reward_form": "difference",
    "calculator": "empirical",
}


def test_improvement_changes_sites_of_ones_choice() -> None:
    env = cg.CrystalEnv(steps=3, **IMPROVEMENT)
    n_elements = len(env.task.elements)
    most = env.task.max_sites
    assert env.action_space == gym.spaces.Discrete(most * n_elements)
    assert env.task.n_actions == most * n_elements
    assert env.task.reward_range == (-2.0, 2.0)
    for seed in range(8):
        observation, info = env.reset(seed=seed)
        n = len(env.task.skeletons[int(observation["skeleton"])])
        before = observation["nodes"][:n].copy()
        start_formula = env.crystal.formula
        assert (before < n_elements).all() and observation["focus"] == 0
        mask = info["action_mask"]
        assert mask.shape == (most * n_elements,)
        assert mask[: n * n_elements].all() and not mask[n * n_elements :].any()
        # The last site twice, the first one once.
        for step, (site, element) in enumerate([(n - 1, 5), (0, 2), (n - 1, 7)]):
            observation, reward, terminated, _, info = env.step(site * n_elements + element)
            assert observation["nodes"][site] == element
            assert terminated == (step == 2)
            assert terminated or reward == 0
        after = observation["nodes"][:n]
        assert (after[1:-1] == before[1:-1]).all() and (after[0], after[-1]) == (2, 7)
        assert info["formula"] == env.crystal.formula
        assert info["start_formula"] == start_formula
        target = env.task.target
        end, start = (cg.reward("density", info[key], target) for key in ("value", "start_value"))
        assert reward == pytest.approx(end - start, abs=1e-12)
        env.reset(seed=seed)
        expected = "not allowed on site" if n < most else "expected 0 to"
        with pytest.raises(cg.TaskError, match=expected):
            env.step(n * n_elements)


@pytest.mark.parametrize("obs", ["dict", "graph"])
def test_gymnasium_accepts_improvement(obs: str) -> None:
    # The checkers draw any action: those on sites of larger skeletons are masked.
    arguments = {**IMPROVEMENT, "task": "density-C2-easy-small", "obs": obs}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*render.*")
        check_env(cg.CrystalEnv(**arguments), skip_render_check=True)
        if obs == "dict":
            check_env_of_sb3(cg.CrystalEnv(**arguments), warn=True, skip_render_check=True)


def test_a_reward_of_ones_own_is_taken_of_both_crystals() -> None:
    def bonus(evaluation: cg.Evaluation, target: float) -> float:
        return 10 * target if evaluation.value is None else evaluation.value - target

    env = cg.CrystalEnv(reward=bonus, steps=1, **IMPROVEMENT)
    env.reset(seed=4)
    _, reward, _, _, info = env.step(0)
    assert reward == pytest.approx(info["value"] - info["start_value"], abs=1e-12)


def test_steps_are_a_part_of_a_pass_or_more() -> None:
    for steps in (2, 7):
        env = cg.CrystalEnv(process="substitution", steps=steps, calculator="rigid", property="density")
        observation, _ = env.reset(seed=1)
        order = env.task.skeletons[0].graph.breadth_first(int(observation["focus"]))
        for step in range(steps):
            assert observation["focus"] == order[step % 5]
            assert observation["state"][1] == pytest.approx(step / steps)
            observation, _, terminated, _, _ = env.step(step)
        assert terminated
    with pytest.raises(cg.TaskError, match="steps is for process"):
        cg.CrystalEnv(steps=3)


def test_a_start_is_found_in_the_store(tmp_path: Path) -> None:
    def weighted(structure: cg.Structure, _: str) -> float:
        numbers = [cg.element_data(element)["atomic_number"] for element in structure.elements]
        return 3.0 + sum(place * number for place, number in enumerate(numbers, 1)) / 1000

    own = cg.Calculator.from_function(weighted, name="own", fingerprint="1")
    store = cg.ResultStore(tmp_path / "store.sqlite")
    changes: dict[str, Any] = {
        "skeletons": ["C2"],
        "elements": ["Na", "K", "F", "Cl"],
        "property": "density",
        "target": 3.0,
        "calculator": own,
        "store": store,
    }
    improvement: dict[str, Any] = {"process": "improvement", "start_crystal": "stored", **changes}
    with pytest.raises(cg.TaskError, match="the store knows no density of a crystal on C2"):
        cg.CrystalEnv(**improvement)
    with pytest.raises(cg.TaskError, match="kept in no store"):
        cg.CrystalEnv(**{**improvement, "store": None})
    filling = cg.CrystalEnv(**changes)
    made: dict[tuple[str | None, ...], float] = {}
    for seed in range(12):
        filling.reset(seed=seed)
        rng = np.random.default_rng(seed)
        terminated = False
        while not terminated:
            _, reward, terminated, _, _ = filling.step(int(rng.integers(4)))
        made[tuple(filling.elements)] = reward
    env = cg.CrystalEnv(**improvement)
    start = env.task.config["start_crystal"]
    skeleton = env.task.skeletons[0]
    best = max(made, key=lambda elements: made[elements])
    same = [skeleton.fill(list(elements)).canonical().elements for elements in (start, best)]
    assert same[0] == same[1]
    env.reset(seed=5)
    assert env.elements == start
    # What is stored later changes nothing of a task that is made.
    assert cg.Task(env.task.config).config == env.task.config


def test_a_state_goes_on_as_it_would_have() -> None:
    env = cg.CrystalEnv("density-mixed-easy-small", calculator="empirical")
    env.reset(seed=11)
    env.step(4)
    state, pickled = env.get_state(), pickle.dumps(env)
    expected = [env.step(2), *(episode(env, None, np.random.default_rng(1)) for _ in range(3))]
    other = cg.CrystalEnv("density-mixed-easy-small", calculator="empirical")
    other.set_state(state)
    for again in (other, pickle.loads(pickled)):
        found = [again.step(2), *(episode(again, None, np.random.default_rng(1)) for _ in range(3))]
        assert data_equivalence(found, expected, exact=True)
    with pytest.raises(cg.TaskError, match="belong"):
        cg.CrystalEnv("density-C3-easy-small", calculator="empirical").set_state(state)
    with pytest.raises(cg.TaskError, match="not a state"):
        env.set_state("{}")


def test_masks_are_kept() -> None:
    masks = {0: ["F", "Cl"], 2: ["Na"]}
    env = cg.CrystalEnv(
        "density-C6-easy-small", calculator="empirical", start_site=0, allowed=masks
    )
    seen: set[tuple[str | None, str | None]] = set()
    for seed in range(20):
        observation, info = env.reset(seed=seed)
        env.action_space.seed(seed)
        while True:
            assert np.array_equal(info["action_mask"], observation["action_mask"])
            assert np.array_equal(env.action_masks(), info["action_mask"] == 1)
            action = env.action_space.sample(mask=info["action_mask"])
            observation, _, terminated, _, info = env.step(action)
            if terminated:
                break
        seen.add((env.elements[0], env.elements[2]))
    assert seen == {("F", "Na"), ("Cl", "Na")}
    env.reset()
    with pytest.raises(cg.TaskError) as error:
        env.step(0)
    assert error.value.code == "forbidden_action"


def test_sites_are_allowed_by_element_orbit_and_letter(tmp_path: Path) -> None:
    """On each skeleton those that the name stands for there, whatever their numbers."""
    rutile = cg.Structure(
        [[4.6, 0, 0], [0, 4.6, 0], [0, 0, 2.96]],
        ["O", "Ti", "O", "Ti", "O", "O"],
        [[0.3, 0.3, 0], [0, 0, 0], [0.7, 0.7, 0], [0.5, 0.5, 0.5], [0.2, 0.8, 0.5], [0.8, 0.2, 0.5]],
    )
    half = 4.2 / 2
    salt = cg.Structure(
        [[0, half, half], [half, 0, half], [half, half, 0]], ["Ti", "O"], [[0, 0, 0], [0.5] * 3]
    )
    rutile.to(tmp_path / "rutile.cif")
    salt.to(tmp_path / "salt.vasp")
    own = cg.Skeleton(tmp_path / "rutile.cif")
    assert (own.label, own.source["formula"]) == ("rutile", "TiO2")
    metal = [1, 3]
    # Oracle: International Tables, P4_2/mnm: Ti on 2a, O on 4f.
    for name in ("Ti", "A", "2a", "a"):
        assert own.sites_named(name) == metal == pickle.loads(pickle.dumps(own)).sites_named(name)
        assert own.sites_named({"Ti": "O", "A": "X", "2a": "4f", "a": "f"}[name]) == [0, 2, 4, 5]
    with pytest.raises(cg.StructureError, match=r"no site 'Zr', expected .*Ti \(A\), O \(X\)") as raised:
        own.sites_named("Zr")
    assert raised.value.code == "unknown_site"
    files = [tmp_path / "rutile.cif", tmp_path / "salt.vasp"]
    elements = ["Ti", "Zr", "O", "S"]
    allowed = {"Ti": ["Ti", "Zr"], "X": ["O", "S"]}
    env = cg.CrystalEnv(skeletons=files, elements=elements, allowed=allowed, calculator="rigid")
    seen = set()
    for seed in range(8):
        observation, info = env.reset(seed=seed)
        seen.add(int(observation["skeleton"]))
        terminated = False
        while not terminated:
            action = env.action_space.sample(mask=info["action_mask"])
            observation, _, terminated, _, info = env.step(action)
        for was, now in zip(("O Ti O Ti O O", "Ti O")[int(observation["skeleton"])].split(), env.elements):
            assert now in {"Ti": ("Ti", "Zr"), "O": ("O", "S")}[was]
    assert seen == {0, 1}
    with pytest.raises(cg.TaskError, match="leaves no element on site 1"):
        cg.CrystalEnv(skeletons=own, elements=elements, allowed={"Ti": ["Ti"], "1": ["Zr"]})


def test_skeletons_may_be_objects_and_structures() -> None:
    """Of one's own: a skeleton, pymatgen's and ASE's structures, a file."""
    half = 5.64 / 2
    salt = cg.Structure(
        [[0, half, half], [half, 0, half], [half, half, 0]],
        ["Na", "Cl"],
        [[0, 0, 0], [0.5, 0.5, 0.5]],
    )
    own = cg.Skeleton.from_structure(salt, "rock-salt")
    ways: list[tuple[Any, list[str]]] = [
        (own, ["rock-salt"]),
        ([own, "C2"], ["rock-salt", "C2"]),
        (salt, ["NaCl"]),
        (salt.to_pymatgen(), ["NaCl"]),
        ([salt.to_ase(), "C2"], ["NaCl", "C2"]),
    ]
    for given, labels in ways:
        env = cg.CrystalEnv(skeletons=given, calculator="rigid")
        assert [skeleton.label for skeleton in env.task.skeletons] == labels
        again = pickle.loads(pickle.dumps(env))
        assert [skeleton.label for skeleton in again.task.skeletons] == labels
        env.reset(seed=1, options={"target": 2.0})
        again.reset(seed=1)
        env.step(0)
    mixed = cg.CrystalVectorEnv(
        2, skeletons=[own], env_kwargs=[{}, {"target": 5.0}], calculator="rigid"
    )
    assert [task.skeletons[0].label for task in mixed.tasks] == ["rock-salt"] * 2
    assert cg.Task(mixed.tasks[1].config).target == 5.0


def test_bad_input_is_named() -> None:
    env = cg.CrystalEnv(calculator="empirical")
    env.reset(seed=0)
    wrong = (18, -1, 300, 1.0, "Na", None, True, np.True_, 10**30, 2**63, np.uint64(2**64 - 1))
    for action in (*wrong, np.float64(1)):
        with pytest.raises(cg.TaskError) as error:
            env.step(action)  # type: ignore[arg-type]
        assert error.value.code == "invalid_action"
        # The number that was given, not what 64 bits make of it.
        assert str(action) in str(error.value) or repr(action) in str(error.value)
    with pytest.raises(cg.TaskError, match="shape"):
        env.step(np.array([[1]]))  # type: ignore[arg-type]
    for seed in (-1, 2**64, 1.0, True, "1", np.float64(3)):
        with pytest.raises((TypeError, ValueError), match="seed is"):
            env.reset(seed=seed)  # type: ignore[arg-type]
    for action in (np.int8(1), np.uint64(2), np.array(3)):
        env.reset(seed=np.uint64(2**64 - 1))  # type: ignore[arg-type]
        env.step(action)  # type: ignore[arg-type]
    env.reset(seed=0)
    with pytest.raises(cg.TaskError, match="2 actions, expected 1"):
        env.step(np.array([1, 2]))  # type: ignore[arg-type]
    for _ in range(5):
        env.step(0)
    with pytest.raises(cg.TaskError) as error:
        env.step(0)
    assert error.value.code == "episode_ended"
    with pytest.raises(TypeError, match="colour"):
        cg.CrystalEnv(colour="red", calculator="empirical")
    with pytest.raises(cg.TaskError, match="target"):
        cg.CrystalEnv(target=-1.0, calculator="empirical")
    with pytest.raises(cg.TaskError, match="property"):
        cg.CrystalEnv(property="colour", calculator="empirical")
    with pytest.raises(cg.CalculatorError, match="density only"):
        cg.CrystalEnv("band_gap-C1-easy-small", calculator="rigid")
    with pytest.raises(ValueError, match="'picture'"):
        cg.CrystalEnv(render_mode="picture", calculator="empirical")
    with pytest.raises(ValueError, match="'picture'"):
        cg.CrystalVectorEnv(1, render_mode="picture", calculator="empirical")
    with pytest.raises(ValueError, match="'image'"):
        cg.CrystalEnv(obs="image", calculator="empirical")
    with pytest.raises(ValueError, match="workers is 0"):
        cg.CrystalVectorEnv(1, workers=0, calculator="empirical")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"skeletons": "C9"}, "unknown skeleton 'C9'"),
        ({"skeletons": []}, "skeletons is empty"),
        ({"skeletons": object()}, "object is no structure"),
        ({"actions": "huge"}, "unknown action set 'huge'"),
        ({"elements": ["Xx"]}, "unknown element symbol 'Xx'"),
        ({"elements": ["Na", "Na"]}, "Na stands there twice"),
        ({"elements": []}, "elements is empty"),
        ({"target": float("nan")}, "target is nan, expected a finite number"),
        ({"target": np.float32("nan")}, "nan), expected a finite number"),
        ({"target": True}, "field 'target'"),
        ({"start_site": -1}, "field 'start_site'"),
        ({"start_site": True}, "field 'start_site'"),
        ({"start_site": 10**30}, "start_site is 10000"),
        ({"actions": "small", "elements": ["Na"]}, "actions and elements are both given"),
        ({"target": "high"}, "field 'target'"),
        ({"property": "density", "target": 0.0}, "target is 0, expected a number from 1e-6"),
        ({"target": float("inf")}, "target is inf"),
        ({"target": 1.5}, "target is 1.5 without a property"),
        ({"property": "shear_modulus"}, "target is missing: none was published for shear_modulus"),
        ({"property": "band_gap", "target": "2..1"}, "target is the range 2..1"),
        ({"property": "band_gap", "tolerance": 2.0}, "tolerance is 2, expected a number from 0"),
        ({"task": "no-such-file.toml"}, "no-such-file.toml"),
        ({"start_site": 5}, "start_site is 5, expected 0 to 4"),
        ({"allowed": {9: ["Na"]}}, "no site '9'"),
        ({"allowed": {0: ["U"]}}, "U is not in the action set"),
        ({"allowed": {0: []}}, "allowed.0 is empty"),
        ({"task": "density-C9-easy-small"}, "unknown task 'density-C9-easy-small'"),
        ({"calculator": "vasp"}, "unknown variant `vasp`"),
    ],
)
def test_one_clear_exception_for_wrong_arguments(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(cg.CrystalGymError, match=re.escape(says)) as error:
        cg.CrystalEnv(**{"calculator": "empirical", **changes})
    assert error.value.code != "" and error.value.__cause__ is None
    if "task" not in changes:
        with pytest.raises(cg.CrystalGymError, match=re.escape(says)):
            gym.make("crystalgym/Crystal-v0", **{"calculator": "empirical", **changes})


def test_a_property_brings_its_own_target() -> None:
    """Oracle: the paper's Table 1."""
    for name, target in (("density", 3.0), ("band_gap", 1.12), ("bulk_modulus", 300.0)):
        assert cg.CrystalEnv(property=name, calculator="empirical").task.target == target
    named = "band_gap-C6-hard-medium"
    env = cg.CrystalEnv(named, property="bulk_modulus", calculator="empirical")
    assert (env.task.target, len(env.task.elements)) == (300.0, 30)
    assert cg.CrystalEnv(named, property="band_gap", calculator="empirical").task.target == 2.0
    assert cg.CrystalEnv(named, target=1.5, calculator="empirical").task.property_name == "band_gap"


def test_a_range_is_rewarded_within() -> None:
    """Oracle: the rewards of Table 1 at the distance from the range, by hand."""
    assert cg.reward("band_gap", 1.6, 1.5, tolerance=0.1) == pytest.approx(1.0, abs=1e-15)
    assert cg.reward("band_gap", 2.1, 1.5, tolerance=0.1) == pytest.approx(np.exp(-0.25))
    assert cg.reward("bulk_modulus", 200.0, 300.0, tolerance=50.0) == pytest.approx(-1 / 6)
    with pytest.raises(ValueError, match="tolerance is -1"):
        cg.reward("density", 3.0, 3.0, tolerance=-1.0)
    for written in ([2.0, 4.0], (2.0, 4.0), "2..4"):
        env = cg.CrystalEnv("density-C6-easy-small", target=written, calculator="rigid")
        assert (env.task.target, env.task.tolerance) == (3.0, 1.0)
        assert "target 2 to 4 g/cm³" in repr(env.task)
    observation, _ = env.reset(seed=0)
    assert observation["state"][0] == 3.0
    inside = 0
    for seed in range(10):
        _, info = env.reset(seed=seed)
        env.action_space.seed(seed)
        for _ in range(4):
            *_, reward, terminated, _, info = env.step(env.action_space.sample())
        assert terminated and reward == cg.reward("density", info["value"], 3.0, tolerance=1.0)
        inside += reward == 1.0
    assert 0 < inside < 10
    narrower = cg.CrystalEnv(env.task, target=[2.9, 3.1], calculator="rigid").task
    assert narrower.tolerance == pytest.approx(0.1)
    assert cg.Task(narrower.config).config == narrower.config


def test_a_task_file_is_a_task(examples_folder: Path, tmp_path: Path) -> None:
    path = examples_folder / "02_perovskite_gap.toml"
    env = cg.CrystalEnv(path, calculator="empirical")
    assert env.task.config == cg.CrystalEnv(str(path), calculator="empirical").task.config
    assert (env.task.property_name, env.task.target) == ("band_gap", 1.5)
    assert env.task.tolerance == pytest.approx(0.1)
    assert cg.CrystalEnv(path, property="density", calculator="rigid").task.target == 3.0
    (tmp_path / "empty.toml").write_text("a = 1\n")
    with pytest.raises(cg.TaskError, match=r"no table \[task\]"):
        cg.CrystalEnv(tmp_path / "empty.toml", calculator="empirical")


def test_a_target_can_be_given_for_an_episode() -> None:
    env = cg.CrystalEnv("density-C2-easy-small", calculator="rigid")
    observation, _ = env.reset(seed=0, options={"target": 7.5})
    assert observation["state"][0] == 7.5
    for _ in range(5):
        _, reward, *_ = env.step(0)
    assert reward == pytest.approx(cg.reward("density", env.structure.density, 7.5))


def test_the_actions_of_a_change_are_not_those_of_before() -> None:
    """Oracle: the published action set; elements of the task before would decide alone."""
    own = cg.CrystalEnv(elements=["Na", "K"], calculator="rigid", property="density", target=3.0)
    env = cg.CrystalEnv(own.task, actions="small", calculator="rigid")
    assert len(own.task.elements) == 2 and len(env.task.elements) == 18


def test_rewards_are_of_numbers() -> None:
    for value, target in ((1.0, 0.0), (1.0, -1.0), (1.0, float("nan")), (float("nan"), 1.0)):
        with pytest.raises(ValueError, match="is (nan|NaN|0|-1)"):
            cg.reward("density", value, target)


def test_the_crystal_is_the_latest_finished_one() -> None:
    env = cg.CrystalEnv(calculator="empirical")
    env.reset(seed=0)
    with pytest.raises(cg.TaskError) as error:
        _ = env.structure
    assert error.value.values == {"filled": 0, "sites": 5}
    for _ in range(5):
        env.step(1)
    formula = env.structure.formula
    assert formula == "Na"
    env.reset()
    env.step(3)
    assert env.structure.formula == formula


def test_closing_twice_is_fine() -> None:
    env = cg.CrystalEnv(calculator="empirical")
    env.close()
    env.close()


def test_wrappers_of_gymnasium() -> None:
    from gymnasium.wrappers import FlattenObservation, RecordEpisodeStatistics, TimeLimit

    env = RecordEpisodeStatistics(
        TimeLimit(FlattenObservation(gym.make(IDS[0], calculator="empirical")), 100)
    )
    *_, last = episode(env, 1, np.random.default_rng(0))
    assert last[-1]["episode"]["l"] == 5 or last[-1]["episode"]["l"] > 0
