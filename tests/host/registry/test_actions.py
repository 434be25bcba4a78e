"""What can be done to a device is offered by the commands, the API and the console."""

import pytest
import typer

from pointctl.commands import devices
from pointctl.registry.actions import ACTIONS, Action
from pointctl.server import api, console
from pointctl.server.roles import required_role
from pointctl.web.routing import list_routes


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_all_three_offer_it(action: Action) -> None:
    """To the same role, and with the same words."""
    command = typer.main.get_group(devices.app).commands[action.name]
    assert (command.help or "").replace("\n", " ") == action.meaning
    for routers in (api.ROUTERS, console.ROUTERS):
        path = f"{{imei}}/{action.name}"
        (route,) = (r for r in list_routes(routers) if r.path.endswith(path))
        assert required_role(route) is action.role
