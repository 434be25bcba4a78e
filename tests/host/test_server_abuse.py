"""Requests that nobody would think of, made up from the API's own description."""

import os
import re
import subprocess
import sys

import pytest
from serving import PRODUCT, Server, device_key_board, imei

from pointctl.folder import DataFolder
from pointctl.registry import batches, devices, keys, operators, products, tokens
from pointctl.registry.database import open_database
from pointctl.registry.models import Role
from pointctl.server.api import models

# What cannot be said in a schema is no mistake of it: a check digit, a name that is
# taken, an auth that goes with another setting.
UNSAID = "positive_data_acceptance"
EXAMPLES = os.environ.get("POINTCTL_ABUSE", "12")  # per operation and phase


@pytest.fixture(scope="module")
def attacked(tmp_path_factory, authority):
    """A real server with the things that the examples name, and an admin's token."""
    folder = DataFolder(tmp_path_factory.mktemp("attacked") / "data")
    keys.create_master(folder)
    with open_database(folder.registry) as database:
        operators.add(database, "root", Role.ADMIN, None, "test")
        operators.add(database, "ann", Role.VIEWER, None, "test")
        token = tokens.add(database, "root", "abuse", Role.ADMIN, 1, "test")
        for key in (models.PRODUCT, PRODUCT):
            products.add(database, "T", product_key=key, mqtt_host="m.test")
        rows = [devices.checked_row(1, models.IMEI, None)]
        rows += [devices.checked_row(n, imei(n), None) for n in range(9)]
        devices.register(database, models.PRODUCT, rows)
        batches.add(database, models.PRODUCT, "A7", "test")
        server = Server(folder.path, authority)
        board = device_key_board(1, models.PRODUCT, keys.open_keys(folder))
        with server.client() as client:
            board.post(client, board.claim(1))
        yield server, token
        server.stop()


KNOWN = f'''
[parameters]
"path.product_key" = "{models.PRODUCT}"
"path.imei" = "{models.IMEI}"
'''


@pytest.mark.parametrize(
    ("paths", "known"),
    [("^/(api/|v1/access|healthz)", ""), ("^/api/v1/products/", KNOWN)],
    ids=["whatever", "what is there"],
)
def test_the_api_stands_what_is_made_up(attacked, tmp_path, paths, known):
    """No failure of the server, and nothing but what the description promises."""
    server, token = attacked
    config = tmp_path / "schemathesis.toml"
    config.write_text(f'headers = {{ Authorization = "Bearer {token}" }}\n{known}')
    config.chmod(0o600)
    program = os.path.join(os.path.dirname(sys.executable), "schemathesis")
    done = subprocess.run(
        [
            *(program, "--config-file", config, "--no-color", "run"),
            *(f"{server.url}/openapi.json", "--tls-verify", server.ca_file),
            *("--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing"),
            *("--include-path-regex", paths),
            *("--exclude-checks", UNSAID, "--generation-deterministic"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    made = re.search(r"(\d+) generated", done.stdout)
    assert made is not None
    assert int(made[1]) > 500
    assert [line for line in server.lines if '"level": "error"' in line] == []
