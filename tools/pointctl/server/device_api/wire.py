"""What crosses the network, for the OpenAPI page.

Nothing is parsed here: server and board share one decoder in point/, and a test
compares these models with it.
"""

import json
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from point import protocol
from point.host import protocol_server

if TYPE_CHECKING:
    from point.credentials import DeviceConfig

_REQUEST: JsonDict = {"imei": "866123456789018", "productKey": "pk3f9a2c71"}
# The examples of version 2 are valid under this claim key and this id.
_KEY = bytes(range(32))
_REQUEST_ID = "0123456789abcdef0123456789abcdef"
_CLAIM = cast(JsonDict, protocol.claim(_REQUEST, _REQUEST_ID, _KEY, 1767225600))
_ACKNOWLEDGEMENT = cast(JsonDict, protocol.acknowledge(_REQUEST, _REQUEST_ID, _KEY))
_DEVICE: JsonDict = {
    "productKey": "pk3f9a2c71",
    "productSecret": "0d2e9b7a4c61f358",
    "deviceName": "866123456789018",
    "deviceSecret": "8c4b1f0e5a6d7c3b2e9f1a0d4c5b6e7f",
}
_CONNECT: JsonDict = {
    "host": "mqtt.example.com",
    "qos": 1,
    "cleanSession": 0,
    "port": 8883,
    "ssl": 1,
    "keepAlive": 120,
    "auth": "plain",
}
_ISSUED: JsonDict = {
    "code": protocol.SUCCESS,
    "result": {"device": _DEVICE, "connect": _CONNECT},
}


_SEALED: JsonDict = json.loads(
    protocol_server.encode_sealed_reply(
        cast("DeviceConfig", _ISSUED["result"]), _KEY, _REQUEST_ID, bytes(16)
    )
)
_HEX_32 = "^[0-9a-f]{32}$"
_HEX_64 = "^[0-9a-f]{64}$"


class AccessRequest(BaseModel):
    """Version 1: a board asks for its credential. Other members are ignored."""

    model_config = ConfigDict(json_schema_extra={"examples": [_REQUEST]})

    imei: str = Field(pattern="^[0-9]{15}$", description="15 digits, the last a check")
    productKey: str | None = Field(
        None,
        max_length=64,
        description="needed where the IMEI is registered under several products",
    )


class Claim(BaseModel):
    """Version 2: a board asks for its credential and proves who it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CLAIM]})

    imei: str = Field(pattern="^[0-9]{15}$", description="15 digits, the last a check")
    productKey: str = Field(max_length=64)
    requestId: str = Field(
        pattern=_HEX_32, description="random, the same until the reply is stored"
    )
    time: int = Field(0, ge=0, description="Unix seconds, 0 without a clock")
    signMethod: Literal["hmacsha256"] = "hmacsha256"
    sign: str = Field(pattern=_HEX_64, description="HMAC-SHA256 under the claim key")
    proof: str | None = Field(
        None, pattern=_HEX_64, description="HMAC-SHA256 under the present deviceSecret"
    )


class Acknowledgement(BaseModel):
    """Version 2: the credential is in flash, read back and whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ACKNOWLEDGEMENT]})

    imei: str = Field(pattern="^[0-9]{15}$")
    productKey: str = Field(max_length=64)
    requestId: str = Field(pattern=_HEX_32)
    ack: str = Field(pattern=_HEX_64, description="HMAC-SHA256 under the claim key")


class Device(BaseModel):
    """Who the board is."""

    productKey: str
    productSecret: str | None = Field(None, description="absent if there is none")
    deviceName: str
    deviceSecret: str


class Connect(BaseModel):
    """Where the board connects. What is absent is left to the board."""

    host: str
    qos: int = Field(ge=0, le=1)
    cleanSession: int = Field(ge=0, le=1)
    port: int | None = Field(None, ge=1, le=65535)
    ssl: int | None = Field(None, ge=0, le=1)
    keepAlive: int | None = Field(None, ge=0, le=65535, description="seconds")
    auth: str | None = Field(None, description="how MQTT user and password are made")
    clientId: str | None = Field(None, description="given by its cloud: Gizwits' did")
    signMethod: str | None = Field(None, description="Alibaba's: hmacsha256, …")
    region: str | None = Field(None, description="Alibaba's")
    instanceId: str | None = Field(None, description="Alibaba's")


class Result(BaseModel):
    """A board's device_config."""

    device: Device
    connect: Connect


class Issued(BaseModel):
    """The credential: the same one for every request of this board."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ISSUED]})

    code: str
    result: Result


class Sealed(BaseModel):
    """The same in version 2: only the board with the claim key can read it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SEALED]})

    code: str
    sealed: str = Field(description="hex of iv, AES-128-CBC of the result, and a MAC")


class Acknowledged(BaseModel):
    """The acknowledgement was taken."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": protocol.SUCCESS}]}
    )

    code: str


class Refusal(BaseModel):
    """No credential. The first three digits of the code are the HTTP status."""

    code: str = Field(pattern="^[0-9]{5}$")
    retryAfter: int | None = Field(None, ge=1, description="seconds to wait at least")


def request_body() -> dict[str, Any]:
    """The three requests, as OpenAPI's `requestBody`."""
    models = (AccessRequest, Claim, Acknowledgement)
    schema = {"anyOf": [model.model_json_schema() for model in models]}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


REFUSALS = {
    protocol.BAD_REQUEST: "The body is not such a request, or over 4096 bytes",
    protocol.BAD_SIGNATURE: "A stranger: unknown, unsigned, or wrongly signed",
    protocol.REPLAYED: "This request id is spent; draw another",
    protocol.UNKNOWN_IMEI: "The IMEI is not registered for this product",
    protocol.REVOKED: "The device is revoked or retired",
    protocol.WAITING: "For an operator: quarantined, locked, or its batch is closed",
    protocol.ALREADY_ISSUED: "The product's secret alone proves too little now",
    protocol.SLOW_DOWN: "Too many requests; wait retryAfter seconds",
    protocol.POOL_EMPTY: "No imported credential is left; ask again later",
    protocol.INTERNAL: "The server failed; ask again later",
}


def responses() -> dict[int | str, dict[str, Any]]:
    """Every reply, as FastAPI's `responses`."""
    found: dict[int | str, dict[str, Any]] = {
        200: {
            "model": Issued | Sealed | Acknowledged,
            "description": "The board's credential, or that its arrival was noted",
        }
    }
    for code, text in REFUSALS.items():
        status = protocol_server.http_status(code)
        described = found.setdefault(
            status,
            {
                "model": Refusal,
                "description": text,
                "content": {"application/json": {"examples": {}}},
            },
        )
        example = {"summary": text, "value": {"code": code}}
        described["content"]["application/json"]["examples"][code] = example
    return found
