"""
A pretrained network gets a new head
====================================

Networks of torchvision, timm and transformers come with a head for the classes that they were
trained on. ``replace_head`` puts a new one in its place, and ``backbone_lr`` trains the rest more
slowly. The swap works as it does from scratch.
"""

# %%
# So that nothing is downloaded, the pretrained network is made here: it learns the digits 0 to 7,
# of which there are many. With torchvision the next lines would be
# ``network = torchvision.models.resnet18(weights="DEFAULT")``.
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skexplain import ERMClassifier, SwapExClassifier
from skexplain.datasets import inject_patches
from skexplain.training import replace_head

images, digits = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)
many = digits < 8
network = ERMClassifier(max_epochs=15, random_state=0).fit(images[many], digits[many]).module_

# %%
# The task is another one: 8 or 9, from 24 images. In training a square tells the digit by its grey;
# it is marked. In the test the grey is drawn at random.
X, y = images[~many], digits[~many]
train = np.random.default_rng(0).permutation(len(X))[:24]
test = np.setdiff1d(np.arange(len(X)), train)
squares = inject_patches(X[train], y[train], size=3, random_state=0)
lies = inject_patches(X[test], size=3, colors=squares.colors, random_state=1).data

# %%
# A function that takes the number of outputs is handed it, so the new head needs no number here,
# and its weights depend on ``random_state``. ``lr`` is the rate of the head, ``backbone_lr`` that of
# all other layers: 0 freezes them. ``lr_schedule="cosine"`` lets both rise and fall.
modules = {"from scratch": "auto", "pretrained": partial(replace_head, network)}
rates = {"from scratch": {}, "pretrained": {"lr": 1e-2, "backbone_lr": 1e-4}}
accuracy = {}
for start, module in modules.items():
    settings = {"max_epochs": 30, "batch_size": 8, "lr_schedule": "cosine", "random_state": 0}
    settings |= rates[start]
    plain = ERMClassifier(module, **settings).fit(squares.data, y[train])
    swap = SwapExClassifier(module, **settings).fit(squares.data, y[train], mask=squares.mask)
    accuracy[start] = plain.score(lies, y[test]), swap.score(lies, y[test])
    print(start, "labels {:.3f}, swap {:.3f}".format(*accuracy[start]))

assert accuracy["pretrained"][1] > accuracy["pretrained"][0] + 0.1
assert accuracy["pretrained"][1] > accuracy["from scratch"][1]

# %%
# The swap is needed with a pretrained network, too: its features know greys as well as strokes.
figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for shift, label in ((-0.2, "labels alone"), (0.2, "swap")):
    heights = [values[shift > 0] for values in accuracy.values()]
    ax.bar(np.arange(2) + shift, heights, 0.4, label=label)
ax.set(xticks=[0, 1], xticklabels=accuracy, ylim=(0.4, 1), ylabel="accuracy, square lies")
ax.legend()
