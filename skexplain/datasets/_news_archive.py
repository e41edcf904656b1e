"""Messages of 20 Newsgroups, from a folder or an archive in the layout of the original."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from ._data_home import download

# Parts of the path of a file, and what it holds.
File: TypeAlias = tuple[Sequence[str], bytes]

# scikit-learn's mirror of http://qwone.com/~jason/20Newsgroups/.  Its fetcher is not used here: it
# keeps a pickle, and what lies in a folder of downloads is never unpickled.
_ARCHIVE = "20news-bydate.tar.gz"
_URLS = ("https://ndownloader.figshare.com/files/5975967",)
_KNOWN_HASH = "sha256:8f1b2514ca22a5ade8fbb9cfa5727df95fa587f4c87b786e15c759fa66d95610"
_PARTS = {"train": "20news-bydate-train", "test": "20news-bydate-test"}
_BLOCK = tarfile.BLOCKSIZE


def read_messages(
    home: Path, newsgroups: Sequence[str], download_if_missing: bool
) -> dict[str, list[list[str]]]:
    """Return the messages of some newsgroups.

    Parameters
    ----------
    home : pathlib.Path
        Holds the folders 20news-bydate-train and 20news-bydate-test, itself or in its folder
        20news, or an archive 20news*.tar.gz of them.  In these stands a folder for each newsgroup,
        with a file for each message, named by a number.
    newsgroups : sequence of str
        The newsgroups to read.
    download_if_missing : bool
        Whether to download the archive into `home` if there is none.

    Returns
    -------
    dict of str to list of list of str
        Under "train" and "test", the messages of each newsgroup, in the order of their numbers.

    Raises
    ------
    OSError
        If there is no source and it is not or cannot be downloaded.
    ValueError
        If the archive is broken, a message is no text, or a newsgroup has no message.
    """
    source, files = _find_files(home, download_if_missing)
    messages: dict[tuple[str, ...], dict[int, str]] = {
        (folder, group): {} for folder in _PARTS.values() for group in newsgroups
    }
    for (*folders, name), content in files:
        # Messages are named by numbers: skips what file managers leave behind.
        if tuple(folders) in messages and name.isdecimal():
            path = "/".join([*folders, name])
            messages[tuple(folders)][int(name)] = _decode(f"{path} of {source}", content)
    for folders, found in messages.items():
        if not found:
            raise ValueError(f"{source} must hold messages in {'/'.join(folders)}; got none.")
    return {
        part: [
            [text for _, text in sorted(messages[folder, group].items())] for group in newsgroups
        ]
        for part, folder in _PARTS.items()
    }


def _find_files(home: Path, download_if_missing: bool) -> tuple[Path, Iterator[File]]:
    """Return where the files are and an iterator of pairs, last three parts of path and bytes."""
    for folder in (home, home / "20news"):
        if any((folder / part).is_dir() for part in _PARTS.values()):
            return folder, _walk_folder(folder)
    archive = next(iter(sorted(home.glob("20news*.tar.gz"))), None)
    if archive is None:
        archive = download(
            _ARCHIVE, _URLS, _KNOWN_HASH, home, download_if_missing=download_if_missing
        )
    return archive, _walk_archive(archive)


def _walk_folder(folder: Path) -> Iterator[File]:
    for part in _PARTS.values():
        for path in (folder / part).glob("*/*"):
            if path.is_file():
                yield path.parts[-3:], path.read_bytes()


def _walk_archive(path: Path) -> Iterator[File]:
    """Read the archive in memory: nothing is written, so no path in it can do harm."""
    try:
        # Unlike tarfile, gzip.decompress reads up to the checksum at the end.
        content = gzip.decompress(path.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} must be a complete gzip file: {error}.") from error
    end = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                yield tuple(member.name.split("/")[-3:]), b"" if file is None else file.read()
                end = member.offset_data + -(-member.size // _BLOCK) * _BLOCK
    except tarfile.TarError as error:
        raise ValueError(f"{path} must be a complete tar archive: {error}.") from error
    # tarfile takes a damaged header for the end of the archive.
    if any(memoryview(content)[end:]):
        raise ValueError(f"{path} must be a complete tar archive: damaged at byte {end}.")


def _decode(name: str, content: bytes) -> str:
    if not content.strip() or b"\0" in content:
        raise ValueError(f"{name} must be a message in latin-1; got {content[:20]!r}.")
    text = content.decode("latin-1").replace("\r\n", "\n")  # as scikit-learn decodes them
    # Some copies store a message in one line, with tabs for line breaks.
    return text if "\n" in text.strip() else text.replace("\t", "\n")
