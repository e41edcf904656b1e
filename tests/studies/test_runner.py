"""A study goes on where it was, never computes twice, and never mixes what does not belong."""

import json
import lzma
import os
import time

import numpy as np
import pytest
import torch
from _sleepy import CONTEXT, Sleepy, run_into, without_seconds

from skexplain.studies import Cell, StudyError, load_results, run_study
from skexplain.studies import _study as study_module
from skexplain.studies._parallel import one_thread, run_unordered
from skexplain.studies._store import Store


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def log(tmp_path):
    return tmp_path / "executions"


def stored_seeds(study, folder):
    return {row["seed"] for row in load_results(study, folder=folder).rows}


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_end_of(processes):
    deadline = time.monotonic() + 30
    while any(map(is_alive, processes)):
        assert time.monotonic() < deadline, "workers outlive the run that was killed"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("n_jobs", "kills", "seconds"),
    [(1, 6, 0.02), pytest.param(2, 3, 0.2, marks=pytest.mark.slow)],
)
def test_a_study_that_is_killed_goes_on_where_it_was(folder, log, tmp_path, n_jobs, kills, seconds):
    rng = np.random.default_rng(n_jobs)
    stored, sizes = set(), []
    for i in range(kills):
        study = Sleepy(log, 30, run=f"run-{i}", seconds=seconds)
        process = CONTEXT.Process(target=run_into, args=(study, folder, n_jobs))
        process.start()
        n_cells = rng.integers(1, 5)
        while len(study.executions(study.run_name)[0]) < n_cells:
            assert process.is_alive()
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 2 * seconds))
        process.kill()
        process.join()
        computed, workers = study.executions(study.run_name)
        assert not stored & set(computed)
        stored_now = stored_seeds(study, folder)
        assert stored <= stored_now <= stored | set(computed)
        stored = stored_now
        sizes.append(len(stored))
        wait_for_end_of(workers)
        assert stored_seeds(study, folder) == stored
    assert 0 < sizes[-1] < 30  # the kills came in the middle

    study = Sleepy(log, 30, run="last")
    results = run_study(study, folder=folder, n_jobs=n_jobs)
    computed, _ = study.executions("last")
    assert sorted([*computed, *stored]) == list(range(30))
    assert results.is_complete
    uninterrupted = run_study(Sleepy(tmp_path / "other", 30), folder=tmp_path / "uninterrupted")
    assert without_seconds(results.rows) == without_seconds(uninterrupted.rows)
    assert results.tables() == uninterrupted.tables()


def test_workers_end_with_a_run_that_is_killed(folder, log):
    """In the middle of a cell that would take ten minutes."""
    study = Sleepy(log, 4, seconds=600.0)
    process = CONTEXT.Process(target=run_into, args=(study, folder, 2))
    process.start()
    while len(study.executions()[1]) < 2:
        assert process.is_alive()
        time.sleep(0.05)
    process.kill()
    process.join()
    wait_for_end_of(study.executions()[1])


def test_processes_give_the_rows_of_one_in_the_order_of_the_declaration(folder, log, tmp_path):
    together = run_study(Sleepy(log, 6, seconds=0.1), folder=folder, n_jobs=2)
    alone = run_study(Sleepy(tmp_path / "alone"), folder=tmp_path / "alone-results")
    assert [row["seed"] for row in together.rows] == sorted([*range(6), *range(6)])
    assert without_seconds(together.rows) == without_seconds(alone.rows[:12])
    assert os.getpid() not in Sleepy(log).executions()[1]


def test_rows_are_in_the_order_of_the_declaration_whatever_came_first(folder, log):
    study = Sleepy(log, 5)
    first, *others = study.cells("quick")
    store = Store(folder, study.name)
    for cell in reversed(others):
        store.append(cell, [{"measure": cell.factors["seed"] / 10}])
    results = run_study(study, folder=folder)
    assert [row["seed"] for row in results.rows] == [0, 0, 1, 2, 3, 4]
    assert study.executions()[0] == [0]
    assert results.rows[-1] == {"factor": 0, "seed": 4, "measure": 0.4}


def test_a_second_run_computes_nothing(folder, log):
    first = run_study(Sleepy(log), folder=folder)
    second = run_study(Sleepy(log), folder=folder)
    assert second == first.__class__(second.study, "quick", first.rows, 8, 8)
    assert Sleepy(log).executions()[0] == list(range(8))


@pytest.mark.parametrize("change", ["factor", "setting", "name", "version"])
def test_what_was_declared_otherwise_is_left_out(folder, log, monkeypatch, change):
    before = run_study(Sleepy(log, 3), folder=folder)
    text = Store(folder, "sleepy").path.read_text()
    study = Sleepy(log, 3, run="changed", **{change: 1} if change in ("factor", "setting") else {})
    if change == "name":
        study.name = "drowsy"
        # As if the file had been renamed.
        os.link(folder / "sleepy.jsonl", folder / "drowsy.jsonl")
    if change == "version":
        monkeypatch.setattr(study_module, "__version__", "0.0.0")
    unchanged = load_results(study, folder=folder)
    assert (unchanged.rows, unchanged.n_done, unchanged.n_others) == ([], 0, 3)
    after = run_study(study, folder=folder)
    assert study.executions("changed")[0] == [0, 1, 2]
    assert (after.n_done, after.n_cells, after.n_others) == (3, 3, 3)
    assert Store(folder, study.name).path.read_text().startswith(text)
    monkeypatch.undo()
    assert load_results(Sleepy(log, 3), folder=folder).rows == before.rows


