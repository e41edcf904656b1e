"""The mask editor of the studio in a notebook."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._typing import MaskLike
from ._pictures import marks_of
from ._pixels import png_of


class MaskEditor:
    """Draw masks of pictures in a notebook.

    Boxes, outlines, a brush and an eraser, by pointer or by keys, as on the page of
    :func:`skexplain.studio.serve`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_channels, h, w) or (n_samples, h, w)
        Pictures.  Three channels are shown in colour, any other number in grey.
    mask : array-like, list of (array-like or None) or None, default=None
        Masks there are already, as in ``fit``; a mark is what is more than 0.5.

    Attributes
    ----------
    mask : list of (ndarray of bool of shape (h, w) or None)
        What is drawn now, for ``fit(mask=...)``: None where a picture was not looked at.
    widget : anywidget.AnyWidget
        What the notebook shows.

    Raises
    ------
    ImportError
        If anywidget or pillow is not installed (extra "notebook").
    ValueError
        If X does not hold pictures, or the mask does not fit them.

    Examples
    --------
    >>> from skexplain.studio import MaskEditor
    >>> editor = MaskEditor(X)  # doctest: +SKIP
    >>> editor  # draw, then  # doctest: +SKIP
    >>> clf.fit(X, y, mask=editor.mask)  # doctest: +SKIP
    """

    def __init__(self, X: ArrayLike, mask: MaskLike | None = None) -> None:
        self._X = np.asarray(X)
        if self._X.ndim not in (3, 4) or not self._X.size or self._X.dtype.kind not in "biuf":
            raise ValueError(
                "X must hold pictures, of shape (n_samples, n_channels, h, w) or "
                f"(n_samples, h, w); got {self._X.dtype} of shape {self._X.shape}."
            )
        self.mask: list[NDArray[np.bool_] | None] = marks_of(mask, self._X)
        self.widget = _make_widget(self)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a picture."""
        return int(self._X.shape[-2]), int(self._X.shape[-1])

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.widget._repr_mimebundle_(**kwargs)

    def _shown(self, number: int) -> dict[str, bytes | None]:
        """Return a picture, as a PNG file, and its marks, a byte per pixel."""
        mask = self.mask[number]
        marks = None if mask is None else mask.astype(np.uint8).tobytes()
        return {"png": png_of(self._X[number].reshape(-1, *self.shape)), "marks": marks}

    def _take(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Store the mask that was drawn in a picture."""
        number, mask = content["number"], None
        if content["annotated"]:
            mask = np.frombuffer(buffers[0], dtype=np.uint8).reshape(self.shape) != 0
        self.mask[number] = mask


def _make_widget(editor: MaskEditor) -> Any:
    """Return the widget of an editor; its classes are there only where anywidget is installed."""
    try:
        import anywidget
        import traitlets
        from PIL import Image  # noqa: F401 - said before anything is drawn
    except ImportError as error:
        raise ImportError(
            f'The mask editor needs {error.name}: pip install "skexplain[notebook]".'
        ) from error

    class Widget(anywidget.AnyWidget):
        _esm = _bundle()
        number = traitlets.Int(0).tag(sync=True)
        n_samples = traitlets.Int().tag(sync=True)
        shape = traitlets.List().tag(sync=True)
        shown = traitlets.Dict().tag(sync=True)

    widget = Widget(n_samples=len(editor.mask), shape=list(editor.shape), shown=editor._shown(0))
    widget.observe(lambda change: setattr(widget, "shown", editor._shown(change["new"])), "number")
    widget.on_msg(lambda _, content, buffers: editor._take(content, buffers))
    return widget


def _bundle() -> str:
    """Return the script of the widget as one module."""
    page = files(__package__).joinpath("page")
    scripts = [page.joinpath(f"{name}.js").read_text("utf-8") for name in ("marks", "editor")]
    lines = [line for script in scripts for line in script.splitlines()]
    alone = [line.removeprefix("export ") for line in lines if not line.startswith("import ")]
    return "\n".join(alone) + "\n" + page.joinpath("widget.js").read_text("utf-8")
