"""Files that lie, climb or are noise raise a ValueError and do nothing else."""

import json
import tempfile
import warnings
from pathlib import Path

import pytest
from _text_exports import PLAIN, write_json, write_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from skexplain.masks import read_spans


@pytest.mark.parametrize(
    "name", ["../secret.txt", "/etc/passwd", "..\\secret.txt", "C:x", "..", ""]
)
def test_documents_outside_of_their_folder(tmp_path, name):
    (tmp_path / "secret.txt").write_text("secret words")
    evidence = [{"docid": name, "start_token": 0, "end_token": 1}]
    record = {"docids": [name], "evidences": [evidence], "classification": "x"}
    path = write_lines(tmp_path / "in/train.jsonl", [record])
    (tmp_path / "in/docs").mkdir()
    with pytest.raises(ValueError, match="name of a file, without folders"):
        read_spans(path)


def test_documents_that_are_not_there(tmp_path):
    record = {"evidences": [[{"docid": "a", "start_token": 0, "end_token": 1}]]}
    path = write_lines(tmp_path / "train.jsonl", [record])
    with pytest.raises(ValueError, match="must name a document of docs.jsonl or a file in"):
        read_spans(path)
    write_lines(tmp_path / "docs.jsonl", [{"docid": "b", "document": "one two"}])
    write_lines(path, [{**record, "docids": ["b"]}])
    with pytest.raises(ValueError, match="'docid' must be one of"):
        read_spans(path)


def test_deep_files(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="is not a JSON file"):
        read_spans(path)
    path.write_text('{"text": "a"}\n' + "[" * 100_000)
    with pytest.raises(ValueError, match="is not a JSON file: line 2"):
        read_spans(path)
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(ValueError, match="is not a text file in UTF-8"):
        read_spans(path)


NOISE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value, path=()):
    """All places in a JSON value."""
    yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from places(item, (*path, key))


def replaced(value, path, noise):
    if not path:
        return noise
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], noise)
    return copy


def read_or_raise(content, name=None):
    """Read what is there; nothing but a ValueError may be raised."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_lines(Path(folder, "docs.jsonl"), [{"docid": "a", "document": "one two"}])
        path = write_json(Path(folder, "a.json"), content)
        try:
            bunch = read_spans(path, format=name, combine="degree")
        except ValueError:
            return
    for text, spans in zip(bunch.texts, bunch.spans, strict=True):
        for start, end, degree in spans or ():
            assert 0 <= start < end <= len(text)
            assert 0 < degree <= 1


@pytest.mark.parametrize("name", PLAIN)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_noise_in_a_field(name, data):
    """Each place of a valid record may hold anything."""
    record = PLAIN[name]
    path = data.draw(st.sampled_from(list(places(record))))
    content = [record, replaced(record, path, data.draw(NOISE))]
    read_or_raise(content)
    read_or_raise(content[::-1], name)


@pytest.mark.parametrize("name", PLAIN)
@settings(max_examples=15, deadline=None)
@given(noise=NOISE)
def test_noise(name, noise):
    read_or_raise(noise, name)


@settings(max_examples=40, deadline=None)
@given(noise=st.binary(max_size=40))
def test_bytes(noise):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.jsonl")
        path.write_bytes(noise)
        with pytest.raises(ValueError, match=r"a\.jsonl"):
            read_spans(path)


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=20), data=st.data())
def test_any_text(text, data):
    """Spans in any characters come back as they were, if the tool counts as Python does."""
    ends = sorted(
        data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2, unique=True))
        if text
        else [0, 0]
    )
    if ends[0] == ends[1]:
        return
    record = {"text": text, "label": [[*ends, "x"]]}
    with tempfile.TemporaryDirectory() as folder:
        path = write_lines(Path(folder, "a.jsonl"), [json.loads(json.dumps(record))])
        bunch = read_spans(path, offset_unit="code_point")
    assert bunch.texts == [text]
    assert bunch.spans == [[tuple(ends)]]