def test_more_seeds_and_another_scale_keep_what_is_there(folder, log):
    run_study(Sleepy(log, 3), folder=folder)
    more = run_study(Sleepy(log, 5, run="more"), folder=folder)
    assert Sleepy(log).executions("more")[0] == [3, 4]
    assert (more.n_done, more.n_others) == (5, 0)
    paper = run_study(Sleepy(log, 5, run="paper"), "paper", folder=folder)
    assert Sleepy(log).executions("paper")[0] == [5, 6, 7, 8, 9]
    assert paper.n_done == 10
    assert load_results(Sleepy(log, 5), folder=folder).n_others == 5


def test_a_number_of_seeds_can_be_asked_for(folder, log):
    """More go beside those that are declared, fewer are the first of them."""
    declared = run_study(Sleepy(log, 3), folder=folder)
    more = run_study(Sleepy(log, 3, run="more"), n_seeds=5, folder=folder)
    assert Sleepy(log).executions("more")[0] == [3, 4]
    assert (more.n_done, more.n_others, more.n_seeds) == (5, 0, 5)
    assert more.rows[:6] == declared.rows
    fewer = load_results(Sleepy(log, 3), n_seeds=1, folder=folder)
    assert fewer.rows == declared.rows[:2]
    assert (fewer.n_done, fewer.n_cells, fewer.n_others) == (1, 1, 4)
    assert load_results(Sleepy(log, 3), folder=folder).rows == declared.rows


def test_a_failure_costs_no_other_cell_and_is_tried_again(folder, log):
    failing = {2: ValueError("no such thing"), 4: ArithmeticError("nan")}
    with pytest.raises(StudyError) as error:
        run_study(Sleepy(log, 6, failing=failing), folder=folder)
    text = str(error.value)
    assert text.startswith("2 cells of 'sleepy' failed, all others are stored.")
    assert "{'factor': 0, 'seed': 2}" in text
    assert "ValueError: no such thing" in text
    assert stored_seeds(Sleepy(log, 6), folder) == {0, 1, 3, 5}
    again = run_study(Sleepy(log, 6, run="again"), folder=folder)
    assert Sleepy(log).executions("again")[0] == [2, 4]
    assert again.is_complete


def test_rows_that_cannot_be_stored_are_a_failure_like_any(folder, log):
    class Odd(Sleepy):
        def run(self, factors, settings):
            return [{"measure": object() if factors["seed"] == 1 else 0.0}]

    with pytest.raises(StudyError, match=r"(?s)1 cell of .*'seed': 1.*numbers, strings and None"):
        run_study(Odd(log, 3), folder=folder)
    assert stored_seeds(Odd(log, 3), folder) == {0, 2}


def test_a_cell_that_returns_no_rows_costs_itself_alone(folder, log):
    class Forgetful(Sleepy):
        def run(self, factors, settings):
            return None if factors["seed"] == 1 else super().run(factors, settings)

    with pytest.raises(StudyError, match=r"(?s)1 cell of .*'seed': 1.*list of dicts, got None"):
        run_study(Forgetful(log, 4), folder=folder)
    assert stored_seeds(Forgetful(log, 4), folder) == {0, 2, 3}


@pytest.mark.filterwarnings("ignore:.*holds no finished cell in line 1:UserWarning")
@pytest.mark.parametrize("rows", [None, {}, [None]])
def test_a_line_that_was_edited_is_computed_anew(folder, log, rows):
    first = run_study(Sleepy(log, 3), folder=folder)
    store = Store(folder, "sleepy")
    edited, *others = store.path.read_text().splitlines()
    edited = json.dumps({**json.loads(edited), "rows": rows})
    store.path.write_text("\n".join([edited, *others]) + "\n")
    assert load_results(Sleepy(log, 3), folder=folder).n_done == 2
    again = run_study(Sleepy(log, 3, run="again"), folder=folder)
    assert Sleepy(log).executions("again")[0] == [0]
    assert without_seconds(again.rows) == without_seconds(first.rows)


