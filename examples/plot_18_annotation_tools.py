"""
Exports of five annotation tools, on photographs held in every way
==================================================================

``load_images`` reads photographs of any size and orientation. ``read_annotations`` sees which tool
wrote an export, and puts the marks where they were drawn.
"""

# %%
# Photographs
# -----------
# This part makes files that you have already: parts of two real photographs in three sizes, stored
# in all eight orientations that a camera knows. A sticker lies on each.
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from skexplain.datasets import load_images
from skexplain.inspection import MaskDisplay
from skexplain.masks import read_annotations

rng = np.random.default_rng(0)
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
turned = [None, 0, 3, 1, 5, 2, 6, 4]  # what brings an upright picture to orientations 1 to 8
stickers = {}  # name of the file: width and height of the upright photograph; the sticker's box
for number in range(16):
    motif = ("china", "flower")[number % 2]
    width, height = [(320, 240), (240, 320), (200, 200)][number % 3]
    left, top = rng.integers(640 - width), rng.integers(427 - height)
    part = load_sample_image(f"{motif}.jpg")[top : top + height, left : left + width].copy()
    x, y = rng.integers(width - 90), rng.integers(height - 60)
    part[y : y + 45, x : x + 80] = (240, 240, 0)
    photo, orientation = Image.fromarray(part), number // 2 + 1
    if orientation > 1:
        photo = photo.transpose(Image.Transpose(turned[orientation - 1]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    (folder / "photos" / motif).mkdir(parents=True, exist_ok=True)
    photo.save(folder / "photos" / motif / f"{number:02}.jpg", exif=exif, quality=90)
    stickers[f"{motif}/{number:02}.jpg"] = (width, height, (int(x), int(y), 80, 45))

# %%
# Exports
# -------
# The same stickers, as five tools write them: in percent, in corners, in outlines, in shares.
tasks, cvat, coco = [], [], {"images": [], "annotations": []}
coco["categories"] = [{"id": 1, "name": "sticker"}]
for folder_of_files in ("voc", "yolo"):
    (folder / folder_of_files).mkdir()
(folder / "yolo" / "classes.txt").write_text("sticker\n")
for number, (name, (width, height, (x, y, w, h))) in enumerate(stickers.items()):
    value = {"x": 100 * x / width, "y": 100 * y / height}
    value |= {"width": 100 * w / width, "height": 100 * h / height, "rectanglelabels": ["sticker"]}
    shape = {"type": "rectanglelabels", "original_width": width, "original_height": height}
    address = f"/data/upload/1/0a1b2c3d-{Path(name).name}"  # as Label Studio calls an upload
    done = {"result": [shape | {"value": value}]}
    tasks.append({"data": {"image": address}, "annotations": [done]})
    outline = f"{x},{y};{x + w},{y};{x + w},{y + h};{x},{y + h}"
    cvat.append(
        f'<image id="{number}" name="{name}" width="{width}" height="{height}">'
        f'<polygon label="sticker" points="{outline}" occluded="0" z_order="0"/></image>'
    )
    coco["images"].append({"id": number, "file_name": name, "width": width, "height": height})
    coco["annotations"].append(
        {"id": number, "image_id": number, "category_id": 1, "bbox": [x, y, w, h]}
    )
    (folder / "voc" / f"{Path(name).stem}.xml").write_text(
        f"<annotation><filename>{Path(name).name}</filename><size><width>{width}</width>"
        f"<height>{height}</height><depth>3</depth></size><object><name>sticker</name><bndbox>"
        f"<xmin>{x + 1}</xmin><ymin>{y + 1}</ymin><xmax>{x + w}</xmax><ymax>{y + h}</ymax>"
        f"</bndbox></object></annotation>"
    )
    shares = ((x + w / 2) / width, (y + h / 2) / height, w / width, h / height)
    (folder / "yolo" / f"{Path(name).stem}.txt").write_text(f"0 {' '.join(map(str, shares))}\n")
(folder / "label_studio.json").write_text(json.dumps(tasks))
version = "<version>1.1</version>"
(folder / "cvat.xml").write_text(f"<annotations>{version}{''.join(cvat)}</annotations>")
(folder / "coco.json").write_text(json.dumps(coco))

# %%
# Pictures and masks in
# ---------------------
# From here on it is your script. The picture shows the photographs upright and at one size, and
# what the export marks on them.
photos = load_images(folder / "photos", size=160, fit="pad")
exports = ["label_studio.json", "cvat.xml", "coco.json", "voc", "yolo"]
masks = {name: read_annotations(folder / name, like=photos) for name in exports}
temporary.cleanup()

display = MaskDisplay.from_mask(photos.data, masks["label_studio.json"], rows=range(8))

# %%
# Each mask lies on its sticker: intersection over union with the yellow pixels.
yellow = (photos.data[:, :2] > 170).all(1) & (photos.data[:, 2] < 90)
marked = np.nan_to_num(np.stack(list(masks.values()))) > 0  # padding is unknown, NaN
overlaps = (marked & yellow).sum((2, 3)) / (marked | yellow).sum((2, 3))

figure, ax = plt.subplots(figsize=(6, 2), layout="constrained")
ax.plot(overlaps, range(len(masks)), "o", color="#0072B2", alpha=0.5)
ax.set_yticks(range(len(masks)), list(masks))
ax.invert_yaxis()
ax.set(xlabel="overlap of mask and sticker, a point per photograph", xlim=(0, 1.03))
ax.spines[["top", "right"]].set_visible(False)

# Measured: 0.94; the resize mixes colours at a sticker's edge.
assert overlaps.min() > 0.85

plt.show()
