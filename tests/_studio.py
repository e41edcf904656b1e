"""A folder of pictures with a sticker in one class, and the studio's server in a thread."""

import contextlib
import http.client
import json
import re
import socket
import threading

import numpy as np
from PIL import Image

TOKEN = "a-token-of-the-tests"


def save_photos(folder, n_pictures=16, size=(24, 32), seed=0):
    """Save noisy pictures of two classes; those of class "sick" have a blue sticker, mostly."""
    rng = np.random.default_rng(seed)
    for number in range(n_pictures):
        label = ("healthy", "sick")[number % 2]
        pixels = rng.normal(150 + 10 * (number % 2), 25, size=(*size, 3))
        if number % 2 and number % 8 != 7:
            top, left = rng.integers(size[0] - 6), rng.integers(size[1] - 8)
            pixels[top : top + 6, left : left + 8] = (20, 40, 240)
        (folder / label).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        picture.save(folder / label / f"{number:02}.png")
    return folder


def stickers(X):
    """Return where the stickers are in X."""
    return (X[:, 2].astype(int) - X[:, 0]) > 120


class Client:
    """Speaks to a server as the page does."""

    def __init__(self, port, token=TOKEN):
        self.port = port
        self.headers = {"Host": f"127.0.0.1:{port}"}
        if token:
            answer = self.ask("GET", f"/?token={token}")
            assert answer.status == 303
            self.headers["Cookie"] = answer.headers["set-cookie"].split(";")[0]
            self.headers["Origin"] = f"http://127.0.0.1:{port}"

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {**self.headers, **{key.replace("_", "-"): v for key, v in headers.items()}}
        connection.request(method, path, body=body, headers={k: v for k, v in given.items() if v})
        answer = connection.getresponse()
        answer.content = answer.read()
        connection.close()
        return answer

    def json(self, method, path, body=None, **headers):
        answer = self.ask(method, path, body, **headers)
        return answer.status, json.loads(answer.content)


@contextlib.contextmanager
def serving(project):
    """Serve a project in a thread; gives the port."""
    import uvicorn

    from skexplain.studio._safety import Guard
    from skexplain.studio._server import Studio, make_app

    studio = Studio(project)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        guard = Guard(make_app(studio), TOKEN, {"127.0.0.1", "localhost"}, port)
        config = uvicorn.Config(guard, log_level="warning", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join()
            studio.jobs.close()


def token_of(text):
    """Return port and token of the address that the command prints."""
    port, token = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", text).groups()
    return int(port), token
