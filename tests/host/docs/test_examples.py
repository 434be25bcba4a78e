"""The files beside an example are such that its board can begin with them."""

import json

import pytest

from point import settings
from point.aliyun import topology
from tests.runtimes import ROOT

EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize("example", ["aliyun_gateway", "gizwits_switch"])
def test_settings(example: str) -> None:
    """Nothing is missing, unknown or wrong."""
    settings.parse((EXAMPLES / example / "settings.json").read_bytes())


def test_sub_devices() -> None:
    """Each is one that point.aliyun.gateway adds."""
    members = json.loads((EXAMPLES / "aliyun_gateway/sub-devices.json").read_bytes())
    names = [("a1C3d4E5f6G", f"lamp-{n}") for n in (1, 2)]
    assert topology.read_pairs(members) == names
    assert all(topology.read_secret(member) for member in members)
