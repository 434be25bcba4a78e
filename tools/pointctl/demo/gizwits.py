"""The same story in Gizwits' cloud: a sandbox of it, and a key that was burned.

All of it goes by the commands, as a user would do it.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pointctl.boards import flash
from pointctl.broker import BrokerProcess, embedded
from pointctl.broker.process import free_port
from pointctl.certificates import CaFiles
from pointctl.clouds.gizwits.preauth.client import PreauthClient, PreauthSettings
from pointctl.demo import lines
from pointctl.demo.process import Process
from pointctl.demo.system import DemoBoard, System, first_imei
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder, private_file
from pointctl.support.secret import read_secret_file

_PIN = "d504fbc269cc8d2ccc8822d98310e218"  # the document's own
_PRODUCT = "pkdemo01"
_SANDBOX = (sys.executable, "-m", "pointctl", "sandbox")


class GizwitsSystem(System):
    """A system whose server is the sandbox, and whose boards have a burned auth_key."""

    def register(self, keep_alive: int | None = None) -> tuple[str, str]:
        """One product, and keys that were bought; as System.register().

        Nothing in this cloud sets the keep alive: boards use their own.
        """
        pin = f"--pin={_PIN}"
        self._run("products", "add", "Demo meter", f"--key={_PRODUCT}")
        bought = f"--product={_PRODUCT}", "--capacity=10", f"--out={self._auth_code}"
        self._run("packages", "add", pin, *bought)
        self._run("tokens", "add", "demo", pin, f"--out={self._authorization}")
        self.timeline.add("host", "buys", f"10 keys for product {_PRODUCT}")
        return _PRODUCT, first_imei()

    def server(self) -> Process:
        """The sandbox, as a context; ready at the event of that name."""
        command = [*_SANDBOX, "serve", f"--port={self.server_port}"]
        command += [f"--mqtt=127.0.0.1:{self.broker.port}"]
        command += [f"--data={self.folder.path}"]
        return Process("server", command, self.timeline, lines.read_server)

    def board(self, product_key: str, imei: str) -> DemoBoard:
        """A board whose key the factory fetched just now; the sandbox has to run."""
        url = f"https://127.0.0.1:{self.server_port}"
        authorization = read_secret_file(self._authorization)
        settings = PreauthSettings(authorization, url, self.files.ca)
        with PreauthClient(settings) as cloud:
            auth_code = read_secret_file(self._auth_code)
            auth_key = cloud.auth_key(_PIN, imei, auth_code).auth_key
        self.timeline.add("host", "burns", f"the auth_key of {imei}")
        folder = self.folder.path / f"flash-{imei}"
        board_settings = {
            "source": "gizwits",
            "url": url,
            "productKey": product_key,
            "ca": "ca.der",
            "spreadS": 0,  # boards that wake alone need not wait for each other
        }
        ca = self.files.ca_der.read_bytes()
        libraries = self.runtime.libraries
        flash.assemble(folder, "unix", board_settings, ca, libraries=libraries)
        with private_file(folder / "auth.key") as file:
            file.write(auth_key + "\n")
        return DemoBoard(self.runtime, folder, product_key, imei, self.timeline)

    def make_broker(self) -> BrokerProcess:
        """The sandbox's broker: mosquitto cannot check a new signature each time."""
        on_line = self.broker_lines(lines.read_embedded)
        return sandbox_broker(self.folder, self.files, free_port(), on_line)

    @property
    def _auth_code(self) -> Path:
        return self.folder.path / "auth-code"

    @property
    def _authorization(self) -> Path:
        return self.folder.path / "authorization"

    def _run(self, *arguments: str) -> None:
        """Run a sandbox command on the system's folder. Raises PointctlError."""
        done = subprocess.run(
            [*_SANDBOX, *arguments, f"--data={self.folder.path}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PointctlError(f"pointctl sandbox {arguments[0]}: {done.stderr}")


def sandbox_broker(
    folder: DataFolder, files: CaFiles, port: int, on_line: Callable[[str], None]
) -> BrokerProcess:
    """The broker of a data folder's sandbox, ready to be started."""
    command = [*_SANDBOX, "broker", f"--port={port}", f"--data={folder.path}"]
    command += [f"--certificate={files.server}", f"--key={files.server_key}"]
    return BrokerProcess(
        embedded.broker_name(),
        command,
        port=port,
        ca_file=files.ca,
        login_file=folder.path / "gizwits-sandbox-operator.json",
        on_line=on_line,
    )
