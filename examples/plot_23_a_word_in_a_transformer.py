"""
A word that must not count in a transformer
===========================================

An audit finds that a transformer classifies reports by the device that is named in them. A mask of
this one word mends it: ``WithTokenizer`` takes the texts and the word as they are, and so does the
audit.
"""

# %%
# The reports are random, so that it is known which words are reasons. In those at hand a portable
# device was used for ill patients; later everyone may be examined with it.
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from skexplain import ERMClassifier, SwapExClassifier, WithTokenizer
from skexplain.inspection import SaliencyDisplay, audit
from skexplain.metrics import worst_group_accuracy

FINDINGS = {
    "ill": ["opacity", "effusion", "infiltrate", "consolidation", "collapse"],
    "well": ["clear", "unremarkable", "normal", "stable", "symmetric"],
}
OTHER = [
    *("the", "of", "on", "left", "right", "lung", "base", "heart", "size", "seen", "today"),
    *("with", "compared", "prior", "view"),
]
rng = np.random.default_rng(0)


def write_reports(n_reports, follows_label):
    """Return reports, classes, and whether the device is named."""
    texts, y, named = [], [], []
    for number in range(n_reports):
        label = ["ill", "well"][number % 2]
        has_device = bool(rng.integers(2)) if not follows_label else label == "ill"
        words = [*rng.choice(OTHER, 10), rng.choice(FINDINGS[label])]
        words += ["portable"] if has_device else []
        texts.append(" ".join(rng.permutation(words)))
        y.append(label)
        named.append(has_device)
    return texts, np.array(y), np.array(named)


texts, y, _ = write_reports(400, follows_label=True)
texts_held_out, y_held_out, _ = write_reports(500, follows_label=True)
texts_later, y_later, named_later = write_reports(400, follows_label=False)


# %%
# Any network goes in that begins with an embedding. Padding has id 0.
class Transformer(nn.Module):
    """A layer of attention, and a linear layer on the mean of the tokens."""

    def __init__(self, n_outputs, width=32):
        super().__init__()
        self.embedding = nn.Embedding(100, width, padding_idx=0)
        self.block = nn.TransformerEncoderLayer(width, 4, 2 * width, batch_first=True)
        self.head = nn.Linear(width, n_outputs)

    def forward(self, ids):
        """Compute the logits."""
        there = (ids != 0).unsqueeze(2)
        states = self.block(self.embedding(ids), src_key_padding_mask=ids == 0)
        return self.head((states * there).sum(1) / there.sum(1).clamp(min=1))


torch.set_num_threads(1)
settings = {"max_epochs": 25, "lr": 3e-3, "random_state": 0}
plain = WithTokenizer(ERMClassifier(Transformer, **settings)).fit(texts, y)

# %%
# On reports like those at hand it makes no mistake. The audit gives the word to reports without it,
# takes it away from others, and counts how many predictions follow.
report = audit(plain, texts_held_out, y_held_out, mask=[["portable"]], random_state=0)
print(report)

# %%
# The same network, with the word marked in all texts. Then no prediction follows the word.
robust = WithTokenizer(SwapExClassifier(Transformer, **settings))
robust.fit(texts, y, mask=[["portable"]])
mended = audit(robust, texts_held_out, y_held_out, mask=[["portable"]], random_state=0)
print(mended.verdict, mended.reason)

groups = [f"{label}, {named}" for label, named in zip(y_later, named_later, strict=True)]
worst = {
    name: worst_group_accuracy(y_later, clf.predict(texts_later), groups)
    for name, clf in {"labels alone": plain, "word marked": robust}.items()
}
print(worst)

# %%
# Words that speak for the predicted class are orange, words against it are purple; the one that
# must not matter is underlined. ``to_html`` writes the same as a page.
rows = np.flatnonzero(named_later & (y_later == "well"))[:2]
figure, axes = plt.subplots(2, 2, figsize=(9, 3), layout="constrained")
for column, (name, clf) in enumerate({"labels alone": plain, "word marked": robust}.items()):
    SaliencyDisplay.from_estimator(
        clf, texts_later, mask=[["portable"]], rows=rows, ax=axes[:, [column]]
    )
    axes[0, column].set_title(name, loc="left", fontsize=9)

assert report.verdict == "leans"
assert mended.verdict == "does not lean"
# Measured: 0.00 and 1.00.
assert worst["labels alone"] < 0.5
assert worst["word marked"] > 0.85

plt.show()
