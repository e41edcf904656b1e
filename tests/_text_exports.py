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
