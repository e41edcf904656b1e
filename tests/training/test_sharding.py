"""Check that one network trained by several processes is the one that one process trains."""

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import _sharded_fits
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from _sharded_fits import ERRORS, FITS, SHORT, fit, images, table, texts
from skorch.callbacks import Checkpoint, TrainEndCheckpoint
from torch import nn

from skexplain import ERMClassifier, ExplanationClassifier, GradRegClassifier, SwapExClassifier
from skexplain.estimators import _devices
from skexplain.model_selection import fit_seeds
from skexplain.penalties import Penalty
from skexplain.training import _processes, _trainer
from skexplain.training._processes import Processes, join_processes

pytest.importorskip("accelerate", reason="accelerate shares a fit between processes")

# The others are slow tests.
QUICK = ["swap", "PGD-Ex", "Grad-Reg", "two-stage", "batch norm and dropout", "state of the first"]
SCRIPT = Path(_sharded_fits.__file__)


def run(folder, names, count=2):
    """Run fits in several processes on the CPU, and return the results of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    shared |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "LOCAL_WORLD_SIZE": str(count)}
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(folder), *names]
    running = []
    try:
        for rank in map(str, range(count)):
            environment = {**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank}
            running.append(subprocess.Popen(command, env=environment, cwd=folder))
        assert [process.wait(timeout=400) for process in running] == [0] * count
    finally:
        for process in running:
            process.kill()
    return [pickle.loads(Path(folder, f"{rank}.pickle").read_bytes()) for rank in range(count)]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    return run(tmp_path_factory.mktemp("two"), [*QUICK, *ERRORS])


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    return run(tmp_path_factory.mktemp("two"), sorted({*FITS}.difference(QUICK)))


# Batches of 16 and a last one of three leave one process of three a part that is no sample's own.
IN_THREE = ["swap", "PGD-Ex", "batch norm and dropout", "early stopping", "one by one"]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return run(tmp_path_factory.mktemp("three"), IN_THREE, count=3)


def check(results, name):
    first, *others = (of_process[name] for of_process in results)
    for other in others:
        np.testing.assert_array_equal(first["weights"], other["weights"])
        assert first["history"] == other["history"]
    # One process on the whole batches, from the seed that the processes have agreed on.
    alone = fit(name, device="cpu", random_state=first["root"])
    np.testing.assert_allclose(first["weights"], alone["weights"], rtol=0, atol=5e-6)
    np.testing.assert_array_equal(first["predicted"], alone["predicted"])
    for row, expected in zip(first["history"], alone["history"], strict=True):
        assert row.keys() == expected.keys()
        assert row.pop("batches") == expected.pop("batches")
        for key, value in row.items():
            assert value == pytest.approx(expected[key], rel=1e-5, abs=2e-6), key


@pytest.mark.parametrize("name", QUICK)
def test_two_processes_train_what_one_trains(quick, name):
    check(quick, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*FITS}.difference(QUICK)))
def test_two_processes_train_what_one_trains_by_all_methods(others, name):
    check(others, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_THREE)
def test_three_processes_train_what_one_trains(three, name):
    check(three, name)


def test_two_processes_raise_one_error(quick):
    for of_process in quick:
        assert "module must treat samples one by one" in of_process["attention with dropout"]
        assert of_process["other data"].startswith("X must be the same in all 2 processes")
        assert of_process["other network"].startswith("module must be the same network in all 2")


def test_fits_of_one_process_are_as_without_accelerate():
    one, other = fit("Grad-Reg"), fit("Grad-Reg", device="cpu")
    np.testing.assert_array_equal(one["weights"], other["weights"])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_parts_are_all_samples_in_order(count):
    for n_samples in range(1, 12):
        every = [Processes(index, count) for index in range(count)]
        parts = [process.part(n_samples, torch.device("cpu")) for process in every]
        assert len({len(part) for part in parts}) == 1
        assert torch.cat(parts)[:n_samples].tolist() == list(range(n_samples))
        assert sum(process.n_own(n_samples) for process in every) == n_samples


class Twins(Processes):
    """Two processes of which the other always says what this one says."""

    def gather_objects(self, value):
        return [value, value]

    def copy_first(self, tensors, device):
        pass


@pytest.fixture(params=[0, 1])
def twin(request, monkeypatch):
    """One of two processes, each of which computes the whole batch."""
    twins = Twins(request.param, 2)
    monkeypatch.setattr(_devices, "join_processes", lambda: (torch.device("cpu"), twins))
    monkeypatch.setattr(_trainer, "shard", lambda objective, *others: objective)
    return twins


class Own(Penalty):
    def __call__(self, module, rows, donors=None, generator=None):
        return module(rows.x).square().sum(1)


class WithoutStatistics(nn.Sequential):
    def __init__(self, n_outputs):
        norm = nn.BatchNorm1d(6, track_running_stats=False)
        super().__init__(norm, nn.Linear(6, n_outputs))


@pytest.mark.parametrize(
    ("estimator", "data", "words"),
    [
        (ExplanationClassifier(penalties=[("own", Own())]), table, "penalties must be such"),
        (ERMClassifier(compile=True), table, "compile must be False"),
        (ERMClassifier(WithoutStatistics), table, "BatchNorm1d at '0'"),
        (GradRegClassifier(_sharded_fits.Reader), texts, "penalties of tokens must be such"),
    ],
)
def test_what_cannot_be_shared_is_an_error(monkeypatch, estimator, data, words):
    twins = torch.device("cpu"), Twins(0, 2)
    monkeypatch.setattr(_devices, "join_processes", lambda: twins)
    X, y, mask = data()
    with pytest.raises(ValueError, match=words):
        estimator.set_params(**SHORT).fit(X, y, mask=mask)
    assert not hasattr(estimator, "trainer_")


class Different(Processes):
    """Two processes of which the other has other values under some names."""

    def gather_objects(self, value):
        return [value, {**value, "mask": "another", "lr": "another"}]


def test_an_error_names_what_processes_have_different():
    with pytest.raises(ValueError, match=r"^lr, mask must be the same in all 2 processes"):
        Different(0, 2).check_alike({"X": np.eye(2), "mask": None, "lr": 0.1})


EQUAL = [
    lambda: np.eye(3),
    lambda: torch.eye(4),
    lambda: [np.eye(2), None],
    lambda: pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}),
    lambda: {0: 1.0, 1: 2.0},
    lambda: [[1, 2], [3, 4]],
]


def test_equal_arguments_have_equal_digests_and_others_have_not():
    digests = [_processes._digest(make()) for make in EQUAL]
    assert digests == [_processes._digest(make()) for make in EQUAL]
    assert _processes._digest(np.asfortranarray(np.eye(3)[:2])) == _processes._digest(np.eye(3)[:2])
    others = [2 * np.eye(3), pd.DataFrame({"a": [1.0, 2.0], "c": ["x", "y"]})]
    assert len({*digests, *map(_processes._digest, others)}) == len(EQUAL) + len(others)


def test_the_first_process_writes(twin, tmp_path):
    X, y, _ = table()
    every = {"f_params": "{}.pt", "f_optimizer": None, "f_criterion": None, "f_history": "{}.json"}
    every = {name: file and file.format(name) for name, file in every.items()}
    callbacks = [
        Checkpoint(monitor=None, f_pickle="net.pickle", dirname=tmp_path, **every),
        TrainEndCheckpoint(f_pickle="net.pickle", dirname=tmp_path, **every),
    ]
    clf = ERMClassifier(**SHORT, callbacks=callbacks).fit(X, y)
    assert callbacks[0].f_pickle == "net.pickle"
    written = sorted(path.name for path in tmp_path.iterdir())
    if not twin.is_first:
        assert written == []
        return
    assert len(written) == 6
    # What was pickled in the training is alone afterwards.
    net = pickle.loads((tmp_path / "net.pickle").read_bytes())
    assert net.processes is None
    np.testing.assert_array_equal(net.predict(X), clf.predict(X))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"callbacks": ["none"]}, "callbacks must hold"),
        ({"penalty_chunk_size": "0.00001MB"}, "penalty_chunk_size must leave room"),
    ],
)
def test_a_training_that_does_not_begin_leaves_one_process(twin, params, words):
    X, y, mask = table()
    clf = GradRegClassifier(**SHORT).fit(X, y, mask=mask)
    history = list(clf.history_)
    with pytest.raises((TypeError, ValueError), match=words):
        clf.set_params(**params).partial_fit(X, y, mask=mask)
    assert clf.trainer_.processes is None
    assert list(clf.history_) == history


def test_a_check_that_fails_leaves_the_trainer_as_it_was():
    X, y, mask = table()
    clf = GradRegClassifier(max_epochs=1, random_state=0).fit(X, y, mask=mask)
    before = vars(clf.trainer_).copy()
    clf.set_params(callbacks=["none"], batch_size=3, alpha=5.0)
    with pytest.raises(TypeError, match="callbacks must hold"):
        clf.partial_fit(X, y, mask=mask)
    assert {name: value for name, value in vars(clf.trainer_).items() if name in before} == before


def test_without_accelerate_an_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    X, y, mask = table()
    with pytest.raises(ImportError, match=r"skexplain\[distributed\]"):
        ERMClassifier(device="accelerate").fit(X, y)


def test_processes_that_are_not_connected_are_an_error(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match=r"WORLD_SIZE=2, but 1 connected"):
        join_processes()


def test_workers_of_a_search_are_an_error():
    with pytest.raises(RuntimeError, match="n_jobs must be 1"):
        joblib.Parallel(n_jobs=2, backend="threading")([joblib.delayed(join_processes)()])


def test_seeds_at_once_are_trained_by_one_process():
    X, y, mask = table()
    with pytest.raises(ValueError, match="device must be that of one process"):
        fit_seeds(SwapExClassifier(device="accelerate"), X, y, range(2), mask=mask)


def test_training_goes_on_where_it_was():
    X, y, _ = table()
    clf = ERMClassifier(max_epochs=1).fit(X, y)
    clf.trainer_.device = torch.device("meta")
    with pytest.raises(ValueError, match="device must be that of the first fit"):
        clf.set_params(device="accelerate").partial_fit(X, y)


def test_a_model_file_needs_no_accelerate(monkeypatch, tmp_path):
    from skexplain import load, save

    X, y, mask = images()
    clf = SwapExClassifier(**SHORT).fit(X, y, mask=mask)
    save(clf, tmp_path / "model.skx")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    np.testing.assert_array_equal(load(tmp_path / "model.skx").predict(X), clf.predict(X))
