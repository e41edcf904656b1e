"""
From boxes in an annotation file to a robust model
==================================================

Annotation tools write boxes to COCO files. ``mask_from_coco`` makes masks from such a file, for
``fit``.
"""

# %%
# Files like those of an annotation tool
# --------------------------------------
# This part writes images and a COCO file. With data of your own, you have these already. Each image
# shows a digit and a grey sticker, whose shade depends on the digit. The file has a box around
# each sticker.
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skexplain import ERMClassifier, SwapExClassifier
from skexplain.datasets import inject_patches
from skexplain.inspection import MaskDisplay
from skexplain.masks import mask_coverage, mask_from_coco

images, y = load_digits(return_X_y=True)
images = np.pad(images.reshape(-1, 8, 8) * 255 / 16, ((0, 0), (4, 4), (4, 4))).astype(np.uint8)
images_train, images_test, y_train, y_test = train_test_split(images, y, random_state=0)

centre = np.pad(np.ones((1, 8, 8)), ((0, 0), (4, 4), (4, 4)))  # no sticker covers the digit
stickers = {"size": 4, "mask": centre, "mask_marks": "relevant"}
train = inject_patches(images_train, y_train, **stickers, random_state=0)
test = inject_patches(images_test, **stickers, colors=train.colors, random_state=1)

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
coco = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "sticker"}]}
for row, (image, sticker) in enumerate(zip(train.data, train.mask, strict=True)):
    name = f"digit_{row:04}.png"
    Image.fromarray(image).save(folder / name)
    top, left = np.argwhere(sticker)[0].tolist()
    coco["images"].append({"id": row, "file_name": name, "height": 16, "width": 16})
    coco["annotations"].append(
        {"id": row, "image_id": row, "category_id": 1, "bbox": [left, top, 4, 4]}
    )
(folder / "annotations.json").write_text(json.dumps(coco))

# %%
# Images and masks
# ----------------
# The names of the images, one per sample of ``X``, say to which sample a box belongs. Check the
# masks before you train.
names = sorted(path.name for path in folder.glob("*.png"))
X = np.stack([np.asarray(Image.open(folder / name)) for name in names])
mask = mask_from_coco(folder / "annotations.json", names, categories="sticker", regions="bbox")
temporary.cleanup()

display = MaskDisplay.from_mask(X, mask, rows=range(6))
print(mask_coverage(mask))

# %%
# A robust model
# --------------
plain = ERMClassifier(max_epochs=20, random_state=0).fit(X, y_train)
robust = SwapExClassifier(max_epochs=20, random_state=0).fit(X, y_train, mask=mask)

labels = ["labels alone", "with masks from boxes"]
accuracies = [clf.score(test.data, y_test) for clf in (plain, robust)]

figure, ax = plt.subplots(figsize=(6, 1.8), layout="constrained")
bars = ax.barh(labels, accuracies, color=["#D55E00", "#0072B2"])
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.invert_yaxis()
ax.set(xlabel="accuracy where the sticker is random", xlim=(0, 1.1))
ax.spines[["top", "right"]].set_visible(False)

# Measured: 0.70 and 0.93.
assert np.array_equal(mask, train.mask)
assert accuracies[0] + 0.1 < accuracies[1]

plt.show()
