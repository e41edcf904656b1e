"""Time of fits on tokens: beside a loop by hand, with batches by length, and in a search.

    python benchmarks/text_speed.py

Texts are random words, 5 to 120 of them (a median of 24), with one marked word each.  The loop by
hand is tuned (fused Adam) and is given ids that are padded and in memory; both make the same
passes over the same network on batches of 64, in one thread.  Contestants take turns; a figure is
the median over the turns of ratios of the time on the processor, which a busy machine changes
little.
"""

import argparse
import copy
import statistics
import time
from collections import Counter

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.nn import functional

from skexplain import ERMClassifier, SwapExClassifier, WithTokenizer
from skexplain.training._token_network import TokenNetwork

N_IDS, PAD, UNKNOWN, BATCH = 5_000, 0, 1, 64


class Transformer(nn.Module):
    """Two layers of attention, a mean over the tokens, a linear layer."""

    def __init__(self, width=64):
        super().__init__()
        self.embedding = nn.Embedding(N_IDS, width, padding_idx=PAD)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 2)

    def forward(self, ids):
        """Compute the logits."""
        there = (ids != PAD).unsqueeze(2)
        states = self.blocks(self.embedding(ids), src_key_padding_mask=ids == PAD)
        return self.head((states * there).sum(1) / there.sum(1).clamp(min=1))


def make_texts(n_texts, seed=0):
    """Return padded ids, classes, and marks of one word of each text."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(np.log(24), 0.6, n_texts), 5, 120).astype(int)
    X = np.full((n_texts, 120), PAD)
    mask = np.zeros(X.shape, dtype=bool)
    for row, length in enumerate(lengths):
        X[row, :length] = 2 + (rng.zipf(1.3, length) % (N_IDS - 2))
        mask[row, rng.integers(length)] = True
    return X, rng.integers(2, size=n_texts), mask


def by_hand(network, X, y, mask, epochs, swaps):
    """Train as someone writes it for one network."""
    X, y, mask = map(torch.as_tensor, (X, y, mask))
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    network.train()
    for _ in range(epochs):
        for index in torch.randperm(len(X)).split(BATCH):
            x = X[index]
            if swaps:
                donors = torch.randint(len(X), (len(index),))
                either = (mask[index] | mask[donors]) & (x != PAD)
                given = torch.where(X[donors] == PAD, x, X[donors])
                x = torch.where(either, given, x)
            optimizer.zero_grad()
            functional.cross_entropy(network(x), y[index]).backward()
            optimizer.step()


def seconds(function):
    """Time on the processor of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def beside_a_loop(n_turns):
    """Print the ratios of fits to loops, and of batches by length to others."""
    built_in = TokenNetwork(N_IDS, 2, PAD, UNKNOWN)
    print("| network | method | fit / loop by hand | by length / fit |\n| --- | --- | --- | --- |")
    contests = (("built-in", built_in, 10, 2_000), ("transformer", Transformer(), 5, 640))
    for name, network, epochs, n_texts in contests:
        X, y, mask = make_texts(n_texts)
        for method, cls in (("labels alone", ERMClassifier), ("swap", SwapExClassifier)):
            given = {} if cls is ERMClassifier else {"mask": mask}
            settings = {"max_epochs": epochs, "batch_size": BATCH, "mask_id": UNKNOWN}
            settings["random_state"] = 0

            def fit(by_length, cls=cls, network=network, X=X, y=y, given=given, settings=settings):
                cls(network, batches_by_length=by_length, **settings).fit(X, y, **given)

            def loop(network=network, X=X, y=y, mask=mask, epochs=epochs, given=given):
                by_hand(copy.deepcopy(network), X, y, mask, epochs, bool(given))

            turns = [
                (
                    seconds(loop),
                    seconds(lambda fit=fit: fit(False)),
                    seconds(lambda fit=fit: fit(True)),
                )
                for _ in range(n_turns + 1)
            ][1:]
            over_loop = statistics.median(whole / hand for hand, whole, _ in turns)
            by_length = statistics.median(short / whole for _, whole, short in turns)
            print(f"| {name} | {method} | {over_loop:.2f} | {by_length:.2f} |", flush=True)


def in_a_search(n_texts):
    """Print how often a text is tokenised in a search."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(2_000)])
    texts = [" ".join(rng.choice(words, 20)) for _ in range(n_texts)]
    y, calls = rng.integers(2, size=n_texts), Counter()

    def split(text):
        calls["text"] += 1
        return text.split()

    inner = SwapExClassifier(max_epochs=1, random_state=0)
    search = GridSearchCV(inner, {"lr": [1e-3, 1e-2], "alpha": [1.0, "replace"]}, cv=3)
    WithTokenizer(search, split).fit(texts, y, mask=[["word1"]])
    print(f"\nSearch over 4 settings in 3 folds, {n_texts:,} texts: a text is split", end=" ")
    print(f"{calls['text'] / n_texts:g} times (for the vocabulary, and for its ids).")


def main():
    """Run all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns that count")
    parser.add_argument("--texts", type=int, default=10_000, help="of the search")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    in_a_search(chosen.texts)
    beside_a_loop(chosen.repeats)


if __name__ == "__main__":
    main()
