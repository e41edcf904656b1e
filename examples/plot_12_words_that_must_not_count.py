"""
Words that must not count
=========================

Headers name the author of a message, and so give the newsgroup away. A model of topics must not
learn names. ``mask_from_words`` marks the columns that a vectorizer makes from these words.
"""

# %%
# This part writes two small newsgroups in the layout of 20 Newsgroups: a folder for each group, a
# file for each message. Their words are random, so that it is known which ones are reasons. In the
# training messages the header depends on the group. In the test messages it is random.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_files
from sklearn.feature_extraction.text import TfidfVectorizer

from skexplain import ERMClassifier, GradRegClassifier
from skexplain.inspection import SaliencyDisplay
from skexplain.masks import mask_from_words

HEADERS = {
    "rec.autos": "From: craig@umich.edu\nOrganization: engineering\n\n",
    "sci.space": "From: henry@toronto.ca\nOrganization: zoology\n\n",
}
TOPICS = {
    "rec.autos": ["brake", "dealer", "driver", "engine", "road", "sedan", "tyre", "wheel"],
    "sci.space": ["crew", "engine", "launch", "lunar", "orbit", "probe", "rocket", "shuttle"],
}
OTHER = ["about", "again", "because", "could", "every", "first", "good", "have", "know", "like"]
rng = np.random.default_rng(0)


def write_messages(folder, own_header, n_messages=200):
    """Write files of both groups, with the header of the group or with a random one."""
    groups = list(TOPICS)
    for group, other_group in zip(groups, reversed(groups), strict=True):
        (folder / group).mkdir(parents=True)
        for number in range(n_messages):
            words = [*rng.choice(OTHER, 16), *rng.choice(TOPICS[group], 3)]
            words.append(rng.choice(TOPICS[other_group]))
            header = HEADERS[group if own_header else rng.choice(groups)]
            text = header + " ".join(rng.permutation(words))
            (folder / group / f"{number:03}").write_text(text)


with tempfile.TemporaryDirectory() as folder:
    write_messages(Path(folder) / "train", own_header=True)
    write_messages(Path(folder) / "test", own_header=False)
    train = load_files(f"{folder}/train", encoding="utf-8", random_state=0)
    test = load_files(f"{folder}/test", encoding="utf-8", random_state=0)

print(train.data[0])

# %%
# One mask for all samples marks the columns of these words.
vectorizer = TfidfVectorizer()
X = vectorizer.fit_transform(train.data).toarray()
X_test = vectorizer.transform(test.data).toarray()

who_and_where = ["craig", "umich", "edu", "engineering", "henry", "toronto", "ca", "zoology"]
mask = mask_from_words(vectorizer, who_and_where)

plain = ERMClassifier(max_epochs=30, random_state=0).fit(X, train.target)
robust = GradRegClassifier(max_epochs=30, random_state=0).fit(X, train.target, mask=mask)

# %%
# The picture shows a test message with the header of the other newsgroup, for both models. Words in
# orange are evidence for the predicted group, words in purple against it. Underlined words must not
# matter.
is_wrong = plain.predict(X_test) != test.target
row = np.flatnonzero(is_wrong & (robust.predict(X_test) == test.target))[0]

figure, axes = plt.subplots(2, 1, figsize=(8, 3), layout="constrained")
for ax, name, clf in zip(axes, ["labels alone", "names masked"], [plain, robust], strict=True):
    SaliencyDisplay.from_estimator(
        clf,
        X_test,
        mask=mask,
        rows=[row],
        documents=test.data,
        feature_names=vectorizer.get_feature_names_out(),
        ax=np.array([[ax]]),
    )
    predicted = test.target_names[clf.predict(X_test[[row]])[0]]
    score = clf.score(X_test, test.target)
    ax.set_title(f"{name}: predicts {predicted}; test accuracy {score:.2f}", loc="left")

# Measured: 0.51 and 0.97.
assert plain.score(X, train.target) > 0.95
assert plain.score(X_test, test.target) < 0.7
assert robust.score(X_test, test.target) > 0.85

plt.show()
