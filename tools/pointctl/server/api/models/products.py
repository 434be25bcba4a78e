"""Models of products."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from point.mqttauth import SCHEMES
from pointctl.registry.storage.models import Policy, Source
from pointctl.server.api.models.common import (
    PRINTABLE_PATTERN,
    PRODUCT,
    WORD_PATTERN,
    request_config,
    response_config,
)


class ProductRow(BaseModel):
    """A kind of device, and the settings that its boards receive; not its secret."""

    model_config = response_config(
        {
            "product_key": PRODUCT,
            "name": "Tracker 4G",
            "policy": "device-key",
            "has_secret": True,
            "mqtt_host": "mqtt.example.com",
            "mqtt_port": 8883,
            "mqtt_ssl": True,
            "mqtt_qos": 1,
            "clean_session": False,
            "keep_alive": 120,
            "auth": "plain",
            "sign_method": None,
            "region": None,
            "instance_id": None,
            "source": "mint",
            "pool_warn_below": 100,
            "open_batch": None,
            "max_failures_per_s": 200,
            "created_at": "2026-11-02T08:30:00+00:00",
        }
    )

    product_key: str
    name: str
    policy: Policy
    has_secret: bool
    mqtt_host: str
    mqtt_port: int | None
    mqtt_ssl: bool | None
    mqtt_qos: int
    clean_session: bool
    keep_alive: int | None
    auth: str | None = Field(description="how boards log in")
    sign_method: str | None
    region: str | None = Field(description="Alibaba's region")
    instance_id: str | None = Field(description="the id of an instance at Alibaba")
    source: Source = Field(description="where its credentials come from")
    pool_warn_below: int = Field(
        description="warn when fewer credentials are left in the pool"
    )
    open_batch: str | None = Field(
        description="the batch into which unknown boards are registered"
    )
    max_failures_per_s: int = Field(
        description="failed proofs allowed a second; then boards are slowed down"
    )
    created_at: datetime


_Text = Annotated[str, Field(min_length=1, max_length=64, pattern=PRINTABLE_PATTERN)]


class NewProduct(BaseModel):
    """A product to be added. For absent settings, boards use their own defaults."""

    model_config = request_config(
        {
            "name": "Tracker 4G",
            "policy": "device-key",
            "mqtt_host": "mqtt.example.com",
            "mqtt_port": 8883,
            "mqtt_ssl": True,
            "auth": "plain",
        }
    )

    name: str = Field(min_length=1, max_length=100, pattern=PRINTABLE_PATTERN)
    product_key: str | None = Field(
        None, pattern=WORD_PATTERN, description="default: a new key"
    )
    policy: Annotated[Policy, Field(strict=False)] = Policy.DEVICE_KEY
    source: Annotated[Source, Field(strict=False)] = Source.MINT
    mqtt_host: str | None = Field(
        None,
        max_length=253,
        pattern=PRINTABLE_PATTERN,
        description="default: Alibaba's host",
    )
    mqtt_port: int | None = Field(None, ge=1, le=65535)
    mqtt_ssl: bool | None = None
    mqtt_qos: int = Field(0, ge=0, le=1)
    clean_session: bool = False
    keep_alive: int | None = Field(None, ge=0, le=65535, description="seconds")
    auth: _Text | None = Field(None, description=f"one of: {', '.join(SCHEMES)}")
    sign_method: _Text | None = None
    region: _Text | None = None
    instance_id: _Text | None = None
    with_secret: bool = Field(True, description="make a product secret")


class ProductChange(BaseModel):
    """Changes of a product; for null, boards use their own default."""

    model_config = request_config({"mqtt_port": 8884})

    name: str = Field("", min_length=1, max_length=100, pattern=PRINTABLE_PATTERN)
    policy: Annotated[Policy, Field(strict=False)] = Policy.DEVICE_KEY
    source: Annotated[Source, Field(strict=False)] = Source.MINT
    mqtt_host: str = Field("", min_length=1, max_length=253, pattern=PRINTABLE_PATTERN)
    mqtt_port: int | None = Field(None, ge=1, le=65535)
    mqtt_ssl: bool | None = None
    mqtt_qos: int = Field(0, ge=0, le=1)
    clean_session: bool = False
    keep_alive: int | None = Field(None, ge=0, le=65535, description="seconds")
    auth: _Text | None = None
    sign_method: _Text | None = None
    region: _Text | None = None
    instance_id: _Text | None = None
    pool_warn_below: int = Field(0, ge=0, le=2**31 - 1)
    max_failures_per_s: int = Field(1, ge=1, le=2**31 - 1)
