"""mosquitto 2.0, with accounts that its dynamic-security plugin makes at any time."""

import base64
import hashlib
import json
import os
import queue
import re
import secrets
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from point import credentials
from point.errors import PointError
from pointctl.broker.login import OperatorLogin, create_login, read_login
from pointctl.broker.process import HOST, BrokerError, BrokerProcess
from pointctl.folder import private_file, private_folder
from pointctl.registry.topics import Topics, build_topics

_CONTROL = "$CONTROL/dynamic-security/v1"
_ALL = ("#", f"{_CONTROL}/#")
_ITERATIONS = 101  # mosquitto's own choice; the passwords here are 128 bits and more
_LOG_TYPES = ("error", "warning", "notice", "information", "subscribe")
_PLUGIN = "mosquitto_dynamic_security.so"


class _AccessRule(TypedDict):
    """A rule of dynamic security."""

    acltype: str
    topic: str
    allow: bool


@dataclass(frozen=True)
class _Command:
    """A command of dynamic security."""

    name: str
    arguments: Mapping[str, object]

    def as_json(self, correlation: str) -> dict[str, object]:
        """As it is sent; the answer repeats `correlation`."""
        return {"command": self.name, **self.arguments, "correlationData": correlation}


def broker(
    program: Path,
    folder: Path,
    *,
    port: int,
    certificate: Path,
    key: Path,
    ca_file: Path,
    on_line: Callable[[str], None],
) -> BrokerProcess:
    """A mosquitto that keeps its accounts in `folder`, ready to be started.

    The operator's login, folder/operator.json, may do all.
    """
    private_folder(folder)
    config = write_config(
        folder,
        port=port,
        certificate=certificate,
        key=key,
        plugin=_find_plugin(program),
    )
    return BrokerProcess(
        f"mosquitto {_version(program)}",
        [str(program), "-c", str(config)],
        port=port,
        ca_file=ca_file,
        login_file=folder / "operator.json",
        on_line=on_line,
    )


def write_config(
    folder: Path, *, port: int, certificate: Path, key: Path, plugin: Path
) -> Path:
    """Write mosquitto.conf and the files that it names, and return its path.

    Accounts and the operator's login of an earlier run stay.
    """
    accounts = folder / "dynamic-security.json"
    login = create_login(folder / "operator.json")
    if not accounts.exists():
        with private_file(accounts) as file:
            json.dump(_first_accounts(login), file, indent=2)
    lines = [
        f"listener {port} {HOST}",
        f"certfile {certificate}",
        f"keyfile {key}",
        "allow_anonymous false",
        f"plugin {plugin}",
        f"plugin_opt_config_file {accounts}",
        "persistence false",
        "set_tcp_nodelay true",
        "log_dest stderr",  # stdout is buffered when it is not a terminal
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
        *(f"log_type {kind}" for kind in _LOG_TYPES),
    ]
    if os.geteuid() == 0:
        # Else it becomes the user mosquitto, who may not read our 0600 files.
        lines.append("user root")
    config = folder / "mosquitto.conf"
    with private_file(config) as file:
        file.write("\n".join(lines) + "\n")
    return config


def _first_accounts(login: OperatorLogin) -> dict[str, object]:
    """The first dynamic-security.json: only the operator may do anything."""
    salt = secrets.token_bytes(12)  # 2.0 takes no other length
    digest = hashlib.pbkdf2_hmac("sha512", login.password.encode(), salt, _ITERATIONS)
    return {
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": False,
            "subscribe": False,
            "unsubscribe": True,
        },
        "clients": [
            {
                "username": login.username,
                "password": base64.b64encode(digest).decode(),
                "salt": base64.b64encode(salt).decode(),
                "iterations": _ITERATIONS,
                "roles": [{"rolename": "operator"}],
            }
        ],
        "roles": [{"rolename": "operator", "acls": _rules(Topics(_ALL, _ALL))}],
    }


def _rules(topics: Topics) -> list[_AccessRule]:
    """Access rules that allow `topics`."""
    allowed = {
        "publishClientSend": topics.publish,
        "publishClientReceive": topics.subscribe,
        "subscribePattern": topics.subscribe,
    }
    return [
        {"acltype": kind, "topic": topic, "allow": True}
        for kind, filters in allowed.items()
        for topic in filters
    ]


def _find_plugin(program: Path) -> Path:
    prefix = program.resolve().parent.parent
    for pattern in (f"lib/*/{_PLUGIN}", f"lib/{_PLUGIN}", f"lib64/{_PLUGIN}"):
        for found in prefix.glob(pattern):
            return found
    raise BrokerError(
        f"{program} has no {_PLUGIN}: install mosquitto 2 with its plugins"
    )


