"""Studies on a real cluster: two worker processes of Dask."""

import os
import socket
import sys
import time
import types

import pytest
from _sleepy import Searching, Sleepy, without_seconds

from skexplain.studies import StudyError, run_study
from skexplain.studies import _parallel as module

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def scheduler():
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # None would take port 8787
    ) as cluster:
        yield cluster.scheduler_address


def test_a_cluster_gives_the_rows_of_one_process(scheduler, tmp_path):
    study = Sleepy(tmp_path / "log", 6, seconds=0.3)
    on_cluster = run_study(study, folder=tmp_path / "cluster", scheduler=scheduler)
    alone = run_study(Sleepy(tmp_path / "other", 6), folder=tmp_path / "alone")
    assert without_seconds(on_cluster.rows) == without_seconds(alone.rows)
    assert on_cluster.tables() == alone.tables()
    seeds, processes = study.executions()
    assert sorted(seeds) == list(range(6))
    assert len(processes) == 2  # both workers
    assert os.getpid() not in processes


def test_a_cell_stays_in_its_worker_on_one_thread(scheduler, tmp_path):
    on_cluster = run_study(Searching(), folder=tmp_path / "cluster", scheduler=scheduler)
    alone = run_study(Searching(), folder=tmp_path / "alone")
    for row, expected in zip(on_cluster.rows, alone.rows, strict=True):
        assert (row["threads"], row["jobs"], row["here"]) == (1, 1, True)
        assert row["score"] == expected["score"]
    assert len({row["_process"] for row in on_cluster.rows}) == 2


def test_a_failure_on_the_cluster_costs_no_other_cell(scheduler, tmp_path):
    failing = Sleepy(tmp_path / "log", 4, failing={1: ValueError("no such thing")})
    with pytest.raises(StudyError, match=r"(?s)1 cell of .*'seed': 1.*no such thing"):
        run_study(failing, folder=tmp_path, scheduler=scheduler)
    again = Sleepy(tmp_path / "log", 4, run="again")
    assert run_study(again, folder=tmp_path, scheduler=scheduler).is_complete
    assert again.executions("again")[0] == [1]


def test_a_run_that_is_broken_off_leaves_the_cluster_in_order(scheduler, tmp_path, monkeypatch):
    def full(self, cell, rows):
        raise OSError(28, "No space left on device")

    study = Sleepy(tmp_path / "log", 6, seconds=0.1)
    with monkeypatch.context() as patch:
        patch.setattr("skexplain.studies._store.Store.append", full)
        with pytest.raises(OSError, match="No space left"):
            run_study(study, folder=tmp_path, scheduler=scheduler)
    assert run_study(study, folder=tmp_path, scheduler=scheduler).is_complete


def test_what_workers_cannot_load_is_an_error(scheduler, monkeypatch):
    here_alone = types.ModuleType("here_alone")
    exec("def function(argument): return argument", here_alone.__dict__)
    monkeypatch.setitem(sys.modules, "here_alone", here_alone)
    with pytest.raises(ModuleNotFoundError, match="here_alone"):
        list(module.run_unordered(here_alone.function, [1], scheduler=scheduler))


def test_a_cluster_without_workers_is_told_soon(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS_FOR_WORKERS", 0.5)
    nobody = distributed.LocalCluster(
        n_workers=0,
        processes=False,
        host="127.0.0.1",
        protocol="tcp",
        dashboard_address="127.0.0.1:0",
    )
    with nobody, pytest.raises(TimeoutError, match="workers"):
        run_study(Sleepy(tmp_path / "log"), folder=tmp_path, scheduler=nobody.scheduler_address)


def test_workers_of_another_version_are_refused(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "__version__", "0.0.0")
    with pytest.raises(OSError, match=r"has skexplain .*: install 0\.0\.0 on all workers"):
        run_study(Sleepy(tmp_path / "log"), folder=tmp_path, scheduler=scheduler)


def test_nobody_at_the_address_is_told_soon(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS_TO_CONNECT", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    start = time.monotonic()
    with pytest.raises(OSError, match=f"no Dask scheduler at '{address}'"):
        run_study(Sleepy(tmp_path / "log"), folder=tmp_path, scheduler=address)
    assert time.monotonic() - start < 60
    assert Sleepy(tmp_path / "log").executions()[0] == []


def test_without_distributed_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"skexplain\[cluster\]"):
        run_study(Sleepy(tmp_path / "log"), folder=tmp_path, scheduler="tcp://127.0.0.1:1")
