"""What is on the disk outlives whatever happens to the process, and to the disk."""

import errno
import json
import lzma
import resource
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from _sleepy import CONTEXT, hold_lock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skexplain.studies import Cell
from skexplain.studies import _store as module
from skexplain.studies._store import Store, to_plain

_values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_rows = st.lists(st.dictionaries(st.text(), _values | st.lists(_values)), max_size=3)


def cell(seed):
    return Cell({"seed": seed}, {"epochs": 3})


def key(seed):
    return cell(seed).key("s")


def test_nothing_is_there_at_first(tmp_path):
    assert Store(tmp_path / "new" / "folder", "s").read() == {}
    assert not (tmp_path / "new").exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=3)
@given(first=_rows, torn=_rows, later=_rows)
def test_a_line_torn_anywhere_costs_that_line_alone(tmp_path, monkeypatch, first, torn, later):
    monkeypatch.setattr(module.os, "fsync", lambda file: None)  # which takes its time
    store = Store(tmp_path, "s")
    store.path.unlink(missing_ok=True)
    store.append(cell(0), first)
    start = store.path.stat().st_size
    store.append(cell(1), torn)
    whole = store.path.read_bytes()
    assert store.read() == {key(0): first, key(1): torn}
    for end in range(start, len(whole)):
        store.path.write_bytes(whole[:end])
        # Without its line feed alone the line is still whole.
        is_whole = end == len(whole) - 1
        # What is cut off may be about to be written.
        assert store.read() == {key(0): first, **({key(1): torn} if is_whole else {})}
        store.append(cell(2), later)
        is_told = nullcontext() if is_whole or end == start else pytest.warns(match="in line 2,")
        with is_told:
            found = store.read()
        assert found[key(0)] == first
        assert found[key(2)] == later
        assert (key(1) in found) == is_whole


def edited(**changes):
    """The line of a cell, edited by hand."""
    record = {"key": key(1), "version": "0.1.0", "factors": {}, "rows": [{"a": 7}], **changes}
    return json.dumps(record).encode() + b"\n"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 40 + b"\n",
        b"\xff\xfe\n",
        b"17\n",
        edited(rows=None),
        edited(rows={"a": 7}),
        edited(rows=[None]),
        edited(rows=[1, 2]),
        edited(key=None),
        edited()[1:],
        b'{"key": "a"}\n',
    ],
)
def test_what_is_no_finished_cell_is_named_and_left_out(tmp_path, garbage):
    store = Store(tmp_path, "s")
    store.append(cell(0), [{"a": 1}])
    with open(store.path, "ab") as file:
        file.write(garbage)
    store.append(cell(2), [{"a": 2}])
    with pytest.warns(UserWarning, match=r"s\.jsonl holds no finished cell in line 2, "):
        assert store.read() == {key(0): [{"a": 1}], key(2): [{"a": 2}]}


def test_empty_lines_are_no_fault(tmp_path):
    store = Store(tmp_path, "s")
    store.append(cell(0), [{"a": 1}])
    with open(store.path, "ab") as file:
        file.write(b"\n\n")
    store.append(cell(1), [{"a": 2}])
    assert store.read() == {key(0): [{"a": 1}], key(1): [{"a": 2}]}


def compress(store):
    """Do what the command xz does; what was compressed before stays."""
    with lzma.open(store.archive, "ab") as file:
        file.write(store.path.read_bytes())
    store.path.unlink()


def test_a_compressed_store_is_read_and_gone_on_with(tmp_path):
    store = Store(tmp_path, "s")
    for seed in range(3):
        store.append(cell(seed), [{"a": seed}])
    compress(store)
    archive = store.archive.read_bytes()
    assert store.read() == {key(seed): [{"a": seed}] for seed in range(3)}
    store.append(cell(3), [{"a": 3}])
    store.append(cell(0), [{"a": 0.5}])  # computed anew
    expected = {key(seed): [{"a": seed or 0.5}] for seed in range(4)}
    assert store.read() == expected
    assert store.archive.read_bytes() == archive
    assert len(store.path.read_bytes().splitlines()) == 2
    compress(store)
    assert store.read() == expected


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: b"no xz" + data])
def test_a_damaged_archive_is_an_error_that_names_it(tmp_path, damage):
    store = Store(tmp_path, "s")
    store.append(cell(0), [{"a": 1}])
    compress(store)
    store.archive.write_bytes(damage(store.archive.read_bytes()))
    with pytest.raises(OSError, match=r"s\.jsonl\.xz is no whole xz file"):
        store.read()


def test_without_filelock_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(ImportError, match=r"skexplain\[studies\]"), Store(tmp_path, "s").lock():
        pass


def test_a_full_disk_leaves_what_was_stored(tmp_path):
    store = Store(tmp_path, "s")
    store.append(cell(0), [{"a": 1}])
    size = store.path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The system writes ten bytes, and then no more.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
    try:
        with pytest.raises(OSError) as full:  # noqa: PT011 - errno is checked
            store.append(cell(1), [{"a": 2}])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert full.value.errno == errno.EFBIG
    assert store.path.stat().st_size == size + 10
    assert store.read() == {key(0): [{"a": 1}]}
    store.append(cell(1), [{"a": 2}])
    with pytest.warns(UserWarning, match="in line 2,"):
        assert store.read() == {key(0): [{"a": 1}], key(1): [{"a": 2}]}


def test_a_line_is_on_the_disk_when_append_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(module.os, "fsync", synced.append)
    Store(tmp_path, "s").append(cell(0), [])
    assert len(synced) == 1


def test_a_line_says_what_it_holds(tmp_path):
    store = Store(tmp_path, "s")
    store.append(cell(3), [{"a": np.float32(0.5), "b": np.arange(2), "c": np.int64(1)}])
    record = json.loads(store.path.read_text())
    assert record["factors"] == {"seed": 3}
    assert record["rows"] == [{"a": 0.5, "b": [0, 1], "c": 1}]


def test_rows_that_are_no_plain_values_are_refused():
    assert to_plain([{"a": np.float64(0.1), "b": (1, None)}]) == [{"a": 0.1, "b": [1, None]}]
    with pytest.raises(TypeError, match="rows must hold numbers, strings and None; got <object"):
        to_plain([{"a": object()}])


@pytest.mark.parametrize("rows", [None, {"a": 1}, [None], [1], "rows", 3])
def test_what_is_no_list_of_rows_is_refused(rows):
    with pytest.raises(TypeError, match="rows must be a list of dicts, got "):
        to_plain(rows)


def test_lock_refuses_a_second_runner_and_is_free_again(tmp_path):
    store = Store(tmp_path / "folder", "s")
    with store.lock():
        refused = pytest.raises(OSError, match=r"'s' is being run into .*folder by another process")
        with refused, store.lock():
            pass
        with Store(tmp_path / "folder", "another").lock():
            pass
    with store.lock():
        pass


def test_lock_of_a_killed_process_is_free(tmp_path):
    store, is_held = Store(tmp_path, "s"), CONTEXT.Event()
    process = CONTEXT.Process(target=hold_lock, args=(store, is_held))
    process.start()
    assert is_held.wait(120)
    with pytest.raises(OSError, match="by another process"), store.lock():
        pass
    process.kill()
    process.join()
    with store.lock():
        pass
