#!/usr/bin/env python3
"""Recomputes the tables of a benchmark report from the raw files of its jobs and compares.

    python3 recompute_tables.py FOLDER

FOLDER is that of the benchmark; its report/ must be up to date. Uses the standard library alone and
none of the program's code. Ends with status 1 and a line for each number that differs.
"""

import csv
import json
import pathlib
import re
import sys
from collections import defaultdict

SEARCHES = {"random_search", "genetic", "local_search"}
FAILURE_RETURN = {"density": -1.0, "band_gap": -1.0, "bulk_modulus": -5.0}


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_jobs(folder):
    left_out = {pathlib.Path(row["folder"]).name for row in rows_of(folder / "report" / "left_out.csv")}
    jobs = []
    for job_folder in sorted((folder / "jobs").iterdir()):
        if job_folder.is_dir() and job_folder.name not in left_out:
            job = json.loads((job_folder / "job.json").read_text(encoding="utf-8"))
            job["episodes"] = rows_of(job_folder / "run" / "episodes.csv")
            job["rollouts"] = rows_of(job_folder / "evaluation.csv")
            jobs.append(job)
    return jobs


def mean(values):
    return sum(values) / len(values)


def returns(rows):
    return [float(row["episodic_return"]) for row in rows]


def rollout_mean(job, mode, held_out):
    chosen = [r for r in job["rollouts"] if r["mode"] == mode and r["held_out"] == held_out]
    return mean(returns(chosen)) if chosen else None


def area(job):
    """docs/benchmark.md, "Area under the learning curve": the rows of one step are an arrival."""
    arrivals = defaultdict(list)
    for row in job["episodes"]:
        arrivals[int(row["step"])].append(float(row["episodic_return"]))
    steps = sorted(arrivals)
    widths = [step - before for step, before in zip(steps, [0] + steps)]
    heights = [mean(arrivals[step]) - FAILURE_RETURN[job["property"]] for step in steps]
    return sum(width * height for width, height in zip(widths, heights))


def interquartile_mean(values):
    """The middle half of the values written four times each, so that quartiles fall between two."""
    fourfold = sorted(values * 4)
    return mean(fourfold[len(values) : 3 * len(values)])


def group_by(jobs, *keys):
    groups = defaultdict(list)
    for job in jobs:
        groups[tuple(job[key] for key in keys)].append(job)
    return groups


def policies(jobs):
    return [job for job in jobs if job["algorithm"] not in SEARCHES]


def searches(jobs):
    return [job for job in jobs if job["algorithm"] in SEARCHES]


def performance(jobs, greedy="greedy policy", sampled="sampled policy"):
    table = {}
    for key, group in group_by(jobs, "experiment", "property", "skeletons", "algorithm").items():
        columns = {
            greedy: [rollout_mean(job, "greedy", "false") for job in group],
            sampled: [rollout_mean(job, "sampled", "false") for job in group],
            "held out": [rollout_mean(job, "greedy", "true") for job in group],
            "last": [mean(returns(job["episodes"])[-100:]) for job in group],
            "best": [max(returns(job["episodes"])) for job in group],
            "area": [area(job) for job in group],
        }
        row = {"seeds": [len(group)]}
        for name, values in columns.items():
            values = [value for value in values if value is not None]
            row[name] = [mean(values), min(values), max(values)] if len(values) > 1 else values
        distinct = [len({(r["skeleton"], r["elements"]) for r in job["rollouts"]}) for job in group]
        row["distinct"] = [sum(distinct), sum(len(job["rollouts"]) for job in group)]
        table[key] = row
    return table


def interquartile(jobs):
    table = {}
    for key, group in group_by(jobs, "experiment", "property", "algorithm").items():
        values = [rollout_mean(job, "greedy", "false") for job in group]
        table[key] = {"jobs": [len(values)], "mean": [interquartile_mean(values)]}
    return table


def performance_of_searches(jobs):
    return performance(searches(jobs), greedy="best find", sampled="as it searches")


