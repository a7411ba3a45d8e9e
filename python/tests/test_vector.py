"""The vector environment against single ones, in all modes of starting anew."""

from __future__ import annotations

import copy
import pickle
import re
import time
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import crystalgym as cg

TASK = "density-mixed-easy-small"


def sync_env(count: int, mode: AutoresetMode, obs: str = "dict") -> SyncVectorEnv:
    return SyncVectorEnv(
        [lambda: cg.CrystalEnv(TASK, obs=obs, calculator="empirical")] * count, autoreset_mode=mode
    )


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("obs", ["dict", "graph"])
def test_it_goes_the_way_of_gymnasiums_own(mode: AutoresetMode, obs: str) -> None:
    """Oracle: SyncVectorEnv over single environments: observations, rewards, ends and infos."""
    ours = cg.CrystalVectorEnv(4, TASK, autoreset_mode=mode, obs=obs, calculator="empirical")
    theirs = sync_env(4, mode, obs)
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.observation_space == theirs.observation_space
    rng = np.random.default_rng(0)
    a, b = ours.reset(seed=3), theirs.reset(seed=3)
    for _ in range(60):
        assert data_equivalence(a[0], b[0], exact=True)
        assert ours.observation_space.contains(a[0])
        assert_same_infos(a[-1], b[-1])
        actions = rng.integers(0, 18, 4)
        a, b = ours.step(actions), theirs.step(actions)
        for mine, other in zip(a[1:4], b[1:4]):
            assert np.array_equal(mine, other) and mine.dtype == other.dtype
        if mode == AutoresetMode.DISABLED and a[2].any():
            assert data_equivalence(a[0], b[0], exact=True)
            a = ours.reset(options={"reset_mask": a[2].copy()})
            b = theirs.reset(options={"reset_mask": b[2].copy()})
            # SyncVectorEnv says nothing of the environments that were not reset.
            a[-1]["action_mask"][~a[-1]["_action_mask"]] = 0
            a[-1]["start_site"][~a[-1]["_start_site"]] = 0


