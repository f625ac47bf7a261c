"""The application served by waitress, to this machine alone."""

import errno
import socket
from typing import Any

import waitress
from waitress.server import BaseWSGIServer

import augrng as ar
from pipelines.live.album import Album
from pipelines.live.app import MOST_BODY, application
from pipelines.live.recipes import said_of

HOST = "127.0.0.1"
_THREADS = 8
_CONNECTIONS = 100


def server(album: Album, aug: ar.Compose, port: int) -> BaseWSGIServer:
    """A server that listens; `run` it, and `close` it.

    Args:
      album: see `application`.
      aug: the recipe that the page begins with.
      port: to listen at, of 127.0.0.1; 0 for one that is free, see `effective_port` of what is returned.

    Raises:
      MistakenError: if the page cannot show the recipe.
      OSError: if the port is in use, or not to be had.
    """
    begins = said_of(aug)

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        return served(environ, start_response)

    try:
        bound = socket.create_server((HOST, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise OSError(f"port: {port} is in use; --port {port + 1} may be free, --port 0 finds one") from error
    listening = waitress.create_server(
        answer,
        sockets=[bound],
        threads=_THREADS,
        connection_limit=_CONNECTIONS,
        channel_timeout=30,
        channel_request_lookahead=1,  # so that `drawing` learns when a client is gone
        max_request_body_size=MOST_BODY,
        max_request_header_size=16 * 1024,
        log_socket_errors=False,
        ident=None,
    )
    served = application(album, begins, listening.effective_port)
    return listening
