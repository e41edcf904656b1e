"""Small picture files in the layouts of the data sets, and what all their loaders must do."""

import hashlib

import numpy as np
from numpy.testing import assert_array_equal
from PIL import Image


def save(path, pixels):
    """Write pixels, of shape (h, w) or (h, w, 3), to a file of the format that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path, quality=95)


def save_noise(path, height, width, seed):
    """Write a picture that is like no other."""
    save(path, np.random.default_rng(seed).integers(256, size=(height, width, 3)))


def pixels_of(path):
    """Read what a file holds after its compression, shape (3, h, w)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def truncate(path):
    """Cut a file in the middle."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replace_in(path, old, new):
    """Change a text file, which must hold what is to be changed."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def sha256(bunch):
    """Return one checksum over the names, types, shapes and bytes of all arrays."""
    digest = hashlib.sha256()
    for name, value in sorted(bunch.items()):
        if isinstance(value, np.ndarray):
            digest.update(f"{name} {value.dtype.str} {value.shape}".encode() + value.tobytes())
    return digest.hexdigest()


def check_contents(bunch, size, parts, mask_dtype):
    """Check types and shapes, and that each picture is in exactly one part."""
    for part in parts:
        n_rows = len(bunch[f"data{part}"])
        assert n_rows > 0
        assert bunch[f"data{part}"].shape == (n_rows, 3, size, size)
        assert bunch[f"data{part}"].dtype == np.uint8
        assert bunch[f"mask{part}"].shape == (n_rows, size, size)
        assert bunch[f"mask{part}"].dtype == mask_dtype
        for name in ("target", "groups", "filenames"):
            assert bunch[f"{name}{part}"].shape == (n_rows,)
    names = np.concatenate([bunch[f"filenames{part}"] for part in parts])
    assert len(set(names)) == len(names)
    for heading in ("Contents", "Recipe", "Source and licence", "References"):
        assert f"\n{heading}\n{'-' * len(heading)}\n" in bunch.DESCR
    assert "{" not in bunch.DESCR


def check_seeds(fetch):
    """Check that equal seeds give equal bytes, others do not, and no global state is touched."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (sha256(fetch(random_state=seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    fetch(random_state=None)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
