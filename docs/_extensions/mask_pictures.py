"""Pictures of masks, coloured by how the package reads each of them."""

from html import escape

import numpy as np
import torch

from skexplain.masks import interpret_mask

NAN = np.nan
CELL, GAP = 26, 8

#: Caption, mask, ``mask_marks``, and the shape of X.
TABLES = (
    ("(n, d): a mark per value", [[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], "irrelevant", (3, 4)),
    ("the same numbers", [[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], "relevant", (3, 4)),
    ("(1, d) or (d,): for all samples", [[0, 1, 1, 0]], "irrelevant", (3, 4)),
    ("a soft mask", [[0, 0.5, 1, 0], [0, 0.2, 0.4, 0], [0, 0, 0, 0]], "irrelevant", (3, 4)),
    (
        "NaN: unknown",
        [[0, NAN, 1, 0], [NAN, 1, NAN, NAN], [NAN] * 4],
        "irrelevant",
        (3, 4),
    ),
    ("a list, None: not annotated", [[0, 1, 1, 0], None, [0, 0, 0, 0]], "irrelevant", (3, 4)),
)


def _corner(*shape):
    """Mark the two columns to the right of the uppermost two lines of images."""
    mask = np.zeros(shape, dtype=int)
    mask[..., :2, 2:] = 1
    return mask


def _own_places():
    """Mark another corner in each of two images."""
    mask = _corner(2, 1, 4, 4)
    mask[1] = mask[1, :, ::-1, ::-1]
    return mask


IMAGES = (
    ("(n, 1, h, w) or (n, h, w): for all channels", _own_places(), "irrelevant", (2, 3, 4, 4)),
    ("(1, h, w): for all images", _corner(1, 4, 4), "irrelevant", (2, 3, 4, 4)),
    ("the same numbers", _corner(1, 4, 4), "relevant", (2, 3, 4, 4)),
    (
        "(n, c, h, w): a mark per value",
        _corner(2, 3, 4, 4) * np.array([1, 0, 0])[:, None, None],
        "irrelevant",
        (2, 3, 4, 4),
    ),
)

LEGEND = (
    ("irrelevant", 1, "must not matter"),
    ("irrelevant", 0.5, "half of that"),
    ("relevant", None, "may matter"),
    ("unknown", None, "unknown"),
)


def draw_masks(examples):
    """Draw masks, coloured by their meaning.

    Parameters
    ----------
    examples : sequence of tuple
        As `TABLES`.

    Returns
    -------
    str
        A figure for each, as HTML whose colours are those of the page.
    """
    return _row(_figure(*example) for example in examples)


def draw_legend():
    """Say what the colours mean, as HTML."""
    entries = (
        f"<figure>{_svg(1, 1, [_square(0, 0, kind, degree)])}"
        f"<figcaption>{escape(text)}</figcaption></figure>"
        for kind, degree, text in LEGEND
    )
    return _row(entries, "mask-legend")


def _row(figures, kind=""):
    return f'<div class="masks {kind}">{"".join(figures)}</div>'


def _figure(caption, mask, marks, shape):
    irrelevance, known = meaning(mask, shape, marks)
    if len(shape) == 2:
        given = [["–"] * shape[1] if row is None else row for row in mask]
        given = np.broadcast_to(np.array(given, dtype=object), shape)
        picture = _grid(irrelevance, known, given)
    else:
        picture = _image_grids(irrelevance, known)
    return (
        f"<figure>{picture}<figcaption>{escape(caption)}<br>"
        f'<code>mask_marks="{marks}"</code></figcaption></figure>'
    )


def meaning(mask, shape, marks):
    """Return irrelevance and whether it is known, both of the shape of X."""
    masks = interpret_mask(mask, shape, marks=marks)
    values = torch.as_tensor(np.asarray(masks.take(np.arange(shape[0]))))
    irrelevance, known = masks.degrees(values)
    known = torch.ones_like(irrelevance, dtype=torch.bool) if known is None else known
    known = known.numpy() & masks.annotated.reshape(-1, *[1] * (len(shape) - 1))
    return np.broadcast_to(irrelevance.numpy(), shape), np.broadcast_to(known, shape)


def _grid(irrelevance, known, given):
    squares = []
    for (i, j), degree in np.ndenumerate(irrelevance):
        squares.append(_cell(i * CELL, j * CELL, degree, known[i, j]))
        text = "NaN" if given[i, j] != given[i, j] else f"{given[i, j]}"
        x, y = j * CELL + CELL / 2, i * CELL + CELL / 2 + 4
        squares.append(f'<text x="{x}" y="{y}" text-anchor="middle">{text}</text>')
    return _svg(*irrelevance.shape[::-1], squares)


def _image_grids(irrelevance, known):
    """Draw a line per image with a grid per channel."""
    n_images, n_channels, height, width = irrelevance.shape
    side = CELL / 2
    squares = [
        _cell(
            (i * height + y) * side + i * GAP,
            (c * width + x) * side + c * GAP,
            degree,
            known[i, c, y, x],
            side,
        )
        for (i, c, y, x), degree in np.ndenumerate(irrelevance)
    ]
    gaps = GAP * np.array([n_channels - 1, n_images - 1]) / CELL
    return _svg(n_channels * width / 2 + gaps[0], n_images * height / 2 + gaps[1], squares)


def _cell(top, left, degree, known, side=CELL):
    if not known:
        return _square(top, left, "unknown", side=side)
    return _square(top, left, "irrelevant" if degree else "relevant", degree or None, side)


def _square(top, left, kind, degree=None, side=CELL):
    shade = "" if degree is None else f' fill-opacity="{degree:.2f}"'
    return (
        f'<rect class="{kind}"{shade} x="{left + 1}" y="{top + 1}" '
        f'width="{side - 2}" height="{side - 2}"/>'
    )


def _svg(n_columns, n_lines, parts):
    width, height = n_columns * CELL, n_lines * CELL
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
    )
