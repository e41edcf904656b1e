"""The server of the page: routes that translate requests into calls, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import tempfile
import warnings
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from .._checks import check_count
from . import _exports, _pixels, _tasks
from ._data import Mask
from ._jobs import Jobs
from ._journal import Conflict
from ._project import Project
from ._safety import Guard, in_address

# Seconds between two looks at whether something has changed.
_PAUSE = 0.1

# Endings of files with marks, and how large one may be.
_IMPORTED = ("json", "jsonl", "xml", "csv")
_IMPORT_BYTES = 64 << 20

_PAGE = {
    "index.html": "text/html; charset=utf-8",
    "studio.css": "text/css; charset=utf-8",
    "studio.js": "text/javascript; charset=utf-8",
    "editor.js": "text/javascript; charset=utf-8",
    "marks.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
}


class Studio:
    """What the routes of one project share.

    Parameters
    ----------
    project : Project
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.jobs = Jobs(project, self._finish)

    def _finish(self, task: str) -> None:
        """Store the results of a task."""
        if task == "propagate":
            guessed = _tasks.propagated_masks(self.project)
            self.project.fill(guessed, by="propagated", replace="propagated")

    def state(self, since: int) -> dict[str, Any]:
        """Return what has changed since a version of the project, and what runs."""
        project, version = self.project, self.project.version
        changed = project.changed_since(since)
        return {
            "version": version,
            "changed": {number: project.state_of(number) for number in sorted(changed)},
            "jobs": self.jobs.state(),
        }

    def overview(self) -> dict[str, Any]:
        """Return all that a page shows first."""
        project = self.project
        return {
            "version": project.version,
            "kind": project.data.kind,
            "items": project.data.items,
            "samples": project.data.samples,
            "shape": getattr(project.data, "shape", None),
            "network": project.data.network,
            "source": project.settings["source"],
            "folder": str(project.folder.resolve()),
            "skipped": project.settings["skipped"],
            "propagates": project.data.propagates,
            "exports": project.data.exports,
            "states": [project.state_of(number) for number in range(len(project))],
        }

    def models(self) -> dict[str, Any]:
        """Return what is stored of models and suggestions."""
        names = (*_tasks.MODELS, "suggestions", "propagated")
        return {name: _tasks.read_record(self.project, name) for name in names}


