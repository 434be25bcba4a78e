"""Requests that nobody would think of, made up from the sandbox's own description."""

import os
import re
import subprocess
import sys

import pytest

from pointctl.clouds.gizwits.preauth import wire
from pointctl.clouds.gizwits.preauth.sandbox import stock
from pointctl.clouds.gizwits.preauth.sandbox.models import TokenRole
from pointctl.folder import DataFolder
from tests.host.preauth import Sandbox, filled_database
from tests.host.serving import PRODUCT
from tests.patience import PATIENCE_S

# Which pins, codes and batches there are cannot be said in a schema.
UNSAID = "positive_data_acceptance"
EXAMPLES = os.environ.get("POINTCTL_ABUSE", "12")  # per operation and phase


@pytest.fixture(scope="module")
def attacked(tmp_path_factory, authority):
    """A sandbox with what the examples name, and an Authorization."""
    folder = DataFolder(tmp_path_factory.mktemp("attacked") / "data")
    with filled_database(folder) as database:
        stock.add_package(database, wire.PIN, wire.AUTH_CODE, PRODUCT, 50)
        token = stock.add_token(database, "abuse", TokenRole.ISSUE, None)
    server = Sandbox(folder.path, authority)
    yield server, token
    assert server.stop() == 0


@pytest.mark.parametrize("authorized", [True, False], ids=["customer", "stranger"])
def test_the_sandbox_stands_what_is_made_up(attacked, tmp_path, authorized):
    """No failure of the server, and nothing but what the description promises."""
    server, token = attacked
    config = tmp_path / "schemathesis.toml"
    config.write_text(f'headers = {{ Authorization = "{token}" }}\n' * authorized)
    config.chmod(0o600)
    program = os.path.join(os.path.dirname(sys.executable), "schemathesis")
    done = subprocess.run(
        [
            *(program, "--config-file", config, "--no-color", "run"),
            *(f"{server.url}/openapi.json", "--tls-verify", server.ca_file),
            *("--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing"),
            *("--exclude-checks", UNSAID, "--generation-deterministic"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    made = re.search(r"(\d+) generated", done.stdout)
    assert made is not None
    assert int(made[1]) > 100
    assert [line for line in server.lines if '"level": "error"' in line] == []
