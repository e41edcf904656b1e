"""Check that the two newsgroups are read from folders and archives, that broken ones raise an
error, and that masks are those counted by hand.
"""

import gzip
import hashlib
import io
import os
import re
import tarfile

import numpy as np
import pytest
from _mirrors import serve
from numpy.testing import assert_array_equal
from sklearn.datasets import load_files

from skexplain.datasets import _news_archive, fetch_newsgroups, get_data_home

GROUPS = ["alt.atheism", "soc.religion.christian"]
FOLDERS = ["20news-bydate-train", "20news-bydate-test"]
# Folder, newsgroup and number to the message.
MESSAGES = {
    (0, 0, 9): "From: Ann Reason\nSubject: Proof\n\nReason asks for proof\n\nAnn again",
    (0, 0, 10): "From: Bob\nOrganization: Lab\n\nNo proof\xe9 of God",
    (0, 1, 8): "From: Cid\nSubject: God\n\nGod is love",
    (0, 1, 11): "From: Dot Church\nSubject: Lab\n\nlove and faith",
    (0, 1, 100): "From: Eve Church\n\nfaith in love",
    (1, 0, 5): "From: Bob\nOrganization: Lab\n\nproof of nothing",
    (1, 0, 7): "From: Ann\n\nReason",
    (1, 1, 6): "From: Eve Church\nSubject: love\n\nlove",
}


SHA256 = {
    None: "262bf99c957c182d89bd4d44c9b4be1806b2676a0a6cf9a07b217fbaca2f7bbb",
    "headers": "004305fb5c3a27a16d8a4de7728b4428af561458fdc47412492fc1c515a21c4b",
}


def content_of(message):
    return message.encode("latin-1")


def path_of(key):
    return f"{FOLDERS[key[0]]}/{GROUPS[key[1]]}/{key[2]}"


def write_folder(folder, messages=MESSAGES):
    for key, message in messages.items():
        path = folder / path_of(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(message))


def make_tar(messages=MESSAGES, prefix="", others=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for key, message in messages.items():
            member = tarfile.TarInfo(prefix + path_of(key))
            member.size = len(content_of(message))
            archive.addfile(member, io.BytesIO(content_of(message)))
        for member in others:
            archive.addfile(member)
    return buffer.getvalue()


def write_archive(folder, content):
    (folder / "20news-some.tar.gz").write_bytes(gzip.compress(content))


def fetch(home, shortcut=None, random_state=0):
    return fetch_newsgroups(
        shortcut, data_home=home, download_if_missing=False, random_state=random_state
    )


def texts_of(part):
    return sorted(message for key, message in MESSAGES.items() if key[0] == part)


@pytest.fixture
def home(tmp_path):
    write_folder(tmp_path)
    return tmp_path


# -- sources --------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["folder", "20news", "archive", "archive with a prefix"])
def test_sources_give_the_same(tmp_path, source):
    if source in ("folder", "20news"):
        write_folder(tmp_path / (source if source == "20news" else "."))
    else:
        write_archive(tmp_path, make_tar(prefix="./some/" if "prefix" in source else ""))
    news = fetch(tmp_path)
    assert sorted(news.documents) == texts_of(0)
    assert sorted(news.documents_test) == texts_of(1)
    for documents, labels in [
        (news.documents, news.target),
        (news.documents_test, news.target_test),
    ]:
        group = {message: key[1] for key, message in MESSAGES.items()}
        assert [group[text] for text in documents] == labels.tolist()
    assert news.target_names == GROUPS


def test_the_layout_is_that_of_load_files(home):
    ours = fetch(home)
    theirs = load_files(home / FOLDERS[0], encoding="latin-1")
    assert sorted(zip(ours.documents, ours.target, strict=True)) == sorted(
        zip(theirs.data, theirs.target, strict=True)
    )


def test_order_does_not_depend_on_the_source(tmp_path):
    write_archive(tmp_path, make_tar(dict(reversed(MESSAGES.items()))))
    other = fetch(tmp_path)
    write_folder(tmp_path)
    assert fetch(tmp_path).documents == other.documents


def test_what_is_no_message_is_left_out(home):
    (home / path_of((0, 0, ".DS_Store"))).write_bytes(b"\0\0")
    write_folder(home, {(0, 0, "notes.txt"): "no message"})
    (home / FOLDERS[0] / "sci.space").mkdir()
    (home / FOLDERS[0] / "sci.space" / "1").write_bytes(b"\0")
    (home / FOLDERS[0] / "2").write_bytes(b"\0")
    assert sorted(fetch(home).documents) == texts_of(0)


def test_line_breaks_of_other_copies(tmp_path):
    """Some have a message in one line, with tabs; some have those of Windows."""
    messages = {
        key: message.replace("\n", "\t") + "\n"
        if key[0] == 0
        else message.replace("\n", "\r\n") + "\tnot a line break"
        for key, message in MESSAGES.items()
    }
    write_archive(tmp_path, make_tar(messages))
    news = fetch(tmp_path)
    assert sorted(text.removesuffix("\n") for text in news.documents) == texts_of(0)
    assert sorted(news.documents_test) == [text + "\tnot a line break" for text in texts_of(1)]


def test_an_archive_writes_nothing_whatever_it_names(tmp_path):
    others = [tarfile.TarInfo(f"../../{path_of((0, 0, 66))}"), tarfile.TarInfo("/evil")]
    for member in others:
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    home = tmp_path / "a" / "b"
    home.mkdir(parents=True)
    write_archive(home, make_tar(others=others[1:]))
    assert sorted(fetch(home).documents) == texts_of(0)
    # A link in the place of a message is none: it is refused, not followed.
    write_archive(home, make_tar(others=others[:1]))
    with pytest.raises(ValueError, match="/66 of .* must be a message in latin-1; got b''"):
        fetch(home)
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "b", "20news-some.tar.gz"]


