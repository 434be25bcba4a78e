"""The same story in Gizwits' cloud: a sandbox of it, and a key that was burned."""

import sys
from pathlib import Path

from pointctl.boards import flash
from pointctl.clouds.gizwits.preauth.client import PreauthClient, Settings
from pointctl.clouds.gizwits.preauth.sandbox import keys, stock
from pointctl.clouds.gizwits.preauth.sandbox.models import Role
from pointctl.demo import lines
from pointctl.demo.process import Process
from pointctl.demo.system import Board, System, first_imei
from pointctl.demo.timeline import Timeline
from pointctl.folder import DataFolder, private_file
from pointctl.registry.devices import products
from pointctl.registry.storage.database import open_database

_PIN = "d504fbc269cc8d2ccc8822d98310e218"  # the document's own
_WHO = "demo"


class GizwitsSystem(System):
    """A system whose server is the sandbox, and whose boards have a burned auth_key."""

    gizwits = True

    def __init__(self, path: Path, timeline: Timeline) -> None:
        keys.create_secret(DataFolder(path))  # the broker judges by it
        super().__init__(path, timeline)

    def register(self, keep_alive: int | None = None) -> tuple[str, str]:
        """One product, and keys that were bought; as System.register()."""
        with open_database(self.folder.registry) as database:
            product = products.add(
                database,
                "Demo meter",
                mqtt_host="127.0.0.1",
                mqtt_port=self.broker.port,
                mqtt_ssl=True,
                auth="gizwits",
                keep_alive=keep_alive,
            )
            key = product.product_key
            _, self._auth_code = stock.add_package(database, _PIN, None, key, 10, _WHO)
            self._authorization = stock.add_token(
                database, _WHO, Role.ISSUE, _PIN, _WHO
            )
        self.timeline.add("host", "buys", f"10 keys for product {key}")
        return key, first_imei()

    def server(self) -> Process:
        """The sandbox, as a context; ready at the event of that name."""
        command = [sys.executable, "-m", "pointctl", "sandbox", "serve"]
        command += ["--port", str(self.server_port), "--data", str(self.folder.path)]
        command += ["--mqtt", f"127.0.0.1:{self.broker.port}"]
        return Process("server", command, self.timeline, lines.server)

    def board(self, product_key: str, imei: str) -> Board:
        """A board whose key the factory fetched just now; the sandbox has to run."""
        url = f"https://127.0.0.1:{self.server_port}"
        with PreauthClient(Settings(self._authorization, url, self.files.ca)) as cloud:
            auth_key = cloud.auth_key(_PIN, imei, self._auth_code).auth_key
        self.timeline.add("host", "burns", f"the auth_key of {imei}")
        folder = self.folder.path / f"flash-{imei}"
        settings = {
            "source": "gizwits",
            "url": url,
            "productKey": product_key,
            "ca": "ca.der",
            "spreadS": 0,  # boards that wake alone need not wait for each other
        }
        ca = self.files.ca_der.read_bytes()
        libraries = self.runtime.libraries
        flash.assemble(folder, "unix", settings, ca, libraries=libraries)
        with private_file(folder / "auth.key") as file:
            file.write(auth_key + "\n")
        return Board(self.runtime, folder, product_key, imei, self.timeline)
