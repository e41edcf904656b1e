"""A study whose cells sleep and note that they are computed; other processes import it, too."""

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np

from skexplain.studies import Cell, Study, Table, run_study

#: Children are forked from a process that has imported what takes long.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["skexplain.studies", "torch._dynamo"])


class Sleepy(Study):
    """Cells that take their time, and fail where they are told to.

    What stands here and not in the declaration has no part in the results: where executions are
    noted, under which name, and how long they take.
    """

    name = "sleepy"
    title = "Sleep"

    def __init__(self, log, n_seeds=8, *, run="", seconds=0.0, failing=(), setting=0, factor=0):
        self.log = Path(log)
        self.n_seeds = n_seeds
        self.run_name = run
        self.seconds = seconds
        self.failing = failing
        self.setting = setting
        self.factor = factor

    def cells(self, scale):
        n_seeds = self.n_seeds if scale == "quick" else 2 * self.n_seeds
        return [
            Cell({"factor": self.factor, "seed": seed}, {"setting": self.setting})
            for seed in range(n_seeds)
        ]

    def run(self, factors, settings):
        with open(self.log, "a") as file:
            file.write(f"{self.run_name} {factors['seed']} {os.getpid()}\n")
        # The first of two neighbours is the slower one.
        time.sleep(self.seconds * (1.5 - factors["seed"] % 2))
        if factors["seed"] in self.failing:
            raise self.failing[factors["seed"]]
        rng = np.random.default_rng(factors["seed"])
        return [{"row": i, "measure": rng.normal()} for i in range(2)]

    def tables(self, rows):
        body = [(str(row["seed"]), f"{row['measure']:.17g}") for row in rows]
        return [Table(self.title, ("seed", "measure"), body)]

    def executions(self, run=""):
        """Return the seeds that were computed, and the processes."""
        if not self.log.exists():
            return [], set()
        lines = [line.split(" ") for line in self.log.read_text().splitlines()]
        own = [(int(seed), int(process)) for name, seed, process in lines if name == run]
        return [seed for seed, _ in own], {process for _, process in own}


class Searching(Study):
    """Says where it ran; fits a small search, which must stay there."""

    name = "searching"
    title = "Search"

    def cells(self, scale):
        return [Cell({"seed": seed}) for seed in range(4)]

    def run(self, factors, settings):
        import numpy as np
        import threadpoolctl
        import torch
        from joblib import effective_n_jobs
        from sklearn.model_selection import GridSearchCV
        from sklearn.tree import DecisionTreeClassifier

        fitted_in = []

        class Noting(DecisionTreeClassifier):
            def fit(self, X, y):
                fitted_in.append(os.getpid())
                return super().fit(X, y)

        time.sleep(0.3)
        X = np.random.default_rng(factors["seed"]).normal(size=(30, 2))
        search = GridSearchCV(Noting(random_state=0), {"max_depth": [1, 2]}, cv=2)
        search.fit(X, X[:, 0] > X[:, 1])
        pools = threadpoolctl.threadpool_info()
        return [
            {
                "score": search.best_score_,
                "here": fitted_in == [os.getpid()] * 5,
                "jobs": effective_n_jobs(None),
                "threads": max([torch.get_num_threads(), *(p["num_threads"] for p in pools)]),
                "_process": os.getpid(),
            }
        ]


def without_seconds(rows):
    """Drop what differs from run to run."""
    return [{k: v for k, v in row.items() if k != "cell_seconds"} for row in rows]


def run_into(study, folder, n_jobs):
    """Run a study, as the target of a process."""
    run_study(study, folder=folder, n_jobs=n_jobs)


def hold_lock(store, is_held):
    """Hold the lock of a store until killed, as the target of a process."""
    with store.lock():
        is_held.set()
        time.sleep(600)
