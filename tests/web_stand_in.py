"""A web server of this machine that answers as a test says, to the letter."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from services.certificates import Certificate

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # waited for, so that nothing of one test is left to the next

    def handle_error(self, request, client_address):
        """Clients that go away in the midst of an answer are part of the tests."""


@contextmanager
def web_server(answer: Answer, *, tls: Certificate | None = None, keeps: bool = False) -> Iterator[str]:
    """The address of a server that lets `answer` write whatever it likes; and `keeps` connections open, if so told."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1" if keeps else "HTTP/1.0"
        disable_nagle_algorithm = (
            True  # an answer is written in two parts, and the second would wait for 40 ms
        )

        def do_GET(self):
            answer(self, b"")

        def do_POST(self):
            answer(self, self.rfile.read(int(self.headers["Content-Length"])))

        do_PUT = do_POST  # noqa: N815  the name that http.server asks for
        do_DELETE = do_HEAD = do_GET  # noqa: N815  as above

        def log_message(self, *_):
            """Says nothing."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(tls.both)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http{'s' if tls is not None else ''}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """A whole answer."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
