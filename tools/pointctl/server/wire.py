"""What crosses the network, for the OpenAPI page.

Nothing is parsed here: server and board share the one decoder in point, and a
test holds these models to it.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from point import protocol, protocol_server

_REQUEST: JsonDict = {"imei": "866123456789018", "productKey": "pk3f9a2c71"}
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


class AccessRequest(BaseModel):
    """A board asks for its credential. Other members are ignored."""

    model_config = ConfigDict(json_schema_extra={"examples": [_REQUEST]})

    imei: str = Field(pattern="^[0-9]{15}$", description="15 digits, the last a check")
    productKey: str | None = Field(
        None,
        max_length=64,
        description="needed where the IMEI is registered under several products",
    )


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


class Result(BaseModel):
    """A board's device_config."""

    device: Device
    connect: Connect


class Issued(BaseModel):
    """The credential: the same one for every request of this board."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ISSUED]})

    code: str
    result: Result


class Refusal(BaseModel):
    """No credential. The first three digits of the code are the HTTP status."""

    code: str = Field(pattern="^[0-9]{5}$")


def request_body() -> dict[str, Any]:
    """The request, as OpenAPI's `requestBody`."""
    content = {"application/json": {"schema": AccessRequest.model_json_schema()}}
    return {"required": True, "content": content}


def responses() -> dict[int | str, dict[str, Any]]:
    """Every reply there is, as FastAPI's `responses`."""
    refusals = {
        protocol.BAD_REQUEST: "The body is not such a request, or over 4096 bytes",
        protocol.UNKNOWN_IMEI: "The IMEI is not registered, or not for this product",
        protocol.INTERNAL: "The server failed; ask again later",
    }
    return {200: {"model": Issued, "description": "The board's credential"}} | {
        protocol_server.http_status(code): {
            "model": Refusal,
            "description": text,
            "content": {"application/json": {"example": {"code": code}}},
        }
        for code, text in refusals.items()
    }