def _version(program: Path) -> str:
    help_ = subprocess.run([program, "-h"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\S+)", help_.stdout)
    return found[1] if found else "of an unknown version"


class MosquittoAccounts:
    """The accounts of devices at a mosquitto. Threads may share it.

    It connects in the background, and again whenever the connection is lost.
    """

    def __init__(
        self,
        host: str,
        port: int,
        ca_file: Path,
        login_file: Path,
        *,
        deadline_s: float = 5.0,
    ) -> None:
        login = read_login(login_file)
        self._where = f"{host}:{port}"
        self._deadline_s = deadline_s
        self._connected = threading.Event()
        self._problem = "no connection"
        self._waiting: dict[str, queue.SimpleQueue[list[str] | None]] = {}
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, f"pointctl-{secrets.token_hex(4)}"
        )
        self._client.username_pw_set(login.username, login.password)
        self._client.tls_set_context(ssl.create_default_context(cafile=ca_file))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_socket_open = _send_at_once
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.connect_async(host, port)
        self._client.loop_start()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def allow(
        self, product_key: str, device_name: str, password: str, auth: str | None = None
    ) -> None:
        """Let a device in, to the topics of its scheme `auth` and to no others.

        For a device that has an account, set its password. The broker has confirmed it
        when this returns. Raises BrokerError when the deadline is over.
        """
        name = _account(product_key, device_name)
        rules = _rules(build_topics(auth, product_key, device_name))
        role = {"rolename": name, "acls": rules}
        client = {
            "username": name,
            "password": password,
            "roles": [{"rolename": name}],
        }
        deadline = time.monotonic() + self._deadline_s
        wanted = [("Role", role), ("Client", client)]
        errors = self._run([_Command(f"create{k}", v) for k, v in wanted], deadline)
        there = [
            w for w, e in zip(wanted, errors, strict=True) if "already exists" in e
        ]
        errors = [error for error in errors if error and "already exists" not in error]
        if there:
            errors += self._run([_Command(f"modify{k}", v) for k, v in there], deadline)
        if any(errors):
            raise BrokerError(f"the broker refused the account {name}: {errors}")

    def refuse(self, product_key: str, device_name: str) -> None:
        """End a device's connection and remove its account, if it has one.

        The broker has confirmed it when this returns. Raises BrokerError when the
        deadline is over.
        """
        name = _account(product_key, device_name)
        commands = [
            _Command("deleteClient", {"username": name}),
            _Command("deleteRole", {"rolename": name}),
        ]
        errors = self._run(commands, time.monotonic() + self._deadline_s)
        if any(error and "not found" not in error for error in errors):
            raise BrokerError(f"the broker kept the account {name}: {errors}")

    def _run(self, commands: list[_Command], deadline: float) -> list[str]:
        """Send `commands` and return the broker's error, or "", for each of them.

        After a lost connection they are sent again, which does no harm.
        """
        mark = secrets.token_hex(8)
        reply = self._waiting[mark] = queue.SimpleQueue()
        payload = json.dumps({"commands": [each.as_json(mark) for each in commands]})
        try:
            while self._connected.wait(max(0.0, deadline - time.monotonic())):
                self._client.publish(_CONTROL, payload)
                errors = reply.get(timeout=max(0.0, deadline - time.monotonic()))
                if errors is not None:
                    return errors
        except queue.Empty:
            self._problem = "no answer"
        finally:
            del self._waiting[mark]
        raise BrokerError(f"the broker at {self._where}: {self._problem}")

    def _on_connect(
        self, client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, *_: Any
    ) -> None:
        self._problem = str(reason) if reason.is_failure else "no answer"
        if not reason.is_failure:
            client.subscribe(f"{_CONTROL}/response")

    def _on_subscribe(self, *_: Any) -> None:
        self._connected.set()

    def _on_disconnect(self, *_: Any) -> None:
        if self._connected.is_set():  # else the reason of the refusal would be lost
            self._problem = "no connection"
        self._connected.clear()
        for reply in list(self._waiting.values()):
            reply.put(None)

    def _on_message(
        self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage
    ) -> None:
        responses = json.loads(message.payload)["responses"]
        reply = self._waiting.get(responses[0].get("correlationData"))
        if reply:  # else its deadline is over
            reply.put([response.get("error", "") for response in responses])


def _account(product_key: str, device_name: str) -> str:
    """The user name of a device. Raises BrokerError for names that it cannot have."""
    try:
        credentials.word("productKey", product_key)
        credentials.word("deviceName", device_name)
    except PointError as error:
        raise BrokerError(error.detail) from None
    return f"{device_name}&{product_key}"


def _send_at_once(_client: mqtt.Client, _userdata: Any, opened: Any) -> None:
    """Turn Nagle's algorithm off: it delays a small packet by up to 40 ms."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
