"""A page in a browser: mark what must not matter, train again, and compare.

The room translates between a person and the public functions of the package; a mask has no second
meaning here.  It needs the extra ``studio``.
"""

from ._project import Conflict, Project
from ._server import serve
from ._table import encode_columns, read_table

__all__ = ["Conflict", "Project", "encode_columns", "read_table", "serve"]
