"""What annotation tools export of texts becomes the spans that people marked."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from _text_exports import label_studio, write_json, write_lines

from skexplain.masks import read_spans

EXPORTS = Path(os.environ.get("SKEXPLAIN_DATA", "nowhere"), "annotation_exports")


def covered(bunch):
    """The words that are marked, by text."""
    return [
        None if spans is None else [text[start:end] for start, end, *_ in spans]
        for text, spans in zip(bunch.texts, bunch.spans, strict=True)
    ]


# -- formats ---------------------------------------------------------------------------------------

BRITISH = "EU rejects German call to boycott British lamb."


@pytest.mark.parametrize("key", ["label", "labels", "entities"])
def test_doccano(tmp_path, key):
    records = [
        {"id": 4, "text": BRITISH, key: [[0, 2, "ORG"], [11, 17, "MISC"]]},
        {"id": 5, "text": "President Obama", key: [[10, 15, "PERSON"]]},
        {"id": 6, "text": "Nothing", key: []},
    ]
    path = write_lines(tmp_path / "anna.jsonl", records)
    bunch = read_spans(path)
    assert bunch.format == "doccano"
    assert covered(bunch) == [["EU", "German"], ["Obama"], None]
    assert bunch.labels == ["MISC", "ORG", "PERSON"]
    assert bunch.ids == ["4", "5", "6"]
    assert bunch.target is None
    assert bunch.marks[0] == [(0, 2, "ORG", "anna"), (11, 17, "MISC", "anna")]
    assert covered(read_spans(path, labels=["ORG", "PERSON"])) == [["EU"], ["Obama"], None]
    assert covered(read_spans(path, missing="empty")) == [["EU", "German"], ["Obama"], []]
    with pytest.raises(ValueError, match=r"record\[2\] has no span to mark"):
        read_spans(path, missing="error")


def test_doccano_relations_and_classes(tmp_path):
    relation = {
        "text": "Google was founded by Larry Page",
        "entities": [{"id": 0, "start_offset": 22, "end_offset": 32, "label": "PERSON"}],
        "relations": [{"id": 0, "from_id": 0, "to_id": 0, "type": "x"}],
    }
    assert covered(read_spans(write_lines(tmp_path / "a.jsonl", [relation]))) == [["Larry Page"]]
    classes = [{"text": "Great price.", "label": ["positive"]}, {"text": "No.", "label": ["bad"]}]
    bunch = read_spans(write_lines(tmp_path / "b.jsonl", classes))
    assert bunch.target.tolist() == ["positive", "bad"]
    assert bunch.spans == [None, None]
    old = {"text": "ab cd", "annotations": [{"label": 7, "start_offset": 0, "end_offset": 2}]}
    assert covered(read_spans(write_lines(tmp_path / "c.jsonl", [old]), labels="7")) == [["ab"]]


def test_doccano_of_several_people(tmp_path):
    """The export has a file for each person."""
    for name, spans in (("anna", [[0, 2, "x"]]), ("ben", [[0, 2, "x"], [3, 10, "x"]]), ("cy", [])):
        write_lines(tmp_path / f"in/{name}.jsonl", [{"id": 1, "text": BRITISH, "label": spans}])
    bunch = read_spans(tmp_path / "in", combine="degree")
    assert bunch.spans == [[(0, 2, 2 / 3), (3, 10, 1 / 3)]]
    assert bunch.annotators == {"anna": [[(0, 2)]], "ben": [[(0, 2), (3, 10)]], "cy": [None]}
    assert read_spans(tmp_path / "in", combine="majority").spans == [[(0, 2)]]
    assert read_spans(tmp_path / "in").spans == [[(0, 2), (3, 10)]]


def test_prodigy(tmp_path):
    text = "I saw Ed Sheeran"
    span = {"start": 6, "end": 16, "text": "Ed Sheeran", "label": "PERSON", "token_start": 2}
    records = [
        {"text": text, "spans": [span], "answer": "accept", "_input_hash": -3},
        {"text": "b", "spans": [{"start": 0, "end": 1, "label": "x"}], "answer": "reject"},
        {"text": "c", "spans": [], "answer": "ignore"},
        {"text": "d", "accept": ["bad"], "options": [{"id": "bad"}], "answer": "accept"},
    ]
    path = write_lines(tmp_path / "a.jsonl", records)
    with pytest.warns(UserWarning, match=r"1 records with the answer 'ignore'; 1 .* 'reject'"):
        bunch = read_spans(path)
    assert bunch.format == "prodigy"
    assert covered(bunch) == [["Ed Sheeran"], None, None, None]
    assert bunch.target.tolist() == [None, None, None, "bad"]


def test_prodigy_of_several_people(tmp_path):
    records = [
        {"text": "one two", "_input_hash": 1, "_session_id": name, "answer": "accept", "spans": s}
        for name, s in (
            ("anna", [{"start": 0, "end": 3, "label": "x"}]),
            ("ben", [{"start": 0, "end": 7, "label": "x"}]),
        )
    ]
    bunch = read_spans(write_lines(tmp_path / "a.jsonl", records), combine="degree")
    assert bunch.spans == [[(0, 3, 1.0), (3, 7, 0.5)]]


def test_label_studio(tmp_path):
    text = "President Obama is speaking at 3pm today in New York"
    spans = [{"start": 10, "end": 15, "text": "Obama"}, {"start": 44, "end": 52}]
    task = label_studio(text, spans, completed_by={"email": "a@b.c"})
    choice = {"type": "choices", "to_name": "text", "value": {"choices": ["news"]}}
    task["annotations"][0]["result"].append(choice)
    second = {"completed_by": 7, "result": [choice]}
    cancelled = {"was_cancelled": True, "result": [{"type": "labels", "value": {"start": 0}}]}
    task["annotations"] += [second, cancelled]
    bunch = read_spans(write_json(tmp_path / "a.json", [task]), combine="degree")
    assert bunch.format == "label_studio"
    assert bunch.spans == [[(10, 15, 0.5), (44, 52, 0.5)]]
    assert bunch.annotators == {"7": [None], "a@b.c": [[(10, 15), (44, 52)]]}
    assert bunch.target.tolist() == ["news"]


def test_label_studio_minimal(tmp_path):
    record = {
        "id": 3,
        "text": "one two",
        "label": [{"start": 4, "end": 7, "text": "two", "labels": ["a", "b"]}],
        "sentiment": "good",
        "annotator": 1,
        "annotation_id": 9,
        "created_at": "2024-01-01",
    }
    bunch = read_spans(write_json(tmp_path / "a.json", [record]))
    assert covered(bunch) == [["two"]]
    assert bunch.labels == ["a", "b"]
    assert bunch.target is None  # "sentiment" may be a column of the data as well


def test_label_studio_predictions(tmp_path):
    task = label_studio("one two", [{"start": 0, "end": 3}])
    task["predictions"] = task.pop("annotations")
    path = write_json(tmp_path / "a.json", [task])
    with pytest.warns(UserWarning, match="1 tasks with predictions alone"):
        assert read_spans(path).spans == [None]
    assert covered(read_spans(path, predictions=True)) == [["one"]]


def test_label_studio_of_other_things(tmp_path):
    task = label_studio("a b", [{"startOffset": 0, "endOffset": 1, "start": "/p[1]", "end": "/p"}])
    with pytest.raises(ValueError, match="only plain text is read"):
        read_spans(write_json(tmp_path / "a.json", [task]))
    task = {"data": {"a": "x", "b": "y"}, "annotations": []}
    with pytest.raises(ValueError, match="must have one text"):
        read_spans(write_json(tmp_path / "b.json", [task]))


def eraser(evidences, **more):
    return {"annotation_id": "q", "classification": "yes", "evidences": evidences, **more}


def test_eraser(tmp_path):
    evidence = [
        [{"docid": "a", "start_token": 1, "end_token": 3, "text": "two three"}],
        [{"docid": "b", "start_token": 0, "end_token": 1, "text": "six"}],
    ]
    records = [eraser(evidence, docids=["a", "b"]), eraser([], annotation_id="b")]
    path = write_lines(tmp_path / "train.jsonl", records)
    documents = [("a", "one two\n three four"), ("b", "six  seven")]
    write_lines(tmp_path / "docs.jsonl", [{"docid": d, "document": t} for d, t in documents])
    for source in (path, tmp_path):
        bunch = read_spans(source)
        assert bunch.format == "eraser"
        assert bunch.texts == ["one two\n three four\nsix  seven", "six  seven"]
        assert covered(bunch) == [["two\n three", "six"], None]
        assert bunch.target.tolist() == ["yes", "yes"]
    (tmp_path / "docs.jsonl").unlink()
    for name, text in documents:
        (tmp_path / "docs").mkdir(exist_ok=True)
        (tmp_path / "docs" / name).write_text(text)
    assert covered(read_spans(path)) == [["two\n three", "six"], None]
    evidence[0][0]["text"] = "other words"
    with pytest.warns(UserWarning, match="1 evidences whose text differs from their tokens"):
        read_spans(write_lines(path, [eraser(evidence)]))
    evidence[0][0]["end_token"] = 5
    with pytest.raises(ValueError, match=r"within its document of 4 tokens; got \(1, 5\)"):
        read_spans(write_lines(path, [eraser(evidence)]))


def test_token_votes(tmp_path):
    people = [
        {"label": "hate", "annotator_id": 203, "target": ["x"]},
        {"label": "hate", "annotator_id": 204, "target": ["x"]},
        {"label": "normal", "annotator_id": 233, "target": ["None"]},
    ]
    posts = {
        "1_gab": {
            "post_id": "1_gab",
            "annotators": people,
            "rationales": [[0, 1, 1, 0], [0, 0, 1, 0]],
            "post_tokens": ["you", "bad", "bad", "one"],
        },
        "2_gab": {"post_id": "2_gab", "annotators": [], "rationales": [], "post_tokens": ["hi"]},
    }
    bunch = read_spans(write_json(tmp_path / "dataset.json", posts), combine="degree")
    assert bunch.format == "token_votes"
    assert bunch.texts == ["you bad bad one", "hi"]
    assert bunch.spans == [[(4, 8, 0.5), (8, 11, 1.0)], None]
    assert sorted(bunch.annotators) == ["203", "204"]
    assert bunch.target.tolist() == ["hate", None]
    posts["1_gab"]["rationales"][0][1] = 2
    with pytest.raises(ValueError, match=r"rationales\[0\] must have a 0 or 1 for each of 4"):
        read_spans(write_json(tmp_path / "dataset.json", posts))


def test_a_tie_is_no_class(tmp_path):
    votes = [{"label": "hate", "annotator_id": 1}, {"label": "offensive", "annotator_id": 2}]
    post = {"annotators": votes, "rationales": [[1], [1]], "post_tokens": ["bad"]}
    with pytest.warns(UserWarning, match="1 texts whose class has no majority"):
        assert read_spans(write_json(tmp_path / "a.json", [post])).target.tolist() == [None]


# -- characters ------------------------------------------------------------------------------------

FIRE = "👨🏻‍🚒 firemen drive firetrucks"


def units(text, word):
    """Where a word stands, counted as browsers do."""
    start = len(text[: text.index(word)].encode("utf-16-le")) // 2
    return start, start + len(word.encode("utf-16-le")) // 2


@pytest.mark.parametrize("unit", [None, "utf16", "code_point"])
def test_emoji_are_one_character_or_two(tmp_path, unit):
    in_units, start = units(FIRE, "firetrucks"), FIRE.index("firetrucks")
    in_characters = (start, start + 10)
    assert in_units != in_characters
    ends = in_characters if unit == "code_point" else in_units
    record = {"text": FIRE, "label": [[*ends, "x"]]}
    path = write_lines(tmp_path / "a.jsonl", [record])
    if unit is None:  # counted by characters, this span would end behind the text
        assert covered(read_spans(path)) == [["firetrucks"]]
    else:
        assert covered(read_spans(path, offset_unit=unit)) == [["firetrucks"]]


def test_emoji_without_a_hint_are_an_error(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [{"text": FIRE, "label": [[7, 9, "x"]]}])
    with pytest.raises(ValueError, match='pass offset_unit="code_point" or "utf16"'):
        read_spans(path)
    prodigy = {"text": FIRE, "spans": [{"start": 7, "end": 9, "label": "x"}]}
    assert read_spans(write_lines(path, [prodigy])).spans == [[(7, 9)]]


@pytest.mark.parametrize("in_units", [False, True])
def test_quotes_decide(tmp_path, in_units):
    start = FIRE.index("drive")
    ends = units(FIRE, "drive") if in_units else (start, start + 5)
    span = {"start": ends[0], "end": ends[1], "text": "drive"}
    path = write_json(tmp_path / "a.json", [label_studio(FIRE, [span])])
    assert covered(read_spans(path)) == [["drive"]]


def test_line_breaks_of_two_characters(tmp_path):
    text = "one\r\ntwo\r\nthree"
    for start, quote in ((10, "three"), (8, "three")):  # in the text, and in a browser
        span = {"start": start, "end": start + 5, "text": quote}
        path = write_json(tmp_path / "a.json", [label_studio(text, [span])])
        bunch = read_spans(path)
        assert bunch.texts == [text]
        assert covered(bunch) == [["three"]]
    over = {"start": 0, "end": 7, "text": "one\\ntwo"}
    assert covered(read_spans(write_json(path, [label_studio(text, [over])]))) == [["one\r\ntwo"]]


def test_quotes_that_do_not_fit(tmp_path):
    path = write_json(
        tmp_path / "a.json", [label_studio("one two", [{"start": 0, "end": 3, "text": "two"}])]
    )
    with pytest.raises(ValueError, match=r"covers 'two', but the text has 'one' at \(0, 3\)"):
        read_spans(path)


@pytest.mark.parametrize("ends", [(0, 8), (7, 9), (-1, 2), (3, 1), (0.5, 2), ("a", 2), (None, 2)])
def test_spans_out_of_range(tmp_path, ends):
    path = write_lines(tmp_path / "a.jsonl", [{"text": "one two", "label": [[*ends, "x"]]}])
    with pytest.raises(ValueError, match=r"label\[0\]"):
        read_spans(path)


def test_overlapping_and_empty_spans(tmp_path):
    spans = [[0, 5, "a"], [3, 7, "b"], [1, 2, "a"], [7, 7, "a"]]
    path = write_lines(tmp_path / "a.jsonl", [{"text": "one two three", "label": spans}])
    with pytest.warns(UserWarning, match="1 empty spans"):
        bunch = read_spans(path)
    assert bunch.spans == [[(0, 7)]]
    assert len(bunch.marks[0]) == 3


# -- reports ---------------------------------------------------------------------------------------


def test_what_is_not_there_is_said(tmp_path):
    write_lines(tmp_path / "in/a.jsonl", [{"text": "a", "label": [[0, 1, "x"]]}, {"label": []}])
    write_json(tmp_path / "in/b.json", {"other": 1})
    with pytest.warns(UserWarning, match=r"1 records without a text; 1 files .*b\.json"):
        bunch = read_spans(tmp_path / "in")
    assert len(bunch.texts) == 1


def test_bad_arguments(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [{"text": "a", "label": [[0, 1, "device"]]}])
    with pytest.raises(ValueError, match=r"no label 'devise'; it has \['device'\]"):
        read_spans(path, labels="devise")
    with pytest.raises(TypeError, match="labels must be labels"):
        read_spans(path, labels=[3])
    for name in ("combine", "missing", "format", "offset_unit"):
        with pytest.raises(ValueError, match=f"{name} must be one of"):
            read_spans(path, **{name: "other"})
    with pytest.raises(FileNotFoundError, match="path must be an existing file"):
        read_spans(tmp_path / "b.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no annotation files"):
        read_spans(tmp_path / "empty")
    write_json(tmp_path / "b.json", [label_studio("one", [])])
    with pytest.raises(ValueError, match="holds several formats"):
        read_spans(tmp_path)


# -- files of others -------------------------------------------------------------------------------


@pytest.mark.skipif(not EXPORTS.is_dir(), reason="needs exports in SKEXPLAIN_DATA")
@pytest.mark.parametrize(
    "name",
    [
        "label_studio/ner_spans.json",
        "doccano/relation_extraction.jsonl",
        "doccano/sequence_labeling_export.jsonl",
        "prodigy/ner_tweets_demo.jsonl",
        "eraser/train.jsonl",
    ],
)
def test_exports_of_tools(name):
    expected = json.loads((EXPORTS / "expected.json").read_text())[name]
    bunch = read_spans(EXPORTS / name)
    assert all(spans is not None for spans in bunch.spans)
    marks = [sorted((start, end) for start, end, *_ in marks) for marks in bunch.marks]
    if "eraser" in name:
        assert bunch.target.tolist() == [record["c"] for record in expected]
        for text, found, record in zip(bunch.texts, marks, expected, strict=True):
            tokens = text.split()
            assert [text[s:e].split() for s, e in found] == [
                tokens[s:e] for s, e, _ in record["ev"]
            ]
        return
    if "label_studio" in name:
        wanted = [[tuple(item["span"]) for item in expected["items"]]]
        assert [item["text"] for item in sorted(expected["items"], key=lambda i: i["span"])] == [
            bunch.texts[0][start:end] for start, end in marks[0]
        ]
    elif "relation" in name:
        keys = ("start_offset", "end_offset")
        wanted = [[tuple(entity[key] for key in keys) for entity in expected[0]["entities"]]]
    else:
        wanted = [[tuple(s[:2]) for s in r.get("label", r.get("spans"))] for r in expected]
    assert marks == [sorted(spans) for spans in wanted]


@pytest.mark.skipif(not EXPORTS.is_dir(), reason="needs exports in SKEXPLAIN_DATA")
def test_answers_that_were_not_accepted_are_not_used():
    path = EXPORTS / "prodigy/ner_tweets_annotated_first10.jsonl"
    with pytest.warns(UserWarning, match="3 records with the answer 'ignore'"):
        bunch = read_spans(path)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record, spans in zip(records, bunch.spans, strict=True):
        accepted = record["answer"] == "accept" and record["spans"]
        wanted = [(s["start"], s["end"]) for s in record["spans"]] if accepted else None
        assert spans == wanted
    assert np.sum([spans is not None for spans in bunch.spans]) == 5