def damaged(what):
    """Return an archive that is broken in one way, gzipped, and what the error says."""
    whole = make_tar()
    keys = list(MESSAGES)
    if what == "gzip cut off":
        return gzip.compress(whole)[:-20], "must be a complete gzip file"
    if what == "gzip checksum":
        return gzip.compress(whole)[:-8] + bytes(8), "must be a complete gzip file"
    if what == "no gzip":
        return whole, "must be a complete gzip file"
    if what == "no tar":
        return gzip.compress(b"text" * 1000), "must be a complete tar archive"
    if what == "empty":
        return gzip.compress(b""), "must be a complete tar archive"
    if what == "first header":
        return gzip.compress(b"?" + whole[1:]), "must be a complete tar archive"
    if what == "last header":  # tarfile takes it for the end
        start = 1024 * (len(keys) - 1)
        broken = whole[:start] + b"?" + whole[start + 1 :]
        return gzip.compress(broken), f"must be a complete tar archive: damaged at byte {start}"
    if what == "cut off in a member":
        return gzip.compress(whole[: 1024 * 3 + 520]), "must be a complete tar archive"
    assert what == "cut off in a header"
    return gzip.compress(whole[: 1024 * 3 + 100]), "must be a complete tar archive"


@pytest.mark.parametrize(
    "what",
    [
        "gzip cut off",
        "gzip checksum",
        "no gzip",
        "no tar",
        "empty",
        "first header",
        "last header",
        "cut off in a member",
        "cut off in a header",
    ],
)
def test_broken_archives_are_named(tmp_path, what):
    content, message = damaged(what)
    (tmp_path / "20news-some.tar.gz").write_bytes(content)
    with pytest.raises(ValueError, match=rf"20news-some\.tar\.gz {message}"):
        fetch(tmp_path)


@pytest.mark.parametrize("content", [b"", b" \n", "From: Bob\n\nfaith".encode("utf-16")])
@pytest.mark.parametrize("key", [(0, 1, 8), (1, 0, 5)])
def test_broken_messages_are_named(home, key, content):
    (home / path_of(key)).write_bytes(content)
    message = f"{path_of(key)} of {home} must be a message in latin-1; got {content[:20]!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        fetch(home)


@pytest.mark.parametrize("lacking", [(0, None), (1, None), (0, 1), (1, 0)])
def test_missing_newsgroups_are_named(tmp_path, lacking):
    part, group = lacking
    write_folder(
        tmp_path,
        {k: m for k, m in MESSAGES.items() if k[0] != part or group not in (None, k[1])},
    )
    message = f"{tmp_path} must hold messages in {FOLDERS[part]}/{GROUPS[group or 0]}; got none"
    with pytest.raises(ValueError, match=re.escape(message)):
        fetch(tmp_path)