def assert_same_infos(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert set(ours) == set(theirs)
    for key, value in ours.items():
        if key == "final_info":
            # There, masks of the step stand inside too.
            assert_same_infos(value, {k: v for k, v in theirs[key].items() if k in value})
        elif key == "final_obs":
            assert data_equivalence(list(value), list(theirs[key]), exact=True)
        elif key in ("value", "start_value"):
            # NaN where an environment says nothing, in place of Gymnasium's 0.
            said = theirs[f"_{key}"]
            assert np.array_equal(value[said], theirs[key][said], equal_nan=True), key
            assert np.isnan(value[~said]).all(), key
        else:
            assert np.array_equal(value, theirs[key]), key


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_each_end_is_delivered_once(mode: AutoresetMode) -> None:
    """Oracle: rewards recomputed from the crystals that the actions make."""
    envs = cg.CrystalVectorEnv(3, TASK, autoreset_mode=mode, calculator="rigid")
    rng = np.random.default_rng(1)
    observations, _ = envs.reset(seed=5)
    ends, resets = 0, 0
    previous_end = np.zeros(3, dtype=bool)
    for _ in range(100):
        before = observations
        actions = rng.integers(0, 18, 3)
        observations, rewards, terminated, truncated, info = envs.step(actions)
        assert not truncated.any()
        for i in range(3):
            if mode == AutoresetMode.NEXT_STEP and previous_end[i]:
                resets += 1
                assert rewards[i] == 0 and not terminated[i]
                assert observations["state"][i, 1] == 0
                continue
            nodes, n = before["nodes"][i].copy(), int(before["node_mask"][i].sum())
            nodes[before["focus"][i]] = actions[i]
            full = (nodes[:n] < 18).all()
            assert terminated[i] == full
            if not full:
                assert rewards[i] == 0
                continue
            ends += 1
            task = envs.tasks[i]
            skeleton = task.skeletons[before["skeleton"][i]]
            crystal = skeleton.fill([task.elements[node] for node in nodes[:n]])
            expected = cg.reward("density", crystal.structure.density, 3.0)
            assert rewards[i] == pytest.approx(expected, rel=1e-12)
            if mode == AutoresetMode.SAME_STEP:
                assert np.array_equal(info["final_obs"][i]["nodes"], nodes)
                assert info["final_info"]["formula"][i] == crystal.formula
                assert observations["state"][i, 1] == 0
            else:
                assert np.array_equal(observations["nodes"][i], nodes)
                assert info["formula"][i] == crystal.formula
        previous_end = terminated
        if mode == AutoresetMode.DISABLED and terminated.any():
            observations, _ = envs.reset(options={"reset_mask": terminated})
    assert ends > 40
    assert (resets > 0) == (mode == AutoresetMode.NEXT_STEP)


def test_a_step_without_reset_is_refused_where_nothing_resets() -> None:
    envs = cg.CrystalVectorEnv(
        1, "density-C6-easy-small", autoreset_mode="Disabled", calculator="empirical"
    )
    envs.reset(seed=0)
    for _ in range(4):
        envs.step(np.zeros(1, dtype=np.int64))
    with pytest.raises(cg.TaskError) as error:
        envs.step(np.zeros(1, dtype=np.int64))
    assert error.value.code == "episode_ended"


def test_make_vec_uses_it() -> None:
    envs = gym.make_vec("crystalgym/BandGap-C1-v0", num_envs=8, calculator="empirical")
    assert isinstance(envs, cg.CrystalVectorEnv)
    observations, info = envs.reset(seed=[8, 7, 6, 5, 4, 3, 2, 1])
    assert observations["nodes"].shape == (8, 5) and info["action_mask"].shape == (8, 18)
    assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    envs.step(envs.action_space.sample())
    envs.close()
    envs.close()


@pytest.mark.parametrize("mode", ["vector_entry_point", "sync", "async"])
@pytest.mark.parametrize("obs", ["dict", "graph"])
def test_make_vec_goes_the_same_way_in_all_its_modes(mode: str, obs: str) -> None:
    """Oracle: one mode for the other; `async` hands observations over in shared memory, where they
    are arrays."""
    options = {"obs": obs, "calculator": "rigid"}
    if mode == "async":
        options_of_mode = {"shared_memory": obs == "dict"}
    else:
        options_of_mode = {}
    envs = gym.make_vec(
        "crystalgym:crystalgym/Density-Mixed-v0",
        num_envs=2,
        vectorization_mode=mode,
        vector_kwargs=options_of_mode,
        **options,
    )
    single = [cg.CrystalEnv("density-mixed-easy-small", **options) for _ in range(2)]
    observations, _ = envs.reset(seed=4)
    for i, env in enumerate(single):
        assert_same_row(observations, i, env.reset(seed=4 + i)[0])
    rng = np.random.default_rng(2)
    for _ in range(3):
        actions = rng.integers(0, 18, 2)
        observations, rewards, *_ = envs.step(actions)
        for i, env in enumerate(single):
            observation, reward, *_ = env.step(actions[i])
            assert_same_row(observations, i, observation)
            assert rewards[i] == reward
    envs.close()


def assert_same_row(batch: dict[str, Any], row: int, single: dict[str, Any]) -> None:
    for key, value in single.items():
        assert data_equivalence(batch[key][row], value, exact=True), key


def test_wrappers_of_vector_environments() -> None:
    from gymnasium.wrappers.vector import NormalizeReward, RecordEpisodeStatistics

    envs = NormalizeReward(
        RecordEpisodeStatistics(cg.CrystalVectorEnv(3, "density-C6-easy-small", calculator="rigid"))
    )
    envs.reset(seed=0)
    for _ in range(4):
        *_, terminated, _, info = envs.step(np.full(3, 2))
    assert terminated.all() and info["episode"]["l"].tolist() == [4, 4, 4]
    assert (info["episode"]["r"] > 0).all()


def test_vector_environments_are_picklable() -> None:
    for mode in AutoresetMode:
        envs = cg.CrystalVectorEnv(3, TASK, calculator="empirical", autoreset_mode=mode, obs="graph")
        envs.reset(seed=2)
        envs.step(np.array([1, 2, 3]))
        again = pickle.loads(pickle.dumps(envs))
        copied = copy.deepcopy(envs)
        for other in (again, copied):
            # The original is left where it is.
            expected = copy.deepcopy(envs).step(np.full(3, 4))
            assert data_equivalence(other.step(np.full(3, 4)), expected, exact=True)


def test_environments_may_differ() -> None:
    kwargs = [{"target": 3.0}, {"target": 8.0, "skeletons": "C6"}, {"skeletons": ["C3", "C7"]}]
    envs = cg.CrystalVectorEnv(
        3, "density-C2-easy-small", env_kwargs=kwargs, calculator="empirical"
    )
    observations, _ = envs.reset(seed=0)
    assert observations["state"][:, 0].tolist() == [3, 8, 3]
    assert observations["node_mask"].sum(axis=1)[1] == 4
    assert envs.observation_space.contains(observations)
    with pytest.raises(ValueError, match="expected 3"):
        cg.CrystalVectorEnv(3, env_kwargs=kwargs[:2], calculator="empirical")
    with pytest.raises(ValueError, match="18 and 30"):
        cg.CrystalVectorEnv(2, env_kwargs=[{}, {"actions": "medium"}], calculator="empirical")


def test_bad_actions_move_nothing() -> None:
    envs = cg.CrystalVectorEnv(2, TASK, calculator="empirical")
    envs.reset(seed=0)
    state = envs.get_state()
    for actions in ([0, 18], [0], [0, 1, 2], [0.0, 1.0]):
        with pytest.raises(cg.TaskError):
            envs.step(np.array(actions))
        assert envs.get_state() == state


def slow_density(structure: cg.Structure, property: str) -> float:
    """Heavy crystals take longer."""
    time.sleep(0.02 if structure.density < 3 else 0.1)
    return structure.density


def test_late_rewards_come_in_any_order_and_once() -> None:
    envs = cg.CrystalVectorEnv(
        8,
        "density-C6-easy-small",
        calculator=slow_density,
        workers=4,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    envs.reset(seed=0)
    rng = np.random.default_rng(0)
    envs.send(rng.integers(0, 18, 8))
    delivered, steps = np.zeros(8, dtype=int), np.zeros(8, dtype=int)
    orders: list[list[int]] = []
    while delivered.min() < 3:
        observations, rewards, terminated, _, info = envs.recv(2)
        ids = info["env_id"]
        assert len(ids) == len(rewards) == len(observations["focus"]) == 2
        steps[ids] += 1
        # A fourth step of each is an end, no other is.
        assert np.array_equal(terminated, steps[ids] % 4 == 0)
        delivered[ids[terminated]] += 1
        for row in np.flatnonzero(terminated):
            final = info["final_obs"][row]
            elements = [envs.tasks[0].elements[node] for node in final["nodes"]]
            density = cg.Skeleton("C6").fill(elements).structure.density
            assert rewards[row] == pytest.approx(cg.reward("density", density, 3.0))
        orders.append(ids.tolist())
        envs.send(rng.integers(0, 18, 2), ids)
    assert len({tuple(order) for order in orders}) > 4
    while envs.pending:
        envs.recv(1)
    with pytest.raises(ValueError, match="0 under way"):
        envs.recv()
    envs.close()


@pytest.mark.parametrize("process", ["filling", "substitution"])
def test_info_says_which_sites_are_to_come(process: str) -> None:
    """Oracle: the site in focus at every later step, with rewards that come in any order."""

    def later(structure: cg.Structure, property: str) -> float:
        time.sleep(len(structure.formula) % 3 * 1e-3)
        return structure.density

    envs = cg.CrystalVectorEnv(
        4, TASK, process=process, calculator=later, workers=2, autoreset_mode="SameStep"
    )
    observations, info = envs.reset(seed=5)
    orders: list[list[int]] = [[]] * 4
    skeletons = [skeleton.graph for skeleton in envs.tasks[0].skeletons]
    ids, rng, starts = np.arange(4), np.random.default_rng(2), set()
    envs.send(np.zeros(4, dtype=np.int64))
    steps = np.zeros(4, dtype=np.int64)
    for _ in range(200):
        for row, i in enumerate(ids):
            start = int(info["start_site"][row])
            if steps[i] == 0:
                orders[i] = skeletons[observations["skeleton"][row]].breadth_first(start)
                starts.add(start)
            assert orders[i] == skeletons[observations["skeleton"][row]].breadth_first(start)
            assert observations["focus"][row] == orders[i][steps[i]]
        observations, _, terminated, _, info = envs.recv(2)
        ids = info["env_id"]
        steps[ids] = np.where(terminated, 0, steps[ids] + 1)
        envs.send(rng.integers(0, 18, len(ids)), ids)
    assert len(starts) > 4, starts
    envs.close()


def test_a_step_under_way_cannot_be_taken_twice() -> None:
    envs = cg.CrystalVectorEnv(2, TASK, calculator="empirical")
    envs.reset(seed=0)
    with pytest.raises(cg.TaskError, match="environment 1 has a step under way"):
        envs.send(np.zeros(2, dtype=np.int64), [1, 1])
    assert envs.pending == 0
    envs.send(np.zeros(2, dtype=np.int64))
    with pytest.raises(cg.TaskError, match="under way"):
        envs.send(np.zeros(1, dtype=np.int64), [1])
    with pytest.raises(RuntimeError, match="under way"):
        envs.get_state()
    envs.recv()
    envs.step(np.zeros(2, dtype=np.int64))


def test_a_state_goes_on_as_it_would_have() -> None:
    envs, other = (cg.CrystalVectorEnv(4, TASK, calculator="empirical") for _ in range(2))
    envs.reset(seed=0)
    envs.step(np.full(4, 3))
    other.set_state(envs.get_state())
    for action in range(18):
        a, b = envs.step(np.full(4, action)), other.step(np.full(4, action))
        assert data_equivalence(a[:-1], b[:-1], exact=True)
        assert_same_infos(a[-1], b[-1])


def test_options_of_reset_are_those_of_single_environments() -> None:
    """Oracle: single environments with the same options and seeds, step by step."""
    for given, each in ((7.5, [7.5] * 3), ([2.0, 5.5, np.float32(8.0)], [2.0, 5.5, 8.0])):
        envs = cg.CrystalVectorEnv(3, TASK, calculator="rigid", autoreset_mode="SameStep")
        singles = [cg.CrystalEnv(TASK, calculator="rigid") for _ in range(3)]
        envs.reset(seed=9)
        observations, _ = envs.reset(seed=2, options={"target": given})
        assert [task.target for task in envs.tasks] == each
        for i, (env, target) in enumerate(zip(singles, each)):
            env.reset(seed=9 + i)
            assert_same_row(observations, i, env.reset(seed=2 + i, options={"target": target})[0])
        ended = np.zeros(3, dtype=bool)
        while not ended.all():
            _, rewards, terminated, *_ = envs.step(np.full(3, 4))
            for i, env in enumerate(singles):
                if not ended[i]:
                    assert env.step(4)[1] == rewards[i]
            ended |= terminated
        # From that episode on.
        assert envs.step(np.full(3, 4))[0]["state"][:, 0].tolist() == each
    envs = cg.CrystalVectorEnv(3, TASK, calculator="rigid")
    envs.reset(seed=1)
    mask = np.array([False, True, False])
    observations, _ = envs.reset(options={"target": 6.0, "reset_mask": mask})
    assert observations["state"][:, 0].tolist() == [3.0, 6.0, 3.0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"goal": 1}, "unknown option 'goal', expected 'target' or 'skeleton' or 'reset_mask'"),
        ({"skeleton": "C1"}, "skeleton is 'C1', expected one of C2, C3, C6, C7, C4 or 0 to 4"),
        ({"skeleton": 5}, "skeleton is 5"),
        ({"skeleton": True}, "skeleton is True"),
        ({"skeleton": ["C2", "C3"]}, "skeleton is 2 values, expected one or 3 of them"),
        ({3: 1}, "unknown option 3"),
        ({"target": -1.0}, "target is -1"),
        ({"target": float("nan")}, "target is nan"),
        ({"target": None}, "target is None"),
        ({"target": "high"}, "field 'target'"),
        ({"target": True}, "field 'target'"),
        ({"target": [1.0, 2.0]}, "target is 2 values, expected a positive number, or 3 of them"),
        ({"target": [1.0, None, 2.0]}, "target holds None"),
        ({"target": np.ones(4)}, "4 values"),
        ({"reset_mask": np.zeros(3, dtype=bool)}, "at least one True"),
        ({"reset_mask": [1, 0, 1]}, "expected (3,) and bool"),
    ],
)
def test_wrong_options_are_named_and_change_nothing(options: dict[Any, Any], says: str) -> None:
    envs = cg.CrystalVectorEnv(3, TASK, calculator="rigid")
    envs.reset(seed=0)
    state, tasks = envs.get_state(), list(envs.tasks)
    with pytest.raises(ValueError, match=re.escape(says)):
        envs.reset(seed=5, options=options)
    assert envs.get_state() == state and envs.tasks == tasks


