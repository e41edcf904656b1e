"""A web server on this machine, in the place of the mirrors that data come from."""

import functools
import socket
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        self.server.requested.append(self.path)

    def copyfile(self, source, outputfile):
        if "cut_off" in self.path:  # the connection ends before what was announced has been sent
            outputfile.write(source.read(10))
        else:
            super().copyfile(source, outputfile)


@contextmanager
def serve(folder):
    """Serve a folder; yields its address and the list of what is asked for."""
    handler = functools.partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.requested = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.requested
        finally:
            server.shutdown()
            thread.join()


def dead_mirror():
    """Return an address at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
