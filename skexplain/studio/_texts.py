"""Texts with a class for each: words are marked."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimators import ERMClassifier, WithTokenizer, WordTokenizer
from ..estimators._token_rows import spread_marks
from ..inspection import query_explanations, saliency, suggest_masks
from ..masks import read_spans
from ._data import Data, Found, ItemMasks, Mask, Options, in_shares
from ._files import whole_file
from ._pictures import N_NEXT
from ._records import LABELS, choose_column, read_header, read_records, read_text
from ._scripts import TEXTS

_STORED = "texts.jsonl"
# Words whose presence is searched, and texts in which it is.
_N_WORDS, _N_SEARCHED = 500, 2000
# What columns with texts are called, unless their name is given.
_TEXTS = ("text", "sentence", "document", "content", "message", "body")

Span = tuple[int, int]


class Texts(Data):
    """Texts, and a mask of its words for each."""

    kind = "texts"
    items = samples = "texts"
    suffix = ".json"
    exports = ("doccano",)
    adds = True
    control = "labels and other words, drawn at random"
    unmarked = "Mark words in texts of the training first; held-out texts do not count."
    epochs, lr = 40, 0.01

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        super().__init__(folder, settings)
        lines = (folder / _STORED).read_text(encoding="utf-8").splitlines()
        self.X = [json.loads(line)["text"] for line in lines]
        if not len(self.X) == len(self.y) == len(self.names) == len(self.held_out):
            raise ValueError("its texts, names and labels differ in number")
        self._words = lru_cache(maxsize=4096)(self._find_words)

    @staticmethod
    def store(folder: Path, source: Path, options: Options) -> dict[str, Any]:
        """Read texts from a file with a column for them, or from class folders."""
        records, skipped = [], {}
        for name, text, label in _read(source, options):
            if text.strip() and label:
                records.append((name, text, label))
            else:
                skipped[name] = "no text or no label"
        with whole_file(folder / _STORED) as beside:
            beside.write_bytes(_lines({"text": text} for _, text, _ in records))
        return {
            "names": [name for name, _, _ in records],
            "labels": [label for _, _, label in records],
            "skipped": skipped,
        }

    def _find_words(self, number: int) -> list[Span]:
        # As the tokens of the models, which learn their vocabulary from the training.
        text = [self.X[number]]
        _, offsets = WordTokenizer().fit(text).encode(text)[0]
        return [(int(start), int(end)) for start, end in offsets]

    def _word_texts(self, number: int) -> list[str]:
        return [self.X[number][start:end].lower() for start, end in self._words(number)]

    def shape_of(self, number: int) -> tuple[int, ...]:
        """Return the number of words."""
        return (len(self._words(number)),)

    def content(self, number: int) -> dict[str, Any]:
        """Return the words and what stands between them; browsers count characters otherwise."""
        text, words = self.X[number], self._words(number)
        starts = [*(start for start, _ in words), len(text)]
        pieces = [
            [text[start:end], text[end:after]]
            for (start, end), after in zip(words, starts[1:], strict=True)
        ]
        return {"before": text[: starts[0]], "words": pieces}

    def spans_of(self, number: int, mask: Mask) -> list[Span]:
        """Return the marked spans of a text, in characters."""
        spans: list[Span] = []
        last = -2
        for place in np.flatnonzero(mask).tolist():
            start, end = self._words(number)[place]
            if place == last + 1:
                start = spans.pop()[0]
            spans.append((start, end))
            last = place
        return spans

    def _mask_of_spans(self, number: int, spans: Iterable[Any]) -> Mask:
        mask = np.zeros(self.shape_of(number), dtype=bool)
        words = np.array(self._words(number), dtype=int).reshape(-1, 2)
        for start, end, *_ in spans:
            mask |= (words[:, 0] < end) & (words[:, 1] > start)
        return mask

    def write_mask(self, path: Path, number: int, mask: Mask) -> None:
        """Write the spans in characters."""
        path.write_text(json.dumps(self.spans_of(number, mask)), encoding="utf-8")

    def read_mask(self, path: Path, number: int) -> Mask:
        """Read spans."""
        return self._mask_of_spans(number, json.loads(path.read_text(encoding="utf-8")))

    # -- what is learnt -------------------------------------------------------------------------

    def masks_of(self, numbers: NDArray[np.intp], masks: ItemMasks) -> Any:
        """Return a list of spans, or None, for each text."""
        given = ((number, masks[number]) for number in numbers.tolist())
        return [None if mask is None else self.spans_of(row, mask) for row, mask in given]

    def shuffled(self, masks: ItemMasks, seed: int) -> ItemMasks:
        """Return as many words of each text, drawn at random."""
        draw = np.random.default_rng(seed)
        return [None if mask is None else draw.permutation(mask) for mask in masks]

    def estimator(self, with_marks: bool, **params: Any) -> Any:
        """Return an estimator on texts."""
        return WithTokenizer(super().estimator(with_marks, **params))

    def with_network(self, clf: Any, network: Any) -> Any:
        """Return the estimator on texts with another one on tokens."""
        clf.estimator_ = network
        return clf

    def without_callbacks(self, clf: Any) -> Any:
        """Return the estimator without callbacks within."""
        clf.estimator_.set_params(callbacks=None)
        return clf.set_params(estimator__callbacks=None)

    def samples_of(self, numbers: NDArray[np.intp]) -> list[str]:
        """Return texts."""
        return [self.X[number] for number in numbers.tolist()]

    def network_of(self, clf: Any) -> Any:
        """Return the estimator on tokens."""
        return clf.estimator_

    def arrays_of(self, clf: Any, numbers: NDArray[np.intp]) -> NDArray[Any]:
        """Return ids of tokens."""
        return clf.tokenize(self.samples_of(numbers)).ids

    def array_masks_of(self, clf: Any, numbers: NDArray[np.intp], masks: ItemMasks) -> Any:
        """Return masks of tokens."""
        return clf.tokenize(self.samples_of(numbers), self.masks_of(numbers, masks)).mask

    def looks_at(self, clf: Any, number: int) -> NDArray[np.float64]:
        """Return the saliency of each word; of those behind the last token there is none."""
        ids = self.arrays_of(clf, np.array([number]))
        found = np.abs(saliency(clf.estimator_, ids)[0])
        looks = np.zeros(self.shape_of(number))
        looks[: len(found)] = found[: len(looks)]
        return in_shares(looks)

    def suggest(self, clf: Any, seed: int) -> list[Found]:
        """Search a table of which text has which word for words that give the label away.

        Words move, so that no place in the texts is searched, and the model of this search is one
        of the table.
        """
        from sklearn.feature_extraction.text import CountVectorizer

        draw = np.random.default_rng(seed)
        rows = np.sort(draw.permutation(len(self.X))[:_N_SEARCHED])
        table = CountVectorizer(
            analyzer=self._word_texts, binary=True, min_df=2, max_features=_N_WORDS
        )
        try:
            there = table.fit_transform(rows.tolist()).toarray().astype(np.float32)
        except ValueError:  # no word is in two texts
            return []
        params = {"lr": self.lr, "max_epochs": self.settings["max_epochs"], "random_state": seed}
        words_alone = ERMClassifier(**params).fit(there, self.y[rows])
        names = table.get_feature_names_out()
        found: dict[str, Found] = {}
        for one in suggest_masks(words_alone, there, random_state=seed):
            # Each word of a group is a question of its own, the most suspicious first.
            order = np.argsort(-one.suspicion, kind="stable")
            for word in names[order[one.mask[order]]].tolist():
                if word not in found:
                    found[word] = Found.of(one, word, self._occurrences({word}))
        return list(found.values())

    def _occurrences(self, words: set[str]) -> dict[int, Mask]:
        """Return masks of all places where words stand, of texts that have one."""
        masks = {}
        for number in range(len(self.X)):
            mask = np.array([word in words for word in self._word_texts(number)], dtype=bool)
            if mask.any():
                masks[number] = mask
        return masks

    def next_items(self, clf: Any, masks: ItemMasks, seed: int) -> list[int]:
        """Return texts without a mask, typical of how the model looks at them."""
        n_open = sum(mask is None for mask in masks)
        if not n_open:
            return []
        everything = np.arange(len(self.X))
        ids, n = self.arrays_of(clf, everything), min(N_NEXT, n_open)
        given = None
        if n_open < len(self.X):
            given = self.array_masks_of(clf, everything, masks)
        chosen = query_explanations(clf.estimator_, ids, n, mask=given, random_state=seed)
        return chosen.tolist()

    def propagate(self, masks: ItemMasks, seed: int) -> tuple[dict[int, Mask], float | None]:
        """Mark words of the other texts that are mostly marked where they stand."""
        if all(mask is None for mask in masks):
            raise ValueError("Mark words in some texts first.")
        tokenizer = WordTokenizer().fit(self.X)
        rows = [None if mask is None else mask.astype(np.float32) for mask in masks]
        spread = spread_marks(rows, tokenizer.encode(self.X), len(tokenizer.vocabulary_) + 2)
        # Words that stand in no annotated text are guessed not to be marked.
        doubts = [np.isnan(row).sum() for row in spread]
        return {
            number: np.nan_to_num(spread[number]) > 0.5
            for number in np.argsort(-np.array(doubts), kind="stable").tolist()
            if masks[number] is None
        }, None

    def copies(self, number: int, mask: Mask) -> dict[int, Mask]:
        """Return where the marked words of a text stand in all texts."""
        words = {self._word_texts(number)[place] for place in np.flatnonzero(mask).tolist()}
        nothing = {row: np.zeros(self.shape_of(row), dtype=bool) for row in range(len(self.X))}
        return nothing | self._occurrences(words)

    # -- what is brought and taken away ---------------------------------------------------------

    def read_marks(self, path: Path) -> dict[int, Mask]:
        """Read spans that an annotation tool exported, of the same texts."""
        bunch = read_spans(path)
        marked: dict[str, list[Any]] = {}
        for text, spans in zip(bunch.texts, bunch.spans, strict=True):
            if spans is not None:
                marked.setdefault(text, []).extend(spans)
        masks = {
            number: self._mask_of_spans(number, marked[text])
            for number, text in enumerate(self.X)
            if text in marked
        }
        if not masks:
            raise ValueError("The file has no marks in any of these texts.")
        return masks

    def export(self, what: str, masks: ItemMasks) -> tuple[str, bytes]:
        """Return the marks as lines of JSON that doccano reads."""
        records = [
            {
                "text": self.X[number],
                "label": [[*span, "must not matter"] for span in self.spans_of(number, mask)],
            }
            for number, mask in enumerate(masks)
            if mask is not None
        ]
        return "application/jsonl", _lines(records)

    def write_script(self, archive: zipfile.ZipFile, masks: ItemMasks) -> None:
        """Add the script, and the texts with labels and spans."""
        given = self.masks_of(np.arange(len(self.X)), masks)
        archive.writestr(
            "texts.jsonl",
            _lines(
                {"text": text, "label": str(label), "mask": spans}
                for text, label, spans in zip(self.X, self.y, given, strict=True)
            ),
        )
        settings = self.settings
        script = TEXTS.format(
            held_out=settings["share_held_out"],
            seed=settings["random_state"],
            max_epochs=settings["max_epochs"],
        )
        archive.writestr("repeat.py", script)


def _lines(records: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def _read(source: Path, options: Options) -> Iterator[tuple[str, str, str]]:
    """Return the name, the text and the label of each sample."""
    if source.is_dir():
        for path in sorted(filter(Path.is_file, source.glob("*/*.txt"))):
            yield path.relative_to(source).as_posix(), read_text(path), path.parent.name
        return
    records = read_records(source)
    # Of columns with one name a record has but one.
    of_values = source.suffix.lower() == ".csv"
    columns = read_header(source) if of_values else list(records[0]) if records else []
    label = choose_column("label", options.label, columns, LABELS, source)
    text = choose_column("text", options.text, columns, _TEXTS, source)
    for number, record in enumerate(records):
        given = record.get(label)
        name = f"{number + 1}: {str(record.get(text) or '')[:60]}"
        yield name, str(record.get(text) or ""), "" if given is None else str(given)