def calculations(jobs):
    table = {}
    for key, group in group_by(jobs, "property", "skeletons").items():
        episodes = [row for job in group for row in job["episodes"]]
        computed = [row for row in episodes if row["source"] == "computed"]
        seconds = [float(row["calculation_seconds"]) for row in computed]
        table[key] = {
            "episodes": [len(episodes)],
            "calculations": [len(computed)],
            "seconds": [mean(seconds)] if seconds else [],
        }
    return table


def failures(jobs):
    table = {}
    for (name, algorithm), group in group_by(jobs, "property", "algorithm").items():
        episodes = [row for job in group for row in job["episodes"]]
        for code in {row["failure"] for row in episodes} - {""}:
            count = sum(row["failure"] == code for row in episodes)
            share = 100.0 * count / len(episodes)
            table[name, algorithm, code] = {"episodes": [count], "share": [share]}
    return table


def failures_by_element(jobs):
    table = {}
    for (name,), group in group_by(jobs, "property").items():
        counts = defaultdict(lambda: [0, 0])
        for job in group:
            for row in job["episodes"]:
                for element in set(row["elements"].split()):
                    counts[element][0] += 1
                    counts[element][1] += row["failure"] != ""
        for element, (episodes, failed) in counts.items():
            share = 100.0 * failed / episodes
            table[name, element] = {"episodes": [episodes], "failed": [failed], "share": [share]}
    return table


def beside_the_paper(jobs):
    table = {}
    for (name,), group in group_by(jobs, "property").items():
        episodes = [row for job in group for row in job["episodes"]]
        seconds = [float(row["calculation_seconds"]) for row in episodes if row["source"] == "computed"]
        failed = sum(row["failure"] != "" for row in episodes)
        distinct = sum(len({(r["skeleton"], r["elements"]) for r in job["rollouts"]}) for job in group)
        rollouts = sum(len(job["rollouts"]) for job in group)
        table[(name,)] = {
            "seconds": [mean(seconds)] if seconds else [],
            "failures": [100.0 * failed / len(episodes)],
            "distinct": [100.0 * distinct / rollouts],
        }
    return table


TABLES = {
    "performance": (lambda jobs: performance(policies(jobs)), ["experiment", "property", "skeletons", "algorithm"]),
    "searches": (performance_of_searches, ["experiment", "property", "skeletons", "algorithm"]),
    "interquartile_mean": (lambda jobs: interquartile(policies(jobs)), ["experiment", "property", "algorithm"]),
    "interquartile_mean_searches": (
        lambda jobs: interquartile(searches(jobs)),
        ["experiment", "property", "algorithm"],
    ),
    "calculations": (calculations, ["property", "skeletons"]),
    "beside_the_paper": (beside_the_paper, ["property"]),
    "failures": (failures, ["property", "algorithm", "code"]),
    "failures_by_element": (failures_by_element, ["property", "element"]),
}


def agree(cell, expected):
    """Whether a cell shows the numbers, each within half a unit of its last digit."""
    shown = re.findall(r"-?\d+(?:\.\d+)?", cell)
    if len(shown) != len(expected):
        return False
    for text, value in zip(shown, expected):
        digits = len(text.partition(".")[2])
        if abs(float(text) - value) > 0.5001 * 10.0**-digits:
            return False
    return True


def main():
    folder = pathlib.Path(sys.argv[1])
    jobs = read_jobs(folder)
    numbers, wrong = 0, []
    for name, (recompute, keys) in TABLES.items():
        expected = recompute(jobs)
        path = folder / "report" / f"{name}.csv"
        if not expected and not path.exists():
            continue
        shown = {tuple(row[key] for key in keys): row for row in rows_of(path)}
        for key in expected.keys() ^ shown.keys():
            wrong.append(f"{name}: row {key} is on one side only")
        for key in expected.keys() & shown.keys():
            for column, values in expected[key].items():
                numbers += len(values)
                if not agree(shown[key][column], values):
                    wrong.append(f"{name}, {key}, {column}: {shown[key][column]!r}, recomputed {values}")
    for line in wrong:
        print(line)
    print(f"{len(jobs)} jobs, {numbers} numbers recomputed, {len(wrong)} differences")
    return 1 if wrong or not numbers else 0


if __name__ == "__main__":
    sys.exit(main())
