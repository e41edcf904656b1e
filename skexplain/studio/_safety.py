"""Who may ask the server what: the address, the token, the origin, and what a page may load."""

from __future__ import annotations

import hmac
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

# A page may load what lies on the server, and run no script but its files.
_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]


class Guard:
    """An ASGI application around another, which lets through only requests of its own page.

    Parameters
    ----------
    app : ASGI application
    token : str
        What the address of the first request must have as ``?token=``; a cookie has it afterwards.
    names : set of str
        What the server is called: the header Host must have one of these, or the address at which
        the request arrived, and the port.  No page of a stranger can have such an address, where a
        name of the stranger's could lead to this machine.
    port : int
    """

    def __init__(self, app: Any, token: str, names: set[str], port: int) -> None:
        self.app, self.token = app, token
        self.hosts = {f"{name}:{port}" for name in names}
        # Cookies have no ports: that of another server on this machine has another name.
        self.cookie = f"skexplain-{port}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        problem = self._problem(scope, headers)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if problem is None and self._is(query.get("token", [""])[0]) and scope["path"] == "/":
            cookie = f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"
            await _answer(send, 303, b"", [(b"location", b"/"), (b"set-cookie", cookie.encode())])
            return
        if problem is None and not self._is(self._cookie_of(headers)):
            problem = 401, "Open the address with the token that the command has printed."
        if problem is not None:
            await _answer(send, problem[0], problem[1].encode(), [])
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_HEADERS]}
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def _problem(self, scope: Any, headers: dict[bytes, str]) -> tuple[int, str] | None:
        host = headers.get(b"host", "")
        address, port = scope["server"]
        if host not in {*self.hosts, f"{in_address(address)}:{port}"}:
            return 421, "This is not the server of that name."
        if scope["method"] not in ("GET", "HEAD") and headers.get(b"origin") != f"http://{host}":
            return 403, "The request is from another page."
        return None

    def _cookie_of(self, headers: dict[bytes, str]) -> str:
        try:
            cookie = SimpleCookie(headers.get(b"cookie", "")).get(self.cookie)
        except Exception:  # http.cookies raises a class of its own for what is no cookie
            return ""
        return "" if cookie is None else cookie.value

    def _is(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())


def in_address(host: str) -> str:
    """Return a host as it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


async def _answer(send: Any, status: int, text: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    plain = [(b"content-type", b"text/plain; charset=utf-8")]
    await send(
        {"type": "http.response.start", "status": status, "headers": plain + headers + _HEADERS}
    )
    await send({"type": "http.response.body", "body": text})
