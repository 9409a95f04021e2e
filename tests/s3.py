"""An S3 server in this process whose requests a test can make fail, for stores in a bucket."""

import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUSY = ("503 Slow Down", "SlowDown")
DENIED = ("403 Forbidden", "AccessDenied")


@dataclass
class Server:
    """`fails` is asked for each request, by its number, method and path, whether it is refused with `error`."""

    fails: Callable[[int, str, str], bool] = lambda number, method, path: False
    error: tuple[str, str] = BUSY
    """Status line and the service's code for it."""
    address: str = ""
    """`host:port`."""
    requests: int = 0
    failed: int = 0
    stop: Callable[[], None] = lambda: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wrap(self, app: Any) -> Any:
        def answer(environ: dict[str, Any], start_response: Any) -> Any:
            method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"] + "?" + environ["QUERY_STRING"]
            with self._lock:
                self.requests += 1
                fails = self.fails(self.requests, method, path)
                self.failed += fails
            if not fails:
                return app(environ, start_response)
            length = int(environ.get("CONTENT_LENGTH") or 0)
            environ["wsgi.input"].read(length)
            status, code = self.error
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>refused by the test</Message></Error>"
            body = b"" if method == "HEAD" else text.encode()
            start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [body]

        return answer

    def url(self, place: str) -> str:
        """The address of a place in the bucket, with this server in it."""
        return f"s3://sweeps/{place}?endpoint_override={self.address}&scheme=http"


@contextmanager
def serve() -> Iterator[Server]:
    """A server with an empty bucket `sweeps`. The environment must have AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""
    server = Server()
    app = server.wrap(DomainDispatcherApplication(create_backend_app))
    web = make_server("127.0.0.1", 0, app, threaded=True)
    server.address = f"127.0.0.1:{web.port}"
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()

    def stop() -> None:
        web.shutdown()
        web.server_close()

    server.stop = stop
    try:
        request = urllib.request.Request(f"http://{server.address}/moto-api/reset", method="POST")
        urllib.request.urlopen(request).close()  # moto's buckets outlive its servers
        server.requests = 0
        client = boto3.client("s3", endpoint_url=f"http://{server.address}", region_name="us-east-1")
        client.create_bucket(Bucket="sweeps")
        yield server
    finally:
        server.stop()
        thread.join()
