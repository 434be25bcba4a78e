"""A RabbitMQ of the tests' own: Debian's programs, a temporary folder, loopback."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pointctl.broker.process import HOST, free_port
from tests.marked import MARK
from tests.patience import PATIENCE_S
from tests.runtimes import need

_PLUGINS = "[rabbitmq_mqtt, rabbitmq_auth_backend_http]."

_LISTENERS = """
listeners.tcp = none
mqtt.listeners.tcp = none
mqtt.listeners.ssl.default = {host}:{port}
ssl_options.cacertfile = {folder}/ca.pem
ssl_options.certfile = {folder}/server.pem
ssl_options.keyfile = {folder}/server.key
"""


@contextmanager
def running(
    ca: Path, certificate: Path, key: Path, settings: str, advanced: str
) -> Iterator[int]:
    """A broker with MQTT over TLS on HOST; yields its port.

    `settings` are lines of rabbitmq.conf and `advanced` is advanced.config, in which
    CA stands for the path of the certificate authority.
    """
    server = need("rabbitmq")
    folder = Path(tempfile.mkdtemp(prefix="pointctl-rabbitmq-"))
    port = free_port()
    listeners = _LISTENERS.format(host=HOST, port=port, folder=folder)
    texts = {
        "rabbitmq.conf": listeners + settings,
        "advanced.config": advanced.replace("CA", str(folder / "ca.pem")),
        "plugins": _PLUGINS,
        "ca.pem": ca.read_text(),
        "server.pem": certificate.read_text(),
        "server.key": key.read_text(),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    user = _nobody()
    if user:
        for path in (folder, *folder.iterdir()):
            os.chown(path, user.pw_uid, user.pw_gid)
    with _processes(server, folder, user) as broker:
        _wait(broker, port, folder / "output")
        yield port


@contextmanager
def _processes(
    server: Path, folder: Path, user: pwd.struct_passwd | None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Erlang's port mapper and the broker; whatever they left ends with the block."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(folder),  # Erlang's cookie
        MARK: os.environ.get(MARK, ""),
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_EPMD_PORT": str(free_port()),
        "RABBITMQ_NODENAME": "pointctl@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        # Not this much waiting for work in the scheduler: others test here, too.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "+sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
        ),
    }
    options: dict[str, Any] = {
        "env": environment,
        "cwd": folder,
        "stdin": subprocess.DEVNULL,
        "stderr": subprocess.STDOUT,
        "start_new_session": True,
    }
    if user:
        options.update(user=user.pw_uid, group=user.pw_gid)
    started: list[subprocess.Popen[bytes]] = []
    try:
        with (folder / "output").open("wb") as output:
            for command in ("epmd", str(server)):
                process = subprocess.Popen([command], stdout=output, **options)
                started.append(process)
        yield process
    finally:
        for process in reversed(started):
            with suppress(ProcessLookupError):  # a process group of its own
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(broker: "subprocess.Popen[bytes]", port: int, output: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and broker.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(output.read_text(errors="replace")[-5000:])


def _nobody() -> pwd.struct_passwd | None:
    """Whom to run as instead of root."""
    return None if os.geteuid() else pwd.getpwnam("nobody")
