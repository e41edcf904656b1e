"""Check that every public name is in the reference, that every page is found, and that docstrings
are complete.
"""

import ast
import dataclasses
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest

import skexplain
from skexplain.penalties import Penalty, PerturbationPenalty

DOCS = Path(__file__).parents[1] / "docs"


# -- the reference ---------------------------------------------------------------------------------


def public_names(module):
    """Names that a public module offers: its ``__all__``, else the classes that it defines."""
    classes = [name for name, _ in inspect.getmembers(module, inspect.isclass)]
    return set(getattr(module, "__all__", classes))


MODULES = {
    info.name: importlib.import_module(f"skexplain.{info.name}")
    for info in pkgutil.iter_modules(skexplain.__path__)
    if not info.name.startswith("_")
}
PUBLIC = {
    f"{module}.{name}": getattr(MODULES[module], name)
    for module in MODULES
    for name in sorted(public_names(MODULES[module]))
}


def test_the_package_itself_offers_the_estimators():
    assert set(skexplain.__all__) == public_names(MODULES["estimators"]) | {"load", "save"}


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_in_the_reference(name):
    text = (DOCS / "api" / f"{name}.rst").read_text(encoding="utf-8")
    tables = re.findall(r"autosummary::\n   :toctree: generated/\n\n((?:   \w+\n)+)", text)
    listed = [entry for table in tables for entry in table.split()]
    assert len(listed) == len(set(listed))
    assert set(listed) == public_names(MODULES[name])
    (documented,) = re.findall(r"^\.\. module:: (\S+)", text, re.MULTILINE)
    assert documented == ("skexplain" if name == "estimators" else f"skexplain.{name}")


def test_no_docstring_has_a_gap():
    """What estimators share is written into their texts when their classes are made."""
    for name, thing in PUBLIC.items():
        members = dict(inspect.getmembers(thing)) if inspect.isclass(thing) else {}
        for value in (thing, *members.values()):
            assert "%(" not in (inspect.getdoc(value) or ""), (name, value)


# -- pages -----------------------------------------------------------------------------------------


def pages():
    """Names of all pages but generated ones."""
    found = (path.relative_to(DOCS) for kind in ("md", "rst") for path in DOCS.rglob(f"*.{kind}"))
    generated = {"gallery", "_templates"}
    return {
        path.with_suffix("").as_posix()
        for path in found
        if path.parts[0] not in generated and "generated" not in path.parts
    } - {"sg_execution_times"}