def make_app(studio: Studio) -> Any:
    """Return the routes as an ASGI application."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    project, jobs = studio.project, studio.jobs

    def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in _PAGE:
            raise HTTPException(404)
        content = files(__package__).joinpath("page", name).read_bytes()
        return Response(content, media_type=_PAGE[name])

    def as_json(content: Any, status: int = 200) -> Response:
        # In ASCII: names of files may hold what has no encoding.
        return Response(json.dumps(content), status, media_type="application/json")

    def png(request: Request, draw: Callable[[Project, int], bytes]) -> Response:
        return Response(draw(project, _number(request)), media_type="image/png")

    def get_mask(request: Request) -> Response:
        mask, revision = project.mask_of(_number(request))
        content = b"" if mask is None else mask.astype(np.uint8).tobytes()
        # A text without words has an empty mask, which is another thing than none.
        headers = {"ETag": f'"{revision}"', "X-Annotated": str(int(mask is not None))}
        return Response(content, media_type="application/octet-stream", headers=headers)

    async def put_mask(request: Request) -> Response:
        number, revision = _number(request), _revision(request)
        project.check(number)
        shape = project.data.shape_of(number)
        n_bytes = int(np.prod(shape))
        body = await _body(request, n_bytes)
        if request.method == "PUT" and len(body) != n_bytes:
            raise HTTPException(400, f"A mask must have {n_bytes} bytes, one for each entry.")
        mask = np.frombuffer(body, np.uint8).reshape(shape) if request.method == "PUT" else None
        new = await asyncio.to_thread(project.set_mask, number, mask, revision=revision)
        return as_json({"revision": new})

    def copy(request: Request) -> Response:
        number = _number(request)
        mask, _ = project.mask_of(number)
        if mask is None:
            raise HTTPException(400, "There is no mask to copy.")
        masks = project.data.copies(number, mask)
        if request.query_params.get("to") == "class":
            masks = {
                other: masks[other] for other in masks if project.y[other] == project.y[number]
            }
        add = project.data.adds
        return as_json({"stored": project.fill(masks, by="copied", add=add)})

    def decide(request: Request) -> Response:
        number, decision = _number(request), request.path_params["decision"]
        if decision not in ("accept", "reject"):
            raise HTTPException(404)
        masks, stored = _tasks.suggested_masks(project, number), 0
        if decision == "accept":
            stored = project.fill(masks, by="suggested", add=project.data.adds)
        _tasks.decide(project, number, decision)
        return as_json({"stored": stored})

    def suggested(request: Request) -> Response:
        masks = _tasks.suggested_masks(project, _number(request))
        item = int(request.path_params["item"])
        if item not in masks:
            raise HTTPException(404)
        content = masks[item].astype(np.uint8).tobytes()
        return Response(content, media_type="application/octet-stream")

    def content(request: Request) -> Response:
        number = _number(request)
        project.check(number)
        return as_json(project.data.content(number))

    def saliency(request: Request) -> Response:
        kind = request.path_params["kind"]
        content = _tasks.saliency_of(project, kind, _number(request)).tobytes()
        return Response(content, media_type="application/octet-stream")

    async def bring(request: Request) -> Response:
        ending = request.query_params.get("ending", "")
        if ending not in _IMPORTED:
            raise HTTPException(400, f"The file must end in one of {', '.join(_IMPORTED)}.")
        body = await _body(request, _IMPORT_BYTES)
        if len(body) > _IMPORT_BYTES:
            raise HTTPException(413, f"The file must have at most {_IMPORT_BYTES >> 20} MiB.")
        masks = await asyncio.to_thread(_read_marks, project, body, ending)
        add = project.data.adds
        stored = await asyncio.to_thread(project.fill, masks, by="imported", add=add)
        return as_json({"stored": stored})

    def start(request: Request) -> Response:
        tasks = request.query_params.getlist("task")
        if not tasks or not set(tasks) <= set(_tasks.TASKS):
            raise HTTPException(400, f"There is no such task: {tasks}.")
        jobs.add(*tasks)
        return as_json(jobs.state())

    def cancel(request: Request) -> Response:
        jobs.cancel()
        return as_json(jobs.state())

    def export(request: Request) -> Response:
        what = request.path_params["what"]
        name, kind, content = _exports.write_export(project, what)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type=kind, headers=headers)

    async def events(request: Request) -> Response:
        async def changes(version: int) -> AsyncIterator[str]:
            seen = -1
            while not await request.is_disconnected():
                if project.version != version or jobs.version != seen:
                    seen = jobs.version
                    state = await asyncio.to_thread(studio.state, version)
                    version = state["version"]
                    yield f"data: {json.dumps(state)}\n\n"
                await asyncio.sleep(_PAUSE)

        since = request.query_params.get("since", "")
        start = int(since) if since.isdecimal() else 0
        return StreamingResponse(changes(start), media_type="text/event-stream")

    async def _body(request: Request, n_bytes: int) -> bytes:
        """Read the body of a request, not further than one byte more than it may have."""
        body = bytearray()  # which grows in place: bytes would be copied for each chunk
        async for chunk in request.stream():
            body += chunk
            if len(body) > n_bytes:
                break
        return bytes(body)

    def _number(request: Request) -> int:
        return int(request.path_params["number"])

    def _revision(request: Request) -> int:
        given = request.headers.get("if-match", "").strip('"')
        if not given.isdecimal():
            raise HTTPException(428, "The header If-Match must have the revision of the mask.")
        return int(given)

    def conflict(request: Request, error: Exception) -> Response:
        assert isinstance(error, Conflict)
        return as_json({"error": str(error), "revision": error.revision}, 409)

    def wrong(request: Request, error: Exception) -> Response:
        return as_json({"error": str(error)}, 400)

    def broken(request: Request, error: Exception) -> Response:
        assert isinstance(error, OSError)
        text = f"A file cannot be read or written: {error.strerror or error}."
        return as_json({"error": text}, 500)

    def failed(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return as_json({"error": error.detail}, error.status_code)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/page/{name}", page),
            Route("/api/project", lambda _: as_json(studio.overview())),
            Route("/api/models", lambda _: as_json(studio.models())),
            Route("/api/events", events),
            Route("/api/masks/{number:int}", get_mask),
            Route("/api/masks/{number:int}", put_mask, methods=["PUT", "DELETE"]),
            Route("/api/masks/{number:int}/copy", copy, methods=["POST"]),
            Route("/api/suggestions/{number:int}/{decision}", decide, methods=["POST"]),
            Route("/api/suggestions/{number:int}/{item:int}", suggested),
            Route("/api/items/{number:int}", content),
            Route("/api/saliency/{kind}/{number:int}", saliency),
            Route("/api/tasks", start, methods=["POST"]),
            Route("/api/import", bring, methods=["POST"]),
            Route("/api/cancel", cancel, methods=["POST"]),
            Route("/pictures/{number:int}", partial(png, draw=_pixels.large_picture)),
            Route("/thumbnails/{number:int}", partial(png, draw=_pixels.thumbnail)),
            Route("/export/{what}", export),
        ],
        exception_handlers={
            Conflict: conflict,
            ValueError: wrong,
            OSError: broken,
            HTTPException: failed,
        },
    )


def _read_marks(project: Project, content: bytes, ending: str) -> dict[int, Mask]:
    """Read marks from the content of a file; its name is nowhere used."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"marks.{ending}")
        path.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what is in the file and not in the project
                return project.data.read_marks(path)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), "The file")) from error


