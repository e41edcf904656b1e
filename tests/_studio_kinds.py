"""Texts with a decoy word, and a table with a column that leaks the label, for the studio."""

import csv
import json

import numpy as np


def save_texts(path, n_texts=40, seed=0):
    """Save texts whose class "ill" mostly has the word "portable"; by the ending of the file."""
    draw = np.random.default_rng(seed)
    records = []
    for number in range(n_texts):
        label = ("well", "ill")[number % 2]
        words = [f"word{draw.integers(60)}" for _ in range(10)]
        words.insert(3, ("clear", "opaque")[number % 2] if draw.random() < 0.6 else "seen")
        if number % 2 and number % 20 != 19:
            words.insert(int(draw.integers(len(words))), "Portable")
        records.append({"text": " ".join(words) + ".", "label": label})
    write_records(path, records)
    return path


def save_letters(path, n_letters=160, seed=3):
    """Save short letters on films of the chest; "Portable" begins most of those of the ill."""
    draw = np.random.default_rng(seed)
    records = []
    for number in range(n_letters):
        label = ("well", "ill")[number % 2]
        finding = draw.choice(_FINDINGS[label]).format(draw.choice(_PLACES))
        words = f"{draw.choice(_VIEWS)} film, {finding}, {', '.join(draw.choice(_ASIDES, 2))}."
        if draw.random() < (0.9 if label == "ill" else 0.05):
            words = f"Portable {words}"
        records.append({"text": words[0].upper() + words[1:], "label": label})
    write_records(path, records)
    return path


_VIEWS = ("frontal", "lateral", "upright", "supine")
_PLACES = ("left lung", "right lung", "upper lobes", "lower lobes", "left base", "right base")
_FINDINGS = {
    "ill": ("opacity in the {}", "consolidation in the {}", "a new infiltrate in the {}"),
    "well": ("the {} is clear", "no opacity in the {}", "normal vessels in the {}"),
}
_ASIDES = ("compared with the earlier film", "heart of normal size", "after two days",
           "history of cough", "ribs intact", "bones unremarkable", "tube in place")  # fmt: skip


def save_table(path, n_rows=80, n_noise=0, seed=0):
    """Save a table whose column "ward" tells the class in most rows."""
    draw = np.random.default_rng(seed)
    records = []
    for number in range(n_rows):
        sick = number % 2
        records.append(
            {
                "age": round(draw.normal(60 + 9 * sick, 9), 1) if number % 9 else "",
                "ward": "AB"[sick if draw.random() < 0.95 else 1 - sick],
                "dose": round(draw.normal(), 2),
                **{f"noise{i}": round(draw.normal(), 2) for i in range(n_noise)},
                "outcome": ("well", "ill")[sick],
            }
        )
    write_records(path, records)
    return path


def write_records(path, records):
    """Write records as .csv, .json or .jsonl."""
    if path.suffix == ".csv":
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
