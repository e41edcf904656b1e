"""Names that come from data, as text for a terminal, a picture, a page of HTML or a CSV file.

Names of features, classes, groups and files may hold characters that such a medium takes for a
command: escape codes of a terminal, matplotlib's ``$``, tags, formulas of a spreadsheet.  One
function per medium makes them text.
"""

import html
import re
import unicodedata

# Control characters, lone surrogates, and separators of lines and paragraphs.
_CONTROL = {"Cc", "Cs", "Zl", "Zp"}
# They change the direction in which the text behind them is read.
_BIDIRECTIONAL = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Spreadsheets compute a cell that begins so; also with the wide forms of these characters.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_NEXT_CELL = re.compile("([;\t])(?=[=+@\uff1d\uff0b\uff0d\uff20-])")


def printable(text: object, *, keep: str = "") -> str:
    r"""Return text for a terminal: control characters are written out, such as ``\x1b``.

    Parameters
    ----------
    text : object
        Text, or something that becomes text by ``str``.
    keep : str, default=""
        Control characters that are kept, such as the line breaks of a report.

    Returns
    -------
    str
    """
    return "".join(
        character
        if character in keep
        or (unicodedata.category(character) not in _CONTROL and character not in _BIDIRECTIONAL)
        else character.encode("unicode_escape").decode("ascii")
        for character in str(text)
    )


def drawable(text: object) -> str:
    """Return text for matplotlib, which would read what stands between two ``$`` as a formula."""
    return printable(text).replace("$", r"\$")


def html_text(text: object) -> str:
    """Return text for HTML, between tags and in attributes within quotation marks."""
    return html.escape(printable(text))


def csv_cell(value: object) -> object:
    """Return a value for a CSV file: text that a spreadsheet would compute begins with a quote.

    So does what follows a semicolon or a tab, at which spreadsheets of some countries begin a cell.
    Control characters are written out, but not line breaks.
    """
    if not isinstance(value, str) or value == "-":
        return value
    text = _NEXT_CELL.sub(r"\1'", value)
    if text.startswith(_FORMULA):
        text = f"'{text}"
    shown = printable(text, keep="\t\r\n")
    return value if shown == value else shown
