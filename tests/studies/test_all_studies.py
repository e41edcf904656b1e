"""Studies are found by the entry points of what is installed."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
from _toy_study import Failing, Toy

from skexplain import _cli
from skexplain.studies import _all_studies as module
from skexplain.studies import get_study, list_studies

ONE, TWO = (Toy(), Failing()), (Toy(),)


@pytest.fixture
def install(monkeypatch):
    """Install distributions that offer studies, by the values of their entry points."""

    def install(*values):
        points = [EntryPoint(f"p{i}", value, module.GROUP) for i, value in enumerate(values)]
        monkeypatch.setattr(module, "entry_points", lambda group: points)
        module._studies.cache_clear()

    made_up = ModuleType("made_up")
    made_up.ONE, made_up.TWO = ONE, TWO
    monkeypatch.setitem(sys.modules, "made_up", made_up)
    yield install
    module._studies.cache_clear()


def test_studies_of_all_distributions_are_found(install):
    install("made_up:ONE")
    assert list_studies() == list(ONE)
    assert get_study("toy") is ONE[0]
    assert get_study(TWO[0]) is TWO[0]
    with pytest.raises(ValueError, match=r"must be one of \['toy', 'failing'\], got 'toi'\.$"):
        get_study("toi")


def test_where_none_are_installed_the_way_to_some_is_told(install, capsys):
    install()
    assert list_studies() == []
    with pytest.raises(ValueError, match=r"got 'toy' \(no studies are .*pip install \./papers\)"):
        get_study("toy")
    assert _cli.main(["study", "list"]) == 0
    printed = capsys.readouterr()
    assert printed.out.split() == ["name", "stored", "source", "title"]
    assert "pip install ./papers" in printed.err


def test_names_must_differ(install):
    install("made_up:ONE", "made_up:TWO")
    with pytest.raises(ValueError, match=r"'made_up:TWO' and 'made_up:ONE' both have .* 'toy'"):
        list_studies()


@pytest.mark.parametrize("value", ["not_there:STUDIES", "made_up:STUDIES"])
def test_what_cannot_be_imported_is_named(install, value):
    install(value)
    with pytest.raises(ImportError, match=f"the studies '{value}' cannot be imported: "):
        list_studies()