def contents(page):
    """Pages in the tables of contents of a page."""
    if page == "results/index":  # conf.py adds the pages that a command has written
        return {name for name in pages() if name.startswith("results/")}
    path = next(p for p in (DOCS / f"{page}.md", DOCS / f"{page}.rst") if p.exists())
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\{toctree\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    blocks += re.findall(r"^\.\. toctree::\n((?:   .*\n|\n)*)", text, re.MULTILINE)
    entries = [line.strip() for block in blocks for line in block.splitlines()]
    targets = [path.parent / entry for entry in entries if entry and not entry.startswith(":")]
    return {target.resolve().relative_to(DOCS).as_posix() for target in targets}


def test_every_page_is_in_a_table_of_contents():
    reached, new = set(), {"index"}
    while new:
        reached |= new
        new = {entry for page in new for entry in contents(page)} - reached - {"gallery/index"}
    assert reached == pages()


def test_signatures_on_the_site_are_as_people_write_them(monkeypatch):
    """What `repr` writes in angle brackets, such as a class, stands by its public name."""
    monkeypatch.syspath_prepend(DOCS / "_extensions")
    write = importlib.import_module("signatures").write_defaults
    del sys.modules["signatures"]
    things = [
        thing
        for thing in PUBLIC.values()
        if callable(thing) and not (inspect.isclass(thing) and issubclass(thing, Exception))
    ]
    written = [write(None, "", "", t, None, str(inspect.signature(t)), None)[0] for t in things]
    assert not [signature for signature in written if "<" in signature]
    of_erm = written[things.index(skexplain.ERMClassifier)]
    assert re.search(r"optimizer[^,]*=\s?torch\.optim\.Adam,", of_erm)


# -- pictures of the package -----------------------------------------------------------------------


@pytest.fixture
def house(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_extensions")
    yield importlib.import_module("house")
    del sys.modules["house"]


def test_the_picture_shows_every_room_and_every_import(house):
    edges = house.imports()
    rooms = {p.stem for p in house.PACKAGE.iterdir() if p.name not in ("__init__.py", "py.typed")}
    assert set(edges) == rooms - {"__pycache__"}
    assert edges["masks"] == {"_checks", "_text", "_typing"}
    assert {"estimators", "studies", "inspection"} <= edges["_cli"]

    picture = ElementTree.fromstring(house.draw_rooms())
    discs = picture.findall("circle")
    told = {f"{room} imports from {other}" for room, others in edges.items() for other in others}
    assert {disc.find("title").text for disc in discs} == told
    assert {text.text for text in picture.findall("text")} == set(edges)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="functions have no qualified names")
def test_one_batch_runs_through_the_rooms(house):
    calls = house.trace_one_batch()
    assert calls[0] == (0, "estimators", "BaseExplanationClassifier.fit")
    rooms = {"estimators", "masks", "training", "penalties", "metrics"}  # the last: check of a fit
    assert {room for _, room, _ in calls} == rooms
    functions = [function for _, _, function in calls]
    order = ["interpret_mask", "Trainer._step", "Objective.label_term", "evaluate_terms"]
    assert sorted(order, key=functions.index) == order


# -- docstrings ------------------------------------------------------------------------------------

needs_numpydoc = pytest.mark.skipif(
    importlib.util.find_spec("numpydoc") is None, reason="numpydoc comes with the extra docs"
)

# Without `training`, the engine, which documents what skorch and torch leave open.
DOCUMENTED = {
    name: thing
    for name, thing in PUBLIC.items()
    if (inspect.isclass(thing) or inspect.isfunction(thing)) and not name.startswith("training.")
}
METHODS = {
    f"{name}.{key}": getattr(owner, key)
    for name, owner in DOCUMENTED.items()
    if inspect.isclass(owner)
    for key, value in vars(owner).items()
    if not key.startswith("_") and inspect.isfunction(getattr(value, "__func__", value))
}

# Of numpydoc's checks those that find something missing.  Not asked for: an extended summary and
# "See Also" everywhere, and returned values without names (RT02), which have names here.
CHECKS = {
    *("GL03", "GL05", "GL06", "GL07", "GL08", "GL09", "GL10"),  # whole, and in known sections
    *("SS01", "SS03", "SS04", "SS06"),  # a summary, in one line
    *("PR01", "PR02", "PR03", "PR04", "PR05", "PR06", "PR07", "PR10"),  # parameters, their types
    *("RT01", "YD01", "EX01"),  # what comes back, and an example
}


def is_record(thing):
    """Whether a class only holds what functions return or studies declare."""
    return dataclasses.is_dataclass(thing) or (inspect.isclass(thing) and issubclass(thing, dict))


def is_base(thing):
    """Whether a class is there to be derived from, or to be caught."""
    bases = (BaseException, skexplain.studies.Study)
    return thing in (Penalty, PerturbationPenalty) or (
        inspect.isclass(thing) and issubclass(thing, bases)
    )


@needs_numpydoc
def test_docstrings_are_whole():
    from numpydoc.validate import validate

    found = {}
    for name, thing in DOCUMENTED.items():
        checks = set(CHECKS)
        if is_record(thing):
            checks -= {"PR01", "EX01"}  # fields are attributes; what returns one has the example
        if is_base(thing):
            checks -= {"EX01"}
        found[name] = [
            f"{code}: {text}"
            for code, text in validate(f"skexplain.{name}")["errors"]
            # What starts with a prefix goes to another object: **prefixed stands for all of these.
            if code in checks and text != "Unknown parameters {'**prefixed'}"
        ]
    assert {name: errors for name, errors in found.items() if errors} == {}


@needs_numpydoc
def test_parameters_tell_shape_and_default():
    from numpydoc.docscrape import ClassDoc, FunctionDoc

    lacking = []
    for name, thing in (DOCUMENTED | METHODS).items():
        documentation = ClassDoc if inspect.isclass(thing) else FunctionDoc
        for entry in documentation(thing)["Parameters"]:
            told = " ".join([entry.type, *entry.desc])
            # Or that it is a mask "as in `fit`", where the shapes stand.
            if re.search(
                r"\b(array-like|ndarray|Tensor)\b(?! of (int|str))", entry.type
            ) and not re.search(r"shape|broadcast|fit", told):
                lacking.append((name, entry.name, "shape"))
            signature = inspect.signature(thing).parameters
            lacking += [
                (name, parameter, "default")
                for parameter in entry.name.replace("*", "").split(", ")
                if parameter in signature
                and signature[parameter].default is not inspect._empty
                and "default" not in entry.type
            ]
    assert lacking == []


@needs_numpydoc
@pytest.mark.parametrize("name", [*DOCUMENTED, *METHODS])
def test_parameters_are_documented_in_the_order_of_the_signature(name):
    """As PR03 of numpydoc, which does not compare where **prefixed stands for many names."""
    from numpydoc.docscrape import ClassDoc, FunctionDoc

    thing = (DOCUMENTED | METHODS)[name]
    documentation = ClassDoc if inspect.isclass(thing) else FunctionDoc
    entries = [entry.name for entry in documentation(thing)["Parameters"]]
    documented = [part.strip("* ") for entry in entries for part in entry.split(",")]
    signature = list(inspect.signature(thing).parameters) if documented else []
    assert [part for part in documented if part in signature] == [
        part for part in signature if part in documented
    ]


def raises_value_error(function):
    """Whether ValueError is raised in the body of a function."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    return "ValueError" in {getattr(getattr(call, "func", None), "id", "") for call in raised}


def documents_errors(name):
    """Whether a function has a section of errors; a method may leave it to what it overrides."""
    module, *owner, function = name.split(".")
    if owner:
        classes = getattr(MODULES[module], owner[0]).__mro__
        told = [vars(cls)[function] for cls in classes if function in vars(cls)]
    else:
        told = [DOCUMENTED[name]]
    return any("Raises\n------" in inspect.getdoc(thing) for thing in told)


def test_errors_are_documented():
    raising = {
        name
        for name, thing in (DOCUMENTED | METHODS).items()
        if not inspect.isclass(thing) and raises_value_error(thing)
    }
    assert {"masks.mask_from_boxes", "inspection.MaskSuggestion.mask_of"} <= raising
    assert {name for name in raising if not documents_errors(name)} == set()


OF_NO_PAPER = {"MaskPropagator", "WithPropagatedMasks", "WithTokenizer", "WordTokenizer"}


def test_methods_name_their_source():
    methods = {
        name: thing
        for name, thing in DOCUMENTED.items()
        if (name.startswith("estimators.") and name.partition(".")[2] not in OF_NO_PAPER)
        or (inspect.isclass(thing) and issubclass(thing, Penalty) and not is_base(thing))
    }
    assert {"estimators.SwapExClassifier", "penalties.AverageCasePenalty"} <= set(methods)
    without = [n for n, m in methods.items() if "References\n----------" not in inspect.getdoc(m)]
    assert without == []
