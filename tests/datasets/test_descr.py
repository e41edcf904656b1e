"""Descriptions stand in files that are installed."""

import ast
from importlib.resources import files
from pathlib import Path

import skexplain.datasets


def test_every_description_is_used_and_there():
    folder = Path(skexplain.datasets.__file__).parent
    named = [
        node.args[0].value
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "read_descr"
    ]
    there = [file.name for file in files("skexplain.datasets").joinpath("descr").iterdir()]
    assert sorted(f"{name}.rst" for name in named) == sorted(there)
