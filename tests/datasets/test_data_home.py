"""Check where data sets are stored, that downloads are verified, and that mirrors are tried."""

import hashlib
import re
import sys
from pathlib import Path

import pytest
from _mirrors import dead_mirror, serve

from skexplain.datasets import get_data_home
from skexplain.datasets._data_home import download, require_files

CONTENT = b"some data\n" * 100
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


# -- folders --------------------------------------------------------------------------------------


def test_data_home_is_argument_then_variable_then_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("SKEXPLAIN_DATA", raising=False)
    assert get_data_home() == tmp_path / "skexplain_data"
    monkeypatch.setenv("SKEXPLAIN_DATA", "")
    assert get_data_home() == tmp_path / "skexplain_data"
    monkeypatch.setenv("SKEXPLAIN_DATA", "~/elsewhere")
    assert get_data_home() == tmp_path / "elsewhere"
    assert get_data_home("here") == Path("here")
    assert get_data_home(tmp_path / "here") == tmp_path / "here"
    assert get_data_home("~/here") == tmp_path / "here"
    assert list(tmp_path.iterdir()) == []  # nothing is made


def test_data_home_must_be_a_path():
    with pytest.raises(TypeError, match="data_home must be a str, path-like or None; got 3"):
        get_data_home(3)


def test_required_files(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels.txt").touch()
    assert require_files(str(tmp_path), ["images", "labels.txt"], "Get it.") == tmp_path
    with pytest.raises(FileNotFoundError, match=r" lacks boxes\.txt\. Get it from the authors\."):
        require_files(tmp_path, ["images", "boxes.txt"], "Get it from the authors.")
    names = [f"image_{i}" for i in range(8)]
    with pytest.raises(FileNotFoundError, match=r"image_3, image_4 and 3 more\. Get it\."):
        require_files(tmp_path, names, "Get it.")


# -- downloads ------------------------------------------------------------------------------------


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Return the address of a server, the folder it serves and what is asked for."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "file").write_bytes(CONTENT)
    (folder / "wrong").write_bytes(CONTENT[:-1])
    (folder / "cut_off").write_bytes(CONTENT)
    with serve(folder) as (url, requested):
        yield url, requested


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home" / "data"  # not there yet


@pytest.mark.parametrize("known_hash", [SHA256, "md5:" + hashlib.md5(CONTENT).hexdigest()])
def test_download_once(mirror, home, known_hash):
    url, requested = mirror
    for _ in range(2):
        path = download("name", [f"{url}/file"], known_hash, home)
        assert path == home / "name"
        assert path.read_bytes() == CONTENT
    assert requested == ["/file"]
    assert list(home.iterdir()) == [path]


def test_mirrors_are_tried_in_order(mirror, home):
    url, requested = mirror
    urls = [f"{dead_mirror()}/file", *(f"{url}/{name}" for name in ("none", "wrong", "file", "x"))]
    assert download("name", urls, SHA256, home).read_bytes() == CONTENT
    assert [path for path in requested if "404" not in path][-1] == "/file"
    assert "/x" not in requested
    assert [path.name for path in home.iterdir()] == ["name"]


def test_the_error_lists_all_mirrors_and_says_what_to_do(mirror, home):
    url, _ = mirror
    urls = [f"{dead_mirror()}/file", f"{url}/none", f"{url}/wrong", f"{url}/cut_off"]
    with pytest.raises(OSError, match="could not be downloaded") as raised:
        download("name", urls, SHA256, home)
    message = str(raised.value)
    assert message.startswith(f"{home / 'name'} could not be downloaded. Put it there by hand from")
    assert f"its checksum must be {SHA256.replace(':', ' ')}." in message
    failures = message.splitlines()[1:]
    for url, reason in zip(urls, ["refused", "404", "hash", "IncompleteRead"], strict=True):
        [failure] = [line for line in failures if line.startswith(f"- {url}: ")]
        assert reason in failure
    # What has come in part, or wrong, is gone.
    assert list(home.iterdir()) == []


def test_a_file_that_is_there_is_taken_as_it_is(home):
    home.mkdir(parents=True)
    (home / "name").write_bytes(b"my own")
    for allowed in (True, False):
        path = download("name", [dead_mirror()], SHA256, home, download_if_missing=allowed)
        assert path.read_bytes() == b"my own"


def test_no_download_unless_asked_for(mirror, home):
    url, requested = mirror
    message = f"{home / 'name'} is missing and download_if_missing is False. Put it there by hand"
    with pytest.raises(OSError, match=re.escape(message)):
        download("name", [f"{url}/file"], SHA256, home, download_if_missing=False)
    assert requested == []
    assert not home.exists()


def test_missing_pooch_names_the_extra(monkeypatch, home):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=re.escape('pip install "skexplain[data]"')):
        download("name", [dead_mirror()], SHA256, home)
