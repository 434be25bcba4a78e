"""A device that runs the cloud's own SDK, in a process of its own: it may hang at exit.

The first line of stdin is a JSON object, {"endpoint", "port", "ca" and what LinkKit
takes}; each later one an array of sub-devices to add. Each call back becomes a line of
stdout, [name, argument, …].
"""

import json
import sys
import warnings

from linkkit.linkkit import LinkKit
from paho.mqtt.client import Client

warnings.simplefilter("ignore", DeprecationWarning)  # paho 2 of paho 1's call backs
_loop = Client.loop
# The SDK was written for paho 1, whose loop() took the most packets as well.
setattr(Client, "loop", lambda self, timeout, most=1: _loop(self, timeout))  # noqa: B010


def main() -> None:
    """Connect as stdin says, and obey it until it ends."""
    given = json.loads(sys.stdin.readline())
    names = ("endpoint", "port", "ca")
    endpoint, port, ca = (given.pop(name) for name in names)
    sdk = LinkKit("cn-shanghai", **given)
    sdk.config_mqtt(port=port, endpoint=endpoint, cadata=ca)
    for name in (
        "connect",
        "device_dynamic_register",
        "device_dynamic_register_nwl_reply",
        "gateway_add_subdev_topo_reply",
    ):
        setattr(sdk, f"on_{name}", lambda *args, name=name: say(name, *args))
    sdk.connect_async()
    for line in sys.stdin:
        sdk.gateway_add_subdev_topo(json.loads(line))


def say(*words: object) -> None:
    """Print a line."""
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    main()
