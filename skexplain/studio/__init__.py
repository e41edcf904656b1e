"""A page in a browser: mark what must not matter in pictures, train again, and compare.

The room translates between a person and the public functions of the package; a mask has no second
meaning here.  It needs the extra ``studio``.
"""

from ._project import Conflict, Project
from ._server import serve

__all__ = ["Conflict", "Project", "serve"]