def serve(
    project: Project,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    names: Iterable[str] = (),
    open_browser: bool = True,
    train: bool = True,
    show: Callable[[str], None] = print,
) -> None:
    """Serve the page of a project until the process is interrupted.

    Parameters
    ----------
    project : Project
        The pictures and their masks.
    host : str, default="127.0.0.1"
        Where to listen: this machine alone by default; "0.0.0.0" or "::": at all addresses.
    port : int, default=0
        The port; 0: a free one.
    names : iterable of str, default=()
        Names of this machine by which the page may be opened, beside its addresses.
    open_browser : bool, default=True
        Whether to open the page in a browser.
    train : bool, default=True
        Whether to train a first model, and to search with it, at once, where there is none yet.
    show : callable, default=print
        ``show(text)`` is called with the address.

    Raises
    ------
    ImportError
        If starlette, uvicorn or filelock is not installed (extra "studio").
    ValueError
        If `port` is none, or another process has the project open.
    OSError
        If the port is taken.

    Examples
    --------
    >>> from skexplain.studio import Project, serve
    >>> serve(Project("photos-studio"))  # doctest: +SKIP
    """
    check_count("port", port, low=0, high=65535)
    try:
        import starlette  # noqa: F401 - said before anything is made
        import uvicorn
        from filelock import FileLock, Timeout
    except ImportError as error:
        raise ImportError(
            f'The studio needs {error.name}: pip install "skexplain[studio]".'
        ) from error
    token = secrets.token_urlsafe(24)
    lock = FileLock(project.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(f"{project.folder} is open in another process: end that first.") from None
    with lock, contextlib.closing(_listen(host, port)) as listening:
        studio = Studio(project)
        port = listening.getsockname()[1]
        known = {in_address(host), "127.0.0.1", "localhost", *names}
        guard = Guard(make_app(studio), token, known, port)
        address = f"http://{in_address(_own_address(host))}:{port}/?token={token}"
        show(f"The studio is at {address}")
        if train and _tasks.read_record(project, "suggestions") is None:
            studio.jobs.add("first", "suggest")
        if open_browser:
            webbrowser.open(address)
        config = uvicorn.Config(guard, log_level="warning", timeout_graceful_shutdown=1)
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            studio.jobs.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _own_address(host: str) -> str:
    """Return an address of this machine that others reach, where the server listens at all."""
    if host not in ("0.0.0.0", "::"):
        return host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:  # chooses the address towards the network; nothing is sent
            probe.connect(("2001:db8::1" if ":" in host else "192.0.2.1", 9))
        except OSError:  # there is no network
            return "::1" if ":" in host else "127.0.0.1"
        return str(probe.getsockname()[0])
