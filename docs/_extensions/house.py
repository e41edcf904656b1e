"""Pictures of the package that are drawn from its own code, so that they are never out of date."""

import ast
import sys
from pathlib import Path

import numpy as np

import skexplain

PACKAGE = Path(skexplain.__file__).parent
TESTS = Path(__file__).parents[2] / "tests"


def floors():
    """Return the rooms, floor by floor from the ground, as the test of the imports has them."""
    tree = ast.parse((TESTS / "test_rooms.py").read_text(encoding="utf-8"))
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "FLOORS"
    )
    return [sorted(rooms) for rooms in ast.literal_eval(value)]


def room_of(path):
    """Return the name of the room in which a file of the package lies."""
    return Path(path).relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports():
    """Return for each room the set of rooms from which its files import."""
    edges = {room: set() for rooms in floors() for room in rooms}
    for path in PACKAGE.rglob("*.py"):
        room = room_of(path)
        depth = len(path.relative_to(PACKAGE).parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if room in edges and isinstance(node, ast.ImportFrom) and node.level == depth:
                named = [node.module] if node.module else [alias.name for alias in node.names]
                edges[room].update({name.split(".")[0] for name in named} & edges.keys() - {room})
    return edges


def draw_rooms():
    """Draw a row per room, the highest floor on top, with a disc for each room it imports from.

    Returns
    -------
    str
        An SVG whose colours are those of the page, light or dark.
    """
    edges, house = imports(), floors()[::-1]
    rooms = [room for floor in house for room in floor]
    left, top, cell = 130, 100, 28  # room for names, and the side of a cell
    width, height = left + cell * len(rooms) + 60, top + cell * len(rooms) + 4

    def centre(room):
        return cell * rooms.index(room) + cell / 2

    parts = []
    for floor in house[::2]:  # bands tell the floors apart
        y, tall = top + cell * rooms.index(floor[0]), cell * len(floor)
        parts.append(f'<rect class="floor" y="{y}" width="{width}" height="{tall}"/>')
    for room in rooms:
        x, y = left + centre(room), top + centre(room)
        slanted = f'transform="translate({x + 4} {top - 8}) rotate(-45)"'
        parts.append(f'<text x="{left - 10}" y="{y + 5}" text-anchor="end">{room}</text>')
        parts.append(f"<text {slanted}>{room}</text>")
        parts.append(f'<rect class="self" x="{x - 5}" y="{y - 5}" width="10" height="10"/>')
        for other in sorted(edges[room]):
            title = f"<title>{room} imports from {other}</title>"
            parts.append(f'<circle cx="{left + centre(other)}" cy="{y}" r="7">{title}</circle>')
    opening = (
        f'<svg class="house" viewBox="0 0 {width} {height}" style="max-width: {width}px" '
        'role="img" aria-label="Which room imports from which">'
    )
    return "".join([opening, *parts, "</svg>"])


def trace_one_batch():
    """Fit an estimator on one batch and record who calls whom.

    Returns
    -------
    list of (int, str, str)
        Depth, room and function of every call from one room into another, and inside the training
        step also of calls within a room.  What one function calls again stands once.
    """
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=16)
    X, mask = rng.normal(size=(16, 2)), np.array([[False, True]])
    clf = skexplain.PGDExClassifier(grad_alpha=0.1, max_epochs=1, batch_size=16, random_state=0)
    recorder = _Recorder()
    sys.setprofile(recorder)
    try:
        clf.fit(X, y, mask=mask)
    finally:
        sys.setprofile(None)
    return recorder.calls


class _Recorder:
    """What Python calls at the start and end of each function, for `sys.setprofile`."""

    def __init__(self):
        self.calls = []
        # Of each open call: its frame, its room, the depth of the last call shown and what that one
        # has called, and whether it is part of the training step.
        self._open = [(None, None, 0, set(), False)]

    def __call__(self, frame, event, argument):
        """Note a call."""
        if event == "return" and self._open[-1][0] is frame:
            self._open.pop()
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            self._note(frame, room_of(frame.f_code.co_filename), frame.f_code.co_qualname)

    def _note(self, frame, room, function):
        _, caller, depth, known, in_step = self._open[-1]
        starts = function == "Trainer._step"
        # Checks of arguments are no part of the way of a batch.
        private = any(part.startswith(("_", "<")) for part in (room, *function.split(".")))
        shown = starts or ((in_step or room != caller) and not private and function not in known)
        if shown:
            known.add(function)
            self.calls.append((depth, room, function))
            depth, known = depth + 1, set()
        self._open.append((frame, room, depth, known, in_step or starts))
