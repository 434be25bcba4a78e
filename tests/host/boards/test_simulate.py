"""pointctl boards simulate: the real firmware gets credentials from a server."""

import pytest

from pointctl.registry.keys import claim_keys
from tests.host.serving import imei
from tests.runtimes import UMQTT, micropython, require

BOARD = imei(0)
POLICIES = ("device-key", "product-secret", "open")


@pytest.fixture
def simulate(pointctl, data, authority, start_server):
    """Run the command for a product of each policy, with a running server."""
    micropython()
    require("umqtt", UMQTT, "run make test")
    claim_keys.create_master(data)
    for policy in POLICIES:
        host = ("--mqtt-host", "mqtt.test", "--policy", policy)
        assert pointctl("products", "add", policy, "--key", policy, *host).code == 0
        assert pointctl("devices", "add", BOARD, "--product", policy).code == 0
    url = f"{start_server().url}/v1/access"

    def run(product, *more, board=BOARD):
        options = ("--product", product, "--url", url, "--ca", authority.ca_der)
        return pointctl("boards", "simulate", board, *options, *more)

    return run


@pytest.mark.parametrize("policy", POLICIES)
def test_a_board_gets_its_credentials(simulate, pointctl, policy):
    """The registry has issued them, with every policy."""
    done = simulate(policy)
    assert done.code == 0
    assert "credentials 00000 server" in done.out
    shown = pointctl("devices", "show", BOARD, "--product", policy, "--json")
    assert shown.json["state"] == "issued"


def test_its_flash_is_kept(simulate, tmp_path):
    """The next boot needs no server: the credentials are in its flash."""
    flash = tmp_path / "flash"
    first = simulate("device-key", "--flash", flash, "--json")
    assert first.json == {"imei": BOARD, "code": "00000", "detail": "server"}
    again = simulate("device-key", "--flash", flash, "--json")
    assert again.json["detail"] == "flash"


def test_what_cannot_be(simulate, pointctl):
    """Wrong input is reported before the board boots, with what to do next."""
    assert "15 digits" in simulate("device-key", board="123").err
    assert "no product nope" in simulate("nope").err
    alone = pointctl("boards", "simulate", BOARD, "--product", "device-key")
    assert alone.code == 1
    assert "pointctl ca init" in alone.err


def test_a_board_that_is_late(simulate, pointctl):
    """A revoked board tries again; it is stopped at the timeout, and that fails."""
    assert pointctl("devices", "revoke", BOARD, "--product", "device-key").code == 0
    late = simulate("device-key", "--timeout", "1")
    assert late.code == 1
    assert "within 1 s" in late.err
