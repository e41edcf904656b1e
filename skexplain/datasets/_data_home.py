"""Where files of data are kept, and how they come there: by hand or by a checked download."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from .._checks import check_path

DataHome: TypeAlias = str | os.PathLike[str] | None

_ENVIRONMENT_VARIABLE = "SKEXPLAIN_DATA"
_N_NAMES_SHOWN = 5


def get_data_home(data_home: DataHome = None) -> Path:
    """Return the folder in which the fetchers look for files and keep what they download.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The folder.  None is what the environment variable ``SKEXPLAIN_DATA`` names, or
        ``~/skexplain_data`` if it is not set.  A leading ``~`` stands for the user's home.

    Returns
    -------
    pathlib.Path
        The folder.  It is made by the first download, not here.

    Raises
    ------
    TypeError
        If `data_home` is neither a str, path-like nor None.
    ValueError
        If it is empty or has null characters.

    Examples
    --------
    >>> from skexplain.datasets import get_data_home
    >>> get_data_home("data").name
    'data'
    """
    if data_home is None:
        # An empty variable counts as unset: Path("") would be the current folder.
        data_home = os.environ.get(_ENVIRONMENT_VARIABLE) or Path("~", "skexplain_data")
    elif not isinstance(data_home, str | os.PathLike):
        raise TypeError(f"data_home must be a str, path-like or None; got {data_home!r}.")
    return check_path("data_home", data_home).expanduser()


def require_files(folder: str | os.PathLike[str], names: Iterable[str], instructions: str) -> Path:
    """Return a folder that holds what it must, for data that cannot be downloaded without a person.

    Parameters
    ----------
    folder : str or path-like
        Where the files must stand.
    names : iterable of str
        Paths of files or folders, relative to `folder`.
    instructions : str
        What to get, where, under which licence, and how to check it; the end of the error.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    FileNotFoundError
        If anything is missing.
    """
    folder = Path(folder)
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise FileNotFoundError(f"{folder} lacks {_enumerate(missing)}. {instructions}")
    return folder


def download(
    name: str,
    urls: Sequence[str],
    known_hash: str,
    folder: str | os.PathLike[str],
    *,
    download_if_missing: bool = True,
) -> Path:
    """Return the path of a file, downloaded from the first mirror that gives the right bytes.

    A file that is already there is taken as it is: a finished download has been checked, and
    pooch moves nothing else into place.

    Parameters
    ----------
    name : str
        The file's name in `folder`.
    urls : sequence of str
        Mirrors, tried in this order.
    known_hash : str
        "sha256:..." or "md5:...", of the file as it is served.
    folder : str or path-like
        Where the file belongs.
    download_if_missing : bool, default=True
        Whether to download a file that is not there.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    OSError
        If the file is not there and may not be downloaded, or no mirror gives it.
    ImportError
        If pooch is not installed.
    """
    path = Path(folder) / name
    if path.is_file():
        return path
    by_hand = (
        f"Put it there by hand from {' or '.join(urls)}; its checksum must be "
        f"{known_hash.replace(':', ' ')}."
    )
    if not download_if_missing:
        raise FileNotFoundError(f"{path} is missing and download_if_missing is False. {by_hand}")
    pooch = _import_pooch()
    failures = []
    for url in urls:
        try:
            return Path(pooch.retrieve(url, known_hash, fname=name, path=path.parent))
        # requests' errors are OSErrors; a wrong checksum is a ValueError.
        except (OSError, ValueError) as error:
            failures.append(f"\n- {url}: {error}")
    raise OSError(f"{path} could not be downloaded. {by_hand} What failed:{''.join(failures)}")


def _import_pooch() -> Any:
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            'Downloads need pooch, which the extra "data" brings: pip install "skexplain[data]"'
        ) from error
    return pooch


def _enumerate(names: Sequence[object]) -> str:
    shown = ", ".join(map(str, names[:_N_NAMES_SHOWN]))
    n_more = len(names) - _N_NAMES_SHOWN
    return f"{shown} and {n_more} more" if n_more > 0 else shown
