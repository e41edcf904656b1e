"""Exports of texts, written by hand."""

import json


def write_lines(path, records):
    """Write a file with a record in each line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join(map(json.dumps, records)).encode())
    return path


def write_json(path, content):
    """Write a JSON file."""
    path.write_text(json.dumps(content))
    return path


def label_studio(text, spans, **more):
    """A task of Label Studio with one annotation."""
    result = [
        {"type": "labels", "to_name": "text", "value": {"labels": ["x"], **span}} for span in spans
    ]
    return {"id": 1, "data": {"text": text}, "annotations": [{"result": result, **more}]}


# A record of each format.
PLAIN = {
    "doccano": {
        "id": 1,
        "text": "one 👍 two",
        "label": [[0, 3, "x"]],
        "entities": [{"start_offset": 0, "end_offset": 3, "label": "x"}],
        "username": "a",
    },
    "prodigy": {
        "text": "one two",
        "_input_hash": 4,
        "spans": [{"start": 0, "end": 3, "label": "x", "text": "one"}],
        "answer": "accept",
        "accept": ["y"],
        "_session_id": "a",
    },
    "label_studio": label_studio(
        "one two", [{"start": 0, "end": 3, "text": "one"}], completed_by=2
    ),
    "eraser": {
        "annotation_id": "q",
        "docids": ["a"],
        "evidences": [[{"docid": "a", "start_token": 0, "end_token": 1, "text": "one"}]],
        "classification": "x",
    },
    "token_votes": {
        "post_id": "p",
        "annotators": [{"label": "x", "annotator_id": 1}],
        "rationales": [[1, 0]],
        "post_tokens": ["one", "two"],
    },
}
