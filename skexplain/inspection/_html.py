"""Pages of HTML that need no other file."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from .._text import html_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def html_page(title: str, body: str, style: str = "") -> str:
    """Return a whole page.

    Parameters
    ----------
    title : str
        Plain text.
    body, style : str
        HTML and CSS.

    Returns
    -------
    str
    """
    style = f"<style>\n{style}</style>\n" if style else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html_text(title)}</title>\n{style}</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def data_url(figure: Figure, dpi: int = 110) -> str:
    """Return a matplotlib figure as a data URL, and close it."""
    from matplotlib import pyplot

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    pyplot.close(figure)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
