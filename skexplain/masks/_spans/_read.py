"""Spans of what annotation tools write."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from ..._checks import check_option, check_path, is_iterable
from .._rows import Missing, check_missing
from ._combine import COMBINE, Combine, Spans, combine_text
from ._files import FORMATS, read_files
from ._texts import OFFSET_UNITS, AnnotatedText, Mark


def read_spans(
    path: str | os.PathLike[str],
    *,
    labels: str | Sequence[str] | None = None,
    combine: Combine = "union",
    missing: Missing = "unknown",
    format: str | None = None,
    offset_unit: Literal["code_point", "utf16"] | None = None,
    predictions: bool = False,
) -> Bunch:
    """Read texts, and what people marked in them, from what an annotation tool exports.

    Which tool it was is seen from the files: doccano, Prodigy and Label Studio (JSON and JSON-MIN),
    the data sets of ERASER, and votes on tokens as HateXplain has them.

    Parameters
    ----------
    path : path-like
        The file, or a folder of them: of doccano a file for each person; of ERASER the annotations,
        beside ``docs.jsonl`` or a folder ``docs``.
    labels : str or sequence of str, default=None
        Labels whose spans are marked.  None: all spans.
    combine : {"union", "majority", "degree"}, default="union"
        How the spans of several people become one, as in :func:`combine_spans`.
    missing : {"unknown", "empty", "error"}, default="unknown"
        What a text is that was annotated without a span to mark: not annotated (None);
        annotated, with nothing marked (an empty list); or an error.
    format : {"doccano", "prodigy", "label_studio", "eraser", "token_votes"}, default=None
        The format, where the files do not show it.
    offset_unit : {"code_point", "utf16"}, default=None
        Whether the tool counted characters such as emoji once, as Python does, or twice, as
        browsers do.  None: as the texts show that the export quotes; Prodigy counts once.
    predictions : bool, default=False
        Whether to read the predictions in an export of Label Studio, for tasks that were not
        annotated.

    Returns
    -------
    Bunch
        - ``texts``: list of str, as they stand in the export.
        - ``target``: ndarray of str of shape (n_texts,), the class of each text, of several
          people's the most frequent; None in its place where there is none or a tie.  None if no
          text has a class.  JSON-MIN does not distinguish classes from other columns, and has none.
        - ``spans``: list, for each text a list of (start, end) in characters, `end` exclusive, or
          of (start, end, degree) with ``combine="degree"``; None where it was not annotated.  It is
          what ``WithTokenizer.fit(mask=...)`` takes.
        - ``annotators``: dict, for each person such a list of what this person marked.
        - ``marks``: list, for each text all marks with their labels, as tuples (start, end, label,
          annotator).
        - ``labels``: list of str, the labels of all marks.
        - ``ids``: list, for each text its identity in the export, or None.
        - ``format``: str.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If files are broken or of no known format, or of several; if a span lies outside of its
        text, or covers other words than the export says; if it matters what the tool counted and
        nothing shows it; if no span has one of the `labels`; or if another argument is not as
        described.

    Warns
    -----
    UserWarning
        If something in the export is not among the spans: records without a text, answers other
        than "accept", empty spans, files that are not recognised, classes without a majority.

    See Also
    --------
    combine_spans : Union, majority or degree, of one's own spans.
    span_agreement : How far people agree.
    read_annotations : Masks of pictures.

    Notes
    -----
    Records of one identity and one text are those of several people.  All groups of evidence of
    ERASER are united; several documents of one annotation are joined by line breaks, tokens of
    HateXplain by spaces.  Those who gave no rationale there, as they found the text normal, do not
    count among its annotators.

    Files are not trusted: documents of ERASER are read from their folder alone.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> from skexplain.masks import read_spans
    >>> record = {"text": "Portable film, opacity", "label": [[0, 8, "device"]]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "export.jsonl")
    ...     _ = path.write_text(json.dumps(record))
    ...     bunch = read_spans(path, labels="device")
    >>> bunch.texts, bunch.spans
    (['Portable film, opacity'], [[(0, 8)]])
    """
    check_missing(missing)
    check_option("combine", combine, COMBINE)
    if format is not None:
        check_option("format", format, FORMATS)
    if offset_unit is not None:
        check_option("offset_unit", offset_unit, OFFSET_UNITS)
    found, records, unknown = read_files(
        check_path("path", path), format, offset_unit, predictions=predictions
    )
    report: Counter[str] = Counter()
    for record in records:
        report.update(record.left_out)
    records = [record for record in records if not record.left_out["records without a text"]]
    wanted = _check_labels(labels, records, path)
    chosen = [
        [mark for mark in record.marks if wanted is None or mark.label in wanted]
        for record in records
    ]
    spans = [
        _spans(record, record.annotators, marks, combine, missing)
        for record, marks in zip(records, chosen, strict=True)
    ]
    people = sorted({name for record in records for name in record.annotators})
    annotators = {
        name: [
            _spans(record, [name], marks, "union", missing) if name in record.annotators else None
            for record, marks in zip(records, chosen, strict=True)
        ]
        for name in people
    }
    target = _target(records, report)
    _report(path, found, unknown, report)
    return Bunch(
        texts=[record.text for record in records],
        target=target,
        spans=spans,
        annotators=annotators,
        marks=[[tuple(mark) for mark in record.marks] for record in records],
        labels=sorted({mark.label for record in records for mark in record.marks}),
        ids=[record.key for record in records],
        format=found,
    )


def _check_labels(
    labels: str | Sequence[str] | None, records: Sequence[AnnotatedText], path: object
) -> set[str] | None:
    """Return the labels to mark, None for all."""
    if labels is None:
        return None
    given = [labels] if isinstance(labels, str) else labels
    if not is_iterable(given) or not all(isinstance(label, str) for label in given):
        raise TypeError(f"labels must be labels, or None for all; got {labels!r}.")
    names = set(given)
    known = {mark.label for record in records for mark in record.marks}
    for name in sorted(names - known):
        close = get_close_matches(name, known, cutoff=0.5) or sorted(known)
        raise ValueError(f"labels: {path} has no label {name!r}; it has {close}.")
    return names


def _spans(
    record: AnnotatedText,
    people: Sequence[str],
    marks: Sequence[Mark],
    combine: Combine,
    missing: Missing,
) -> Spans | None:
    """Return the spans of a text by some people; None where it counts as not annotated."""
    by_person = {name: [(m.start, m.end) for m in marks if m.annotator == name] for name in people}
    if people and not any(by_person.values()):
        if missing == "error":
            raise ValueError(
                f'{record.where} has no span to mark (missing="unknown" leaves such a text without '
                "annotation)."
            )
        return [] if missing == "empty" else None
    return combine_text(list(by_person.values()), combine)


def _target(records: Sequence[AnnotatedText], report: Counter[str]) -> NDArray[np.object_] | None:
    """Return the class of each text that most people gave it."""
    if not any(record.targets for record in records):
        return None
    target = np.full(len(records), None, dtype=object)
    for row, record in enumerate(records):
        best = Counter(record.targets).most_common(2)
        if len(best) == 2 and best[0][1] == best[1][1]:
            report["texts whose class has no majority"] += 1
        elif best:
            target[row] = best[0][0]
    return target


def _report(path: object, found: str, unknown: Sequence[str], report: Counter[str]) -> None:
    """Warn of what is in the export and not in the result."""
    described = [f"{count} {kind}" for kind, count in sorted(report.items())]
    if unknown:
        described.append(f"{len(unknown)} files that are not recognised, such as {unknown[0]}")
    if described:
        warnings.warn(
            f"{path} ({found}): these mark nothing: {'; '.join(described)}.",
            UserWarning,
            stacklevel=3,
        )
