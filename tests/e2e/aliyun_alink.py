"""What the stand-in for Alibaba's cloud makes of a device's requests over Alink."""

import json
from collections.abc import Callable
from typing import Any

from tests.e2e.aliyun_registry import (
    AUTH_ERROR,
    NO_DEVICE,
    NO_METHOD,
    PARAMETER_ERROR,
    Device,
    Refusal,
    Registry,
    channel_key,
    same,
    signature,
)

_UPPER_HEX = set("0123456789ABCDEF")


def members_of(name: str, message: bytes) -> dict[str, Any]:
    """The members of a message on the topic that ends in `name`. Raises ValueError."""
    members = json.loads(message)
    if not isinstance(members, dict):
        raise ValueError("not an object")
    number = members.get("id")
    if not isinstance(number, str) or not number.isdecimal():
        raise ValueError("id")
    if name.endswith("_reply"):
        if not isinstance(members.get("code"), int) or "data" not in members:
            raise ValueError("code or data")
    else:
        # linkkit leaves the method out of some requests.
        method = members.get("method", name).replace(".", "/")
        if members.get("version") != "1.0" or method != name or "params" not in members:
            raise ValueError("version, method or params")
    return members


def handle(registry: Registry, device: Device, name: str, params: Any) -> Any:
    """The data of the reply. Raises Refusal with the cloud's code."""
    device.heard.append((name, params))
    if name not in _HANDLERS:
        raise Refusal(NO_METHOD, f"no method {name}")
    try:
        return _HANDLERS[name](registry, device, params)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Refusal(PARAMETER_ERROR, repr(error)) from error


def _match(registry: Registry, device: Device, params: Any) -> Any:
    _checked_hex("token", params["token"])
    device.tokens.append(params["token"])
    return {}


def _reset(registry: Registry, device: Device, params: Any) -> Any:
    _must_be_empty(params)
    device.resets += 1
    return {}


def _add(registry: Registry, device: Device, params: Any) -> Any:
    added = []
    for each in params:
        found = registry.find(each["productKey"], each["deviceName"])
        names = ("clientId", "deviceName", "productKey", "timestamp")
        members = {name: each[name] for name in names}
        method = each["signmethod"] if "signmethod" in each else each["signMethod"]
        if not same(signature(method, found.secret, members), each["sign"]):
            raise Refusal(AUTH_ERROR, f"the signature of {found.name}")
        added.append((found.product.key, found.name))
    device.sub_devices += [each for each in added if each not in device.sub_devices]
    return _topology(registry, device, {})


def _delete(registry: Registry, device: Device, params: Any) -> Any:
    for each in params:
        pair = each["productKey"], each["deviceName"]
        if pair not in device.sub_devices:
            raise Refusal(NO_DEVICE, f"no sub-device {pair}")
        device.sub_devices.remove(pair)
    return {}


def _topology(registry: Registry, device: Device, params: Any) -> Any:
    _must_be_empty(params)
    pairs = device.sub_devices
    return [{"productKey": key, "deviceName": name} for key, name in pairs]


def _cipher(registry: Registry, device: Device, params: Any) -> Any:
    names = {"productKey": device.product.key, "deviceName": device.name}
    if any(params[name] != value for name, value in names.items()):
        raise ValueError("another device's names")
    _checked_hex("random", params["random"])
    secret = {3: device.product.secret, 4: device.secret}[params["cipherType"]]
    return {**names, "secret": channel_key(secret, params["random"])}


_HANDLERS: dict[str, Callable[[Registry, Device, Any], Any]] = {
    "thing/awss/enrollee/match": _match,
    "thing/reset": _reset,
    "thing/topo/add": _add,
    "thing/topo/delete": _delete,
    "thing/topo/get": _topology,
    "thing/cipher/get": _cipher,
}


def _checked_hex(name: str, value: str) -> None:
    """16 bytes, as the SDKs spell them."""
    if len(value) != 32 or not set(value) <= _UPPER_HEX:
        raise ValueError(name)


def _must_be_empty(params: Any) -> None:
    if params != {}:
        raise ValueError("params")
