"""Directives whose content comes from the package: rooms, a batch, commands, masks."""

import argparse
import os

from docutils import nodes
from docutils.parsers.rst import Directive
from house import draw_rooms, trace_one_batch
from mask_pictures import IMAGES, TABLES, draw_legend, draw_masks

from skexplain._cli import _parser


class Rooms(Directive):
    """A picture of which room imports from which."""

    def run(self):
        """Put the picture into the page."""
        return [nodes.raw("", f'<div class="scrolls">{draw_rooms()}</div>', format="html")]


class OneBatch(Directive):
    """The calls in which one batch runs through the rooms, recorded while it does."""

    def run(self):
        """Put the tree of calls into the page."""
        lines = [f"{room:<12}{'  ' * depth}{name}" for depth, room, name in trace_one_batch()]
        return [_verbatim("\n".join(lines))]


class MaskPictures(Directive):
    """Masks of tables and of images, coloured by what they mean."""

    def run(self):
        """Put the pictures into the page."""
        pictures = [draw_legend(), draw_masks(TABLES), draw_masks(IMAGES)]
        return [nodes.raw("", "".join(pictures), format="html")]


class CommandLine(Directive):
    """A section per command of ``skexplain``: what ``--help`` prints."""

    def run(self):
        """Make the sections."""
        os.environ["COLUMNS"] = "88"  # argparse's line length, whatever terminal builds the pages
        sections = []
        for name, parser in _commands(_parser()):
            text = _verbatim(parser.format_help(), classes=["command-help"])
            section = nodes.section(ids=[nodes.make_id(name)], names=[name])
            section += [nodes.title(text=name), text]
            self.state.document.note_explicit_target(section)
            sections.append(section)
        return sections


def _commands(parser, name="skexplain"):
    """Yield (name, parser) of every command that does something itself."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield name, parser
    for action in below:
        for word, child in action.choices.items():
            yield from _commands(child, f"{name} {word}")


def _verbatim(text, **attributes):
    return nodes.literal_block(text, text, language="text", **attributes)


def setup(app):
    """Register the directives."""
    app.add_directive("rooms", Rooms)
    app.add_directive("one-batch", OneBatch)
    app.add_directive("mask-pictures", MaskPictures)
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True}
