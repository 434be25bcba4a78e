"""A bare endpoint of the server's stack: FastAPI, uvicorn and TLS, no database.

usage: python -m bench.bare CERTIFICATE KEY PROCESSES; it prints its port.
"""

import multiprocessing
import signal
import socket
import ssl
import sys

import uvicorn
from fastapi import FastAPI, Request, Response

from bench.load import PATH
from pointctl.children import end_with_parent

_REPLY = b'{"code": "00000", "sealed": "%s"}' % (b"0" * 832)  # as long as a real one


def app() -> FastAPI:
    """It reads the body and replies."""
    made = FastAPI()

    @made.post(PATH)
    async def bare(request: Request) -> Response:
        await request.body()
        return Response(_REPLY, media_type="application/json")

    return made


def serve_with_parent(certificate: str, key: str, listener: socket.socket) -> None:
    """One of the processes beside the first."""
    end_with_parent()
    serve(certificate, key, listener)


def serve(certificate: str, key: str, listener: socket.socket) -> None:
    """One process."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0
    context.load_cert_chain(certificate, key)
    config = uvicorn.Config(
        app(),
        ssl_context_factory=lambda _config, _default: context,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    uvicorn.Server(config).run(sockets=[listener])


def main(certificate: str, key: str, processes: int) -> None:
    """All processes, until it is told to end: then it ends the others, too."""
    # uvicorn raises the signal again when it has ended: the default would end this
    # process before it can end the others.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    spawn = multiprocessing.get_context("spawn")
    listeners = [socket.create_server(("127.0.0.1", 0), reuse_port=True)]
    address = listeners[0].getsockname()
    listeners += [
        socket.create_server(address, reuse_port=True) for _ in range(processes - 1)
    ]
    others = [
        spawn.Process(
            target=serve_with_parent, args=(certificate, key, listener), daemon=True
        )
        for listener in listeners[1:]
    ]
    for process in others:
        process.start()
    print(address[1], flush=True)
    serve(certificate, key, listeners[0])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
