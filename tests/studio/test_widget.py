"""The editor in a notebook: what is drawn there is a mask for ``fit``."""

import io
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skexplain.studio import MaskEditor

pytest.importorskip("PIL")


@pytest.fixture
def X():
    return np.random.default_rng(0).integers(0, 256, size=(4, 3, 6, 5), dtype=np.uint8)


def test_it_says_what_is_missing(X, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(ImportError, match=r'anywidget: pip install "skexplain\[notebook\]"'):
        MaskEditor(X)


@pytest.mark.parametrize("wrong", [np.zeros((3, 2)), np.zeros((0, 4, 4)), np.array([[["a"]]])])
def test_what_is_no_picture_is_said(wrong):
    with pytest.raises(ValueError, match="X must hold pictures"):
        MaskEditor(wrong)


def test_what_is_drawn_is_the_mask(X):
    pytest.importorskip("anywidget")
    first = np.zeros((6, 5))
    first[1:3, 2] = 1
    editor = MaskEditor(X, mask=[first, None, np.zeros((6, 5)), None])
    assert_array_equal(editor.mask[0], first)
    assert editor.mask[1] is None
    assert not editor.mask[2].any()
    widget = editor.widget
    assert (widget.n_samples, widget.shape) == (4, [6, 5])
    assert widget.shown["marks"] == first.astype(np.uint8).tobytes()
    widget.number = 1
    assert widget.shown["marks"] is None
    drawn = np.zeros((6, 5), dtype=np.uint8)
    drawn[4] = 1
    message = {"number": 1, "annotated": True}
    widget._handle_custom_msg(message, [memoryview(drawn.tobytes())])
    assert_array_equal(editor.mask[1], drawn)
    widget.number = 0
    widget._handle_custom_msg({"number": 0, "annotated": False}, [])
    assert editor.mask[0] is None
    widget.number = 1
    assert widget.shown["marks"] == drawn.tobytes()
    assert editor._repr_mimebundle_() is not None


@pytest.mark.parametrize("kind", ["colour", "grey", "one channel", "float"])
def test_pictures_are_shown(X, kind):
    pytest.importorskip("anywidget")
    from PIL import Image

    given = {"colour": X, "grey": X[:, 0], "one channel": X[:, :1], "float": X[:, 0] / 255.0}[kind]
    with Image.open(io.BytesIO(MaskEditor(given).widget.shown["png"])) as shown:
        pixels = np.asarray(shown)
    if kind == "float":  # the whole range of grey
        assert (pixels.min(), pixels.max()) == (0, 255)
    else:
        expected = np.moveaxis(X[0], 0, -1) if kind == "colour" else X[0, 0]
        assert_array_equal(pixels, expected)


def test_the_script_is_one_module(X):
    pytest.importorskip("anywidget")
    script = MaskEditor(X).widget._esm
    assert "import " not in str(script).replace("important", "")
    assert str(script).count("export ") == 1
    assert "class Marks" in str(script)
    assert "class Editor extends Marks" in str(script)