def test_episodes_have_the_skeletons_that_are_asked_for() -> None:
    """The same with one environment and with many; without the option they are drawn."""
    labels = ["C2", "C3", "C6", "C7", "C4"]
    single = cg.CrystalEnv(TASK, calculator="rigid")
    envs = cg.CrystalVectorEnv(3, TASK, calculator="rigid")
    for number, label in enumerate(labels):
        for said in (label, number, np.int64(number)):
            observation, _ = single.reset(seed=4, options={"skeleton": said, "target": 2.0})
            assert single.task.skeletons[int(observation["skeleton"])].label == label
            observations, _ = envs.reset(seed=4, options={"skeleton": [None, said, "C6"]})
            assert observations["skeleton"][1:].tolist() == [number, 2]
    drawn = {int(single.reset(seed=seed)[0]["skeleton"]) for seed in range(40)}
    assert drawn == set(range(5))
    alone = cg.CrystalVectorEnv(3, TASK, calculator="rigid").reset(seed=4)[0]["skeleton"]
    assert observations["skeleton"][0] == alone[0]


def test_specs_say_how_long_episodes_are() -> None:
    assert gym.spec("crystalgym/Density-C2-v0").max_episode_steps == 6
    assert gym.spec("crystalgym/BandGap-Mixed-Hard-Large-v0").max_episode_steps == 9
    env = gym.make("crystalgym/Density-C2-v0", calculator="rigid")
    env.reset(seed=1)
    for _ in range(5):
        _, _, terminated, truncated, _ = env.step(0)
    assert terminated and not truncated
    with pytest.raises(ValueError, match="max_episode_steps is 4, expected at least 5"):
        cg.CrystalVectorEnv(2, "density-C2-easy-small", calculator="rigid", max_episode_steps=4)


