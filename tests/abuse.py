"""make abuse: requests that nobody would think of, made up from the API's description.

usage: python -m tests.abuse [--cases N] [--seed N]

Schemathesis runs against a real server until it has made up so many requests; what it
finds wrong is printed. tests/host/server/test_abuse.py runs a slice of it.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pointctl import certificates
from pointctl.folder import DataFolder
from pointctl.registry.accounts import operators, tokens
from pointctl.registry.devices import batches, devices, products
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Role
from pointctl.server.api.models.common import IMEI, PRODUCT
from tests.host.serving import Server, device_key_board, imei

OTHER_PRODUCT = "pk-test"
# What cannot be said in a schema is no mistake of it: a check digit, a name that is
# taken, an auth that goes with another setting.
_UNSAID = "positive_data_acceptance"
_KNOWN = f'''
[parameters]
"path.product_key" = "{PRODUCT}"
"path.imei" = "{IMEI}"
'''
# Everything, and once more what names a product and a device, with those that exist.
ATTACKS = {
    "whatever": ("^/(api/|v1/access|healthz|readyz)", ""),
    "what is there": ("^/api/v1/products/", _KNOWN),
}


@dataclass(frozen=True)
class Attacked:
    """A real server with the things that the examples name, and an admin's token."""

    server: Server
    token: str

    def errors(self) -> list[str]:
        """What it logged as an error."""
        return [line for line in self.server.lines if '"level": "error"' in line]


@dataclass(frozen=True)
class Found:
    """What came of an attack: how many requests, whether all went well, the report."""

    cases: int
    is_well: bool
    report: str


@contextmanager
def attacked(path: Path) -> Iterator[Attacked]:
    """It has a data folder under `path`."""
    folder = DataFolder(path / "data")
    authority = certificates.init(path / "ca")
    claim_keys.create_master(folder)
    with open_database(folder.registry) as database:
        operators.add(database, "root", Role.ADMIN, None, "test")
        operators.add(database, "ann", Role.VIEWER, None, "test")
        token = tokens.add(database, "root", "abuse", Role.ADMIN, 1, "test")
        for key in (PRODUCT, OTHER_PRODUCT):
            products.add(database, "T", product_key=key, mqtt_host="m.test")
        rows = [devices.validate_row(1, IMEI, None)]
        rows += [devices.validate_row(n, imei(n), None) for n in range(9)]
        devices.register(database, PRODUCT, rows)
        batches.add(database, PRODUCT, "A7", "test")
    server = Server(folder.path, authority)
    try:
        board = device_key_board(1, PRODUCT, claim_keys.open_keys(folder))
        with server.client() as client:
            board.post(client, board.claim(1))
        yield Attacked(server, token)
    finally:
        server.stop()


def attack(
    target: Attacked, name: str, folder: Path, examples: int, seed: int | None = None
) -> Found:
    """One of ATTACKS, with so many examples for each operation.

    Without a seed the requests are always the same.
    """
    paths, known = ATTACKS[name]
    config = folder / "schemathesis.toml"
    config.touch(0o600)
    headers = f'headers = {{ Authorization = "Bearer {target.token}" }}\n'
    config.write_text(headers + known)
    by = ["--seed", str(seed)] if seed is not None else ["--generation-deterministic"]
    program = os.path.join(os.path.dirname(sys.executable), "schemathesis")
    url = f"{target.server.url}/openapi.json"
    done = subprocess.run(
        [
            *(program, "--config-file", str(config), "--no-color", "run", url),
            *("--tls-verify", str(target.server.ca_file), "--include-path-regex"),
            *(paths, "--max-examples", str(examples), "--exclude-checks", _UNSAID),
            *("--phases", "examples,coverage,fuzzing", *by),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    made = re.search(r"(\d+) generated", done.stdout)
    cases = int(made[1]) if made else 0
    return Found(cases, done.returncode == 0, done.stdout + done.stderr)


def main() -> int:
    """1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.abuse", description="Made-up requests to a real server."
    )
    parser.add_argument("--cases", type=int, default=20_000, help="at least so many")
    parser.add_argument("--examples", type=int, default=200, help="of an operation")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    options = parser.parse_args()
    cases, bad, begun = 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pointctl-abuse-") as name:
        folder, seed = Path(name), options.seed
        while cases < options.cases:
            for attack_name in ATTACKS:
                # Each on a fresh registry: otherwise it ends full of what was made up.
                with tempfile.TemporaryDirectory(dir=folder) as fresh:
                    with attacked(Path(fresh)) as target:
                        made = (attack_name, Path(fresh), options.examples, seed)
                        found = attack(target, *made)
                    errors = target.errors()
                cases += found.cases
                print(f"{attack_name}, seed {seed}: {found.cases:,} requests")
                if errors or not found.is_well or not found.cases:
                    bad += 1
                    print(found.report, *errors, sep="\n")
            seed += 1
    print(f"{cases:,} requests, {time.monotonic() - begun:.0f} s, {bad} attacks failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