def test_download(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served, home = tmp_path / "served", tmp_path / "home"
    served.mkdir()
    write_archive(served, make_tar())
    content = (served / "20news-some.tar.gz").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    with serve(served) as (url, requested):
        monkeypatch.setattr(_news_archive, "_URLS", (f"{url}/20news-some.tar.gz",))
        with pytest.raises(OSError, match=r"(?s)20news-bydate\.tar\.gz could not be.*hash"):
            fetch_newsgroups(data_home=home)
        monkeypatch.setattr(_news_archive, "_KNOWN_HASH", f"sha256:{sha256}")
        news = fetch_newsgroups(data_home=home)
    assert len(requested) == 2
    assert sorted(news.documents) == texts_of(0)
    assert [path.name for path in home.iterdir()] == ["20news-bydate.tar.gz"]
    assert fetch(home).data.shape == news.data.shape


def test_no_download_unless_asked_for(tmp_path):
    with pytest.raises(OSError, match="is missing and download_if_missing is False"):
        fetch(tmp_path)


# -- words and masks ------------------------------------------------------------------------------


def test_words_are_weighted_as_in_the_paper(home):
    """Counts times 1 + log((1 + n) / (1 + n_with)), to length 1; case is kept."""
    news = fetch(home)
    names = news.feature_names
    assert "God" in names
    assert "god" not in names
    assert "proof\xe9" in names
    documents_with = {"From": 5, "Eve": 1, "Church": 2, "faith": 2, "in": 1, "love": 3}
    weights = {word: 1 + np.log(6 / (1 + n)) for word, n in documents_with.items()}
    row = news.documents.index(MESSAGES[0, 1, 100])
    length = np.sqrt(sum(weight**2 for weight in weights.values()))
    expected = [weights.get(word, 0.0) / length for word in names]
    np.testing.assert_allclose(news.data[row], expected, rtol=1e-6)
    assert news.data.dtype == news.data_test.dtype == news.data_random.dtype == np.float32
    assert_array_equal(news.vectorizer.transform(news.documents_test).toarray(), news.data_test)


def test_only_the_most_frequent_words_are_kept(tmp_path):
    many = " ".join(f"w{i}" for i in range(6000))
    write_folder(tmp_path, {**MESSAGES, (0, 0, 1): f"From: Zed\n\n{many}"})
    news = fetch(tmp_path)
    assert news.data.shape == (6, 5000)
    assert "love" in news.feature_names


def test_without_a_shortcut_nothing_is_masked(home):
    news = fetch(home)
    assert not news.mask.any()
    assert not news.mask_test.any()
    assert news.mask.shape == news.data.shape
    assert news.mask_test.shape == news.data_test.shape
    assert_array_equal(news.data_random, news.data)
    assert not np.shares_memory(news.data_random, news.data)
    assert_array_equal(news.groups, news.target)
    assert_array_equal(news.groups_test, news.target_test)


def test_masks_are_words_of_the_header_that_the_body_lacks(home):
    news = fetch(home, "headers")
    masked = {
        text: {name for name, marked in zip(news.feature_names, row, strict=True) if marked}
        for text, row in zip(news.documents, news.mask, strict=True)
    }
    assert masked == {
        # The body has "Reason" and "Ann" (below its own blank line), and "proof", not "Proof".
        MESSAGES[0, 0, 9]: {"From", "Subject", "Proof"},
        MESSAGES[0, 0, 10]: {"From", "Bob", "Organization", "Lab"},
        # Its subject says what the body says.
        MESSAGES[0, 1, 8]: {"From", "Cid", "Subject"},
        MESSAGES[0, 1, 11]: {"From", "Dot", "Church", "Subject", "Lab"},
        MESSAGES[0, 1, 100]: {"From", "Eve", "Church"},
    }


def split_all(documents):
    return [tuple(text.split("\n\n", 1)) for text in documents]


def test_test_headers_are_shuffled(home):
    news, sent = fetch(home, "headers"), fetch(home)
    assert news.documents == sent.documents
    assert_array_equal(news.data, sent.data)
    assert_array_equal(news.target_test, sent.target_test)
    for (header, body), (header_sent, body_sent) in zip(
        sorted(split_all(news.documents_test), key=lambda pair: pair[1]),
        sorted(split_all(sent.documents_test), key=lambda pair: pair[1]),
        strict=True,
    ):
        assert body == body_sent
        assert header in [pair[0] for pair in split_all(sent.documents_test)]
        assert header_sent
    headers = [sorted(header for header, _ in split_all(n.documents_test)) for n in (news, sent)]
    assert headers[0] == headers[1]
    # The masks are those of the headers that are there now.
    in_body = news.vectorizer.transform(body for _, body in split_all(news.documents_test))
    assert not np.any(news.mask_test & (in_body.toarray() > 0))
    assert_array_equal(news.mask_test | (in_body.toarray() > 0), news.data_test > 0)


def many_messages(n_rows):
    """Messages whose header tells the newsgroup and whose body says which row they are."""
    return {
        (part, group, row): f"From: group{group}\n\nbody{part}{group}{row:03}"
        for part in range(2)
        for group in range(2)
        for row in range(n_rows)
    }


def test_shuffled_headers_tell_nothing(tmp_path):
    write_folder(tmp_path, many_messages(100))
    news = fetch(tmp_path, "headers")
    column = news.feature_names.index("group1")
    assert_array_equal(news.data[:, column] > 0, news.target == 1)
    for data, labels in [(news.data_random, news.target), (news.data_test, news.target_test)]:
        shown = data[:, column] > 0
        assert shown.sum() == 100
        # Within four standard errors of a half, for 200 rows drawn without replacement.
        assert abs(np.mean(shown == (labels == 1)) - 0.5) < 4 * np.sqrt(0.25 / 199)
    # The bodies stay where they are.
    is_body = np.array([name.startswith("body") for name in news.feature_names])
    assert_array_equal(news.data_random[:, is_body] > 0, news.data[:, is_body] > 0)
    # Rows are in random order: a fifth of them has not one class only.
    assert 0.2 < news.target[:80].mean() < 0.8


def test_a_message_without_a_blank_line_is_all_header(tmp_path):
    write_folder(tmp_path, {**MESSAGES, (0, 0, 1): "From: Zed\nSubject: Lines"})
    news = fetch(tmp_path, "headers")
    row = next(i for i, text in enumerate(news.documents) if "Zed" in text)
    assert_array_equal(news.mask[row], news.data[row] > 0)


@pytest.mark.parametrize("shortcut", [None, "headers"])
def test_equal_seeds_give_equal_bytes(tmp_path, shortcut):
    write_folder(tmp_path, many_messages(20))
    names = ["data", "target", "mask", "data_test", "target_test", "mask_test", "data_random"]
    first, again = fetch(tmp_path, shortcut), fetch(tmp_path, shortcut, np.random.RandomState(0))
    other = fetch(tmp_path, shortcut, 1)
    for name in names:
        assert first[name].tobytes() == again[name].tobytes()
    for name in ("data", "target", "data_test", "target_test", "data_random"):
        assert first[name].tobytes() != other[name].tobytes()
    # Masks and labels have no rounding in them.
    content = first.mask.tobytes() + first.mask_test.tobytes() + first.target.tobytes()
    assert hashlib.sha256(content).hexdigest() == SHA256[shortcut]


def test_global_random_state_is_untouched(home):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    fetch_newsgroups("headers", data_home=home)
    assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("shortcut", ["none", "Headers", 3, ["headers"]])
def test_unknown_traps(home, shortcut):
    message = re.escape(f"shortcut must be None or 'headers'; got {shortcut!r}")
    with pytest.raises(ValueError, match=message):
        fetch(home, shortcut)


def test_bad_random_states(home):
    with pytest.raises(ValueError, match="random_state must be an int"):
        fetch(home, random_state="zero")


def test_description_says_what_there_is(home):
    for shortcut, says in [(None, "nowhere"), ("headers", "not in its body")]:
        news = fetch(home, shortcut)
        for part in [
            f"Shortcut: {shortcut}",
            says,
            "5 training and 3 test",
            f"{news.data.shape[1]} words",
        ]:
            assert part in news.DESCR


@pytest.mark.slow
@pytest.mark.skipif("SKEXPLAIN_DATA" not in os.environ, reason="needs messages in SKEXPLAIN_DATA")
def test_the_real_messages():
    news = fetch(get_data_home(), "headers")
    assert news.data.shape == (1079, 5000)
    assert news.data_test.shape == (717, 5000)
    assert np.bincount(news.target).tolist() == [480, 599]
    assert np.bincount(news.target_test).tolist() == [319, 398]
    # 14.1 and 15.9 of 163 words in a row are the header's alone.
    assert 12 < news.mask.sum(axis=1).mean() < 17
    assert 12 < news.mask_test.sum(axis=1).mean() < 17