def test_options_pass_through_make_vec_and_wrappers() -> None:
    from gymnasium.wrappers.vector import RecordEpisodeStatistics

    for mode in ("vector_entry_point", "sync"):
        made = gym.make_vec(
            "crystalgym/Density-C2-v0", num_envs=2, vectorization_mode=mode, calculator="rigid"
        )
        envs = RecordEpisodeStatistics(made)
        observations, _ = envs.reset(seed=0, options={"target": 7.5})
        assert observations["state"][:, 0].tolist() == [7.5, 7.5]
        with pytest.raises(cg.TaskError, match="unknown option 'goal'"):
            envs.reset(options={"goal": 1})


def test_whole_numbers_are_never_rounded_or_wrapped() -> None:
    envs = cg.CrystalVectorEnv(3, TASK, calculator="rigid")
    envs.reset(seed=0)
    state = envs.get_state()
    for seed in (-1, 2**64 - 2, 1.5, True, [1, 2, 2.5], [1, 2, -1], [1, 2], [True, 1, 2], "123"):
        with pytest.raises((TypeError, ValueError), match="seed"):
            envs.reset(seed=seed)  # type: ignore[arg-type]
        assert envs.get_state() == state
    envs.reset(seed=[np.int64(1), None, 2**64 - 1])  # type: ignore[list-item]
    for actions in (np.zeros((3, 1), dtype=int), np.array([0, 0, 2**63], dtype=np.uint64), [0, 0, True + 0.0]):
        with pytest.raises(cg.TaskError):
            envs.step(actions)
    for ids in ([0.7], [True, False, True], [[0]]):
        with pytest.raises((TypeError, ValueError), match="env_ids"):
            envs.send(np.zeros(len(ids), dtype=np.int64), ids)
    for ids in ([-1], [3]):
        with pytest.raises(cg.TaskError, match=f"environment {ids[0]}: expected 0 to 2"):
            envs.send(np.zeros(1, dtype=np.int64), ids)
    for name, wrong in (("num_envs", 2.0), ("num_envs", True), ("workers", -1), ("workers", 1.5)):
        with pytest.raises((TypeError, ValueError), match=f"{name} is"):
            cg.CrystalVectorEnv(**{"num_envs": 1, "calculator": "rigid", name: wrong})
    envs.send(np.zeros(3, dtype=np.int64))
    for size in (0, 4, 1.0, True):
        with pytest.raises((TypeError, ValueError)):
            envs.recv(size)  # type: ignore[arg-type]
    envs.recv()
    with pytest.raises(TypeError, match="unexpected argument 'timeout'"):
        envs.close(timeout=3)


