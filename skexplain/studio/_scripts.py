"""Python scripts that repeat what was done in the studio; one for each kind of data."""

_SPLIT = """\
train, held_out = train_test_split(
    np.arange(len(y)), test_size={held_out!r}, stratify=y, random_state={seed!r}
)
train = np.sort(train)
"""

_HEAD = '''\
"""What was done in the studio, once more: pictures and masks in, a trained model out.

The masks lie beside this file, in the folder "masks": a PNG file for each annotated picture.
"""

from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from skexplain import SwapExClassifier, save
'''

_FIT = (
    _SPLIT
    + """\

clf = SwapExClassifier({network}{params}max_epochs={max_epochs!r}, random_state={seed!r})
clf.fit(X[train], y[train], mask=mask[train])
print("accuracy on held-out pictures:", clf.score(X[held_out], y[held_out]))
print(audit(clf, X[held_out], y[held_out], mask[held_out], random_state={seed!r}))
save(clf, here / "model.safetensors")
np.savetxt(here / "predictions.txt", clf.predict(X), fmt="%s", encoding="utf-8")
"""
)

PICTURES = (
    _HEAD
    + """\
from skexplain.datasets import load_images
from skexplain.inspection import audit
from skexplain.masks import mask_from_folder
{imports}
here = Path(__file__).parent
photos = load_images({pictures!r}, {size!r}, fit={fit!r}, errors="warn")
X, y = photos.data, photos.target_names[photos.target]
mask = mask_from_folder(here / "masks", list(photos.filenames), marked="nonzero")
"""
    + _FIT
)

ARRAYS = (
    _HEAD
    + """\
from skexplain.inspection import audit
from skexplain.masks import mask_from_folder
from skexplain.studio import read_pictures
{imports}
here = Path(__file__).parent
X, y, _ = read_pictures({pictures!r})
names = [f"{{number:06}}" for number in range(len(X))]
mask = mask_from_folder(here / "masks", names, marked="nonzero")
"""
    + _FIT
)

TEXTS = (
    '''\
"""What was done in the studio, once more: texts and marked words in, a trained model out.

The texts lie beside this file in "texts.jsonl", with their labels, and with the spans in characters
that must not matter; null where a text was not looked at.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from skexplain import SwapExClassifier, WithTokenizer, save
from skexplain.inspection import audit

here = Path(__file__).parent
with open(here / "texts.jsonl", encoding="utf-8") as file:
    records = [json.loads(line) for line in file]
texts = [record["text"] for record in records]
y = np.array([record["label"] for record in records])
mask = [record["mask"] for record in records]
'''
    + _SPLIT
    + """\

clf = WithTokenizer(SwapExClassifier(lr=0.01, max_epochs={max_epochs!r}, random_state={seed!r}))
clf.fit([texts[i] for i in train], y[train], mask=[mask[i] for i in train])
seen = clf.tokenize([texts[i] for i in held_out], [mask[i] for i in held_out])
print("accuracy on held-out texts:", clf.estimator_.score(seen.ids, y[held_out]))
print(audit(clf.estimator_, seen.ids, y[held_out], seen.mask, random_state={seed!r}))
save(clf, here / "model.safetensors")
np.savetxt(here / "predictions.txt", clf.predict(texts), fmt="%s", encoding="utf-8")
"""
)

TABLE = (
    '''\
"""What was done in the studio, once more: a table and marked columns in, a trained model out.

The table lies beside this file.
"""

from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from skexplain import SwapExClassifier, save
from skexplain.inspection import audit
from skexplain.masks import mask_from_columns
from skexplain.studio import encode_columns, read_table

MARKED = {marked!r}
UNKNOWN = {unknown!r}  # not looked at

here = Path(__file__).parent
frame, y = read_table(here / {name!r}, label={label!r})
'''
    + _SPLIT
    + """\

encode = encode_columns(frame).fit(frame.iloc[train])
X = encode.transform(frame).astype(np.float32)
mask = mask_from_columns(encode, MARKED, match="input").astype(np.float32)
if UNKNOWN:
    mask[mask_from_columns(encode, UNKNOWN, match="input")] = np.nan

clf = SwapExClassifier(lr=0.01, max_epochs={max_epochs!r}, random_state={seed!r})
clf.fit(X[train], y[train], mask=mask)
print("accuracy on held-out rows:", clf.score(X[held_out], y[held_out]))
print(audit(clf, X[held_out], y[held_out], mask, random_state={seed!r}))
save(clf, here / "model.safetensors")
np.savetxt(here / "predictions.txt", clf.predict(X), fmt="%s", encoding="utf-8")
"""
)
