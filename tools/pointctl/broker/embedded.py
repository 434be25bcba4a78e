"""Starting a small broker for machines without mosquitto: the package amqtt.

It is for demonstrations and tests on this machine (embedded_program.py says why).
"""

import importlib.metadata
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pointctl.broker.login import create_login
from pointctl.broker.process import BrokerError, BrokerProcess
from pointctl.folder import private_file, private_folder


@dataclass(frozen=True)
class EmbeddedSettings:
    """Where an embedded broker listens, and the files that it reads."""

    port: int
    certificate: str
    key: str
    login_file: str  # of the operator, who may do all


def broker_name() -> str:
    """What the broker is, with its version. Raises BrokerError where it is missing."""
    try:
        return f"amqtt {importlib.metadata.version('amqtt')} (embedded)"
    except importlib.metadata.PackageNotFoundError:
        raise BrokerError(
            "the package amqtt, the broker for machines without mosquitto, is missing: "
            "pip install 'pointaccess[demo]'; or apt-get install mosquitto, which "
            "cannot check the logins of Gizwits' boards"
        ) from None


def broker(
    folder: Path,
    *,
    port: int,
    certificate: Path,
    key: Path,
    ca_file: Path,
    registry: Path,
    on_line: Callable[[str], None],
) -> BrokerProcess:
    """An embedded broker with its files in `folder`, ready to be started.

    Devices of the `registry` may connect as they are issued; the operator's login,
    folder/operator.json, may do all. Raises BrokerError where amqtt is missing.
    """
    name = broker_name()
    private_folder(folder)
    login_file = folder / "operator.json"
    create_login(login_file)
    settings = EmbeddedSettings(port, str(certificate), str(key), str(login_file))
    config_file = folder / "embedded.json"
    with private_file(config_file) as file:
        json.dump({**asdict(settings), "registry": str(registry)}, file, indent=2)
    return BrokerProcess(
        name,
        [sys.executable, "-m", "pointctl.broker.embedded_program", str(config_file)],
        port=port,
        ca_file=ca_file,
        login_file=login_file,
        on_line=on_line,
    )
