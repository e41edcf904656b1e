"""A page in a browser: mark what must not matter, train again, and compare.

The room translates between a person and the public functions of the package; a mask has no second
meaning here.  It needs the extra ``studio``.
"""

from ._journal import Conflict
from ._pictures import read_pictures
from ._project import Project
from ._server import serve
from ._table import encode_columns, read_table
from ._widget import MaskEditor

__all__ = [
    "Conflict",
    "MaskEditor",
    "Project",
    "encode_columns",
    "read_pictures",
    "read_table",
    "serve",
]
