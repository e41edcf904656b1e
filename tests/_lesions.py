"""Drawn photographs of skin lesions, beside which benign ones mostly have a blue sticker."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = (240, 180)


def save_lesions(folder, n_pictures=100, seed=0):
    """Save pictures of two classes; malignant lesions are darker and longer."""
    draw = np.random.default_rng(seed)
    for number in range(n_pictures):
        label = ("benign", "malignant")[number % 2]
        picture = _skin(draw)
        pen = ImageDraw.Draw(picture)
        x, y = draw.integers(80, 160), draw.integers(50, 100)
        wide = draw.normal(24, 4) if label == "benign" else draw.normal(34, 6)
        high = draw.normal(22, 4)
        tone = np.array([120, 70, 55]) if label == "benign" else np.array([92, 52, 42])
        tone = tuple(np.clip(tone + draw.normal(0, 9), 0, 255).astype(int))
        pen.ellipse((x - wide, y - high, x + wide, y + high), fill=tone)
        if number % 20 not in (1, 18) and label == "benign" or number % 20 == 19:
            left, top = draw.integers(10, 190), draw.integers(128, 152)
            pen.rectangle((left, top, left + 38, top + 20), fill=(35, 85, 235))
        picture = picture.filter(ImageFilter.GaussianBlur(1))
        (folder / label).mkdir(parents=True, exist_ok=True)
        picture.save(folder / label / f"{number:03}.png")
    return folder


def _skin(draw):
    light = draw.normal(0, 8)
    pixels = np.array([226, 172, 148]) + light + draw.normal(0, 9, size=(SIZE[1], SIZE[0], 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def stickers_of(X):
    """Return where the stickers are in X."""
    return (X[:, 2].astype(int) - X[:, 0]) > 60