def test_a_compressed_store_is_complete_and_more_seeds_go_beside_it(folder, log):
    run_study(Sleepy(log, 3), folder=folder)
    store = Store(folder, "sleepy")
    store.archive.write_bytes(lzma.compress(store.path.read_bytes()))
    store.path.unlink()
    more = run_study(Sleepy(log, 4, run="more"), folder=folder)
    assert Sleepy(log).executions("more")[0] == [3]
    assert [row["seed"] for row in more.rows] == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interruption_keeps_what_is_finished(folder, log, stop):
    with pytest.raises(stop):
        run_study(Sleepy(log, 6, failing={3: stop()}), folder=folder)
    assert stored_seeds(Sleepy(log, 6), folder) == {0, 1, 2}
    results = run_study(Sleepy(log, 6, run="again"), folder=folder)  # the lock is free
    assert Sleepy(log).executions("again")[0] == [3, 4, 5]
    assert results.is_complete


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_full_disk_stops_the_run_and_frees_the_lock(folder, log, monkeypatch, n_jobs):
    append, n_lines = Store.append, []

    def append_until_full(self, cell, rows):
        if len(n_lines) == 2:
            raise OSError(28, "No space left on device")
        n_lines.append(1)
        append(self, cell, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", append_until_full)
        with pytest.raises(OSError, match="No space left"):
            run_study(Sleepy(log, 6, seconds=0.01), folder=folder, n_jobs=n_jobs)
    assert len(stored_seeds(Sleepy(log, 6), folder)) == 2
    assert run_study(Sleepy(log, 6), folder=folder).is_complete


def test_a_second_runner_is_refused(folder, log):
    study = Sleepy(log)
    refused = pytest.raises(OSError, match="by another process: wait for it")
    with Store(folder, study.name).lock(), refused:
        run_study(study, folder=folder)
    assert study.executions()[0] == []


def test_what_is_missing_is_told_before_the_first_cell(folder, log):
    class Unprepared(Sleepy):
        def prepare(self, scale):
            raise OSError(f"no data for {scale}")

    with pytest.raises(OSError, match="no data for paper"):
        run_study(Unprepared(log), "paper", folder=folder)
    assert not folder.exists()


def test_cells_whose_data_are_missing_are_left_out_and_the_others_computed(folder, log):
    class Lacking(Sleepy):
        def lacks(self, factors):
            return "purse/coins.csv" if factors["seed"] % 2 else ""

    with pytest.warns(UserWarning, match=r"2 of the 5 cells of 'sleepy' .*: purse/coins\.csv\."):
        results = run_study(Lacking(log, 5), folder=folder)
    assert (results.n_done, results.n_cells) == (3, 5)
    assert not results.is_complete
    assert Sleepy(log).executions()[0] == [0, 2, 4]
    # When the data have come the others are computed.
    assert run_study(Sleepy(log, 5, run="again"), folder=folder).is_complete
    assert Sleepy(log).executions("again")[0] == [1, 3]


@pytest.mark.parametrize("function", [run_study, load_results])
def test_unknown_names_are_refused(function, folder, log):
    with pytest.raises(ValueError, match=r"study must be one of \[.*got 'nothing'"):
        function("nothing", folder=folder)
    with pytest.raises(ValueError, match=r"scale must be one of \('quick', 'paper'\), got 'huge'"):
        function(Sleepy(log), "huge", folder=folder)
    with pytest.raises(ValueError, match="n_seeds must be a positive integer, got 0"):
        function(Sleepy(log), n_seeds=0, folder=folder)


def test_the_bar_starts_at_what_is_there(folder, log, capsys):
    run_study(Sleepy(log, 3), folder=folder)
    run_study(Sleepy(log, 4), folder=folder, progress=True)
    printed = capsys.readouterr().err
    assert "75%" in printed
    assert "4/4" in printed


def test_the_key_names_study_version_factors_and_settings(monkeypatch):
    cell = Cell({"seed": 1, "size": 50}, {"params": {"lr": 0.1, "alpha": 1}})
    key = cell.key("a")
    assert Cell({"size": 50, "seed": 1}, {"params": {"alpha": 1, "lr": 0.1}}).key("a") == key
    others = [
        Cell({"seed": 2, "size": 50}, cell.settings).key("a"),
        Cell(cell.factors, {"params": {"lr": 0.1, "alpha": 2}}).key("a"),
        cell.key("b"),
    ]
    monkeypatch.setattr(study_module, "__version__", "0.0.0")
    others.append(cell.key("a"))
    assert len({key, *others}) == 5


def test_each_call_has_one_thread_and_no_first_step_to_wait_for(log):
    def threads(_):
        import threadpoolctl
        import torch
        from joblib import effective_n_jobs

        from skexplain.studies._parallel import warm_up

        pools = {pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
        return torch.get_num_threads(), pools, effective_n_jobs(None), warm_up.cache_info().currsize

    assert list(run_unordered(threads, [0])) == [(1, {1}, 1, 1)]


def test_threads_are_given_back():
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_thousands_of_cells_are_read_in_a_moment(folder, log):
    study = Sleepy(log, 3000)
    store = Store(folder, study.name)
    folder.mkdir()
    rows = [{"test": f"t{i}", "accuracy": 0.5, "_predicted": "0" * 500} for i in range(2)]
    store.append(study.cells("quick")[0], rows)
    line = store.path.read_text()
    with open(store.path, "w") as file:
        first = study.cells("quick")[0].key(study.name)
        file.writelines(line.replace(first, cell.key(study.name)) for cell in study.cells("quick"))
    start = time.process_time()
    results = load_results(study, folder=folder)
    assert time.process_time() - start < 2  # 0.09 s
    assert results.is_complete
    assert len(results.rows) == 6000