def test_a_list_with_gaps_draws_the_missing_seeds() -> None:
    """A seed that is not given is random, as in SyncVectorEnv, and not always the same."""
    seen = set()
    for _ in range(4):
        envs = cg.CrystalVectorEnv(2, TASK, calculator="rigid")
        envs.reset(seed=[1, None])
        seen.add(envs.get_state())
    assert len(seen) > 1


def test_differences_come_as_from_single_environments() -> None:
    arguments: dict[str, Any] = {
        "task": "density-mixed-easy-small",
        "process": "improvement",
        "reward_form": "difference",
        "steps": 3,
        "calculator": "empirical",
    }
    envs = cg.CrystalVectorEnv(3, autoreset_mode="SameStep", **arguments)
    singles = [cg.CrystalEnv(**arguments) for _ in range(3)]
    _, info = envs.reset(seed=7)
    expected = [env.reset(seed=7 + i)[1] for i, env in enumerate(singles)]
    masks = info["action_mask"]
    assert (masks == [one["action_mask"] for one in expected]).all()
    rng = np.random.default_rng(2)
    for _ in range(3):
        actions = [int(rng.choice(np.flatnonzero(mask))) for mask in masks]
        _, rewards, terminated, _, info = envs.step(np.array(actions))
        steps = [env.step(action) for env, action in zip(singles, actions)]
        assert rewards.tolist() == [step[1] for step in steps]
        masks = info["action_mask"]
    assert terminated.all() and (rewards != 0).all()
    said = info["final_info"]
    for i, step in enumerate(steps):
        for key in ("value", "start_value", "formula", "start_formula"):
            assert said[key][i] == step[4][key] and said[f"_{key}"][i]
