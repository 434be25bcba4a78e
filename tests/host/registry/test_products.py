"""A product that boards would refuse cannot be added."""

import os

import pytest

from point import mqttauth
from pointctl.errors import PointctlError, Refused
from pointctl.registry.devices import products
from pointctl.registry.storage.models import Policy


def test_every_setting_reaches_the_board(database):
    """In the seed's spelling, and numbers where the seed has numbers."""
    product = products.add(
        database,
        "T",
        product_key="pk1",
        mqtt_host="h",
        mqtt_port=8883,
        mqtt_ssl=True,
        mqtt_qos=1,
        clean_session=True,
        keep_alive=60,
        auth="plain",
    )
    assert products.build_device_config(product, "name", "s3cret", "pr0duct") == {
        "device": {
            "productKey": "pk1",
            "productSecret": "pr0duct",
            "deviceName": "name",
            "deviceSecret": "s3cret",
        },
        "connect": {
            "host": "h",
            "port": 8883,
            "ssl": 1,
            "qos": 1,
            "cleanSession": 1,
            "keepAlive": 60,
            "auth": "plain",
        },
    }


def test_what_is_not_set_is_not_sent(database):
    """No nulls on the wire: the seed's reply has none."""
    product = products.add(database, "T", mqtt_host="h", with_secret=False)
    config = products.build_device_config(product, "name", "s3cret", None)
    assert set(config["device"]) == {"productKey", "deviceName", "deviceSecret"}
    assert config["connect"] == {"host": "h", "qos": 0, "cleanSession": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"mqtt_host": "tcp://h"},
        {"mqtt_host": ""},
        {"mqtt_port": 0},
        {"mqtt_port": 65536},
        {"mqtt_qos": 2},
        {"keep_alive": -1},
        {"auth": "a b"},
        {"auth": "telepathy"},
        {"auth": "aliyun", "sign_method": "hmacsha512"},
        {"auth": "aliyun", "region": "../x"},
        {"auth": "aliyun", "product_key": "k" * 60},  # no client id of 64 characters
        {"auth": "aliyun-token", "sign_method": "hmacmd5"},
        {"auth": "plain", "region": "cn-shanghai"},
        {"instance_id": "iot-1"},
        {"mqtt_host": None},
        {"auth": "gizwits", "mqtt_host": None},
        {"policy": Policy.PRODUCT_SECRET, "with_secret": False},
        {"product_key": "../x"},
        {"product_key": "k" * 65},
        {"name": ""},
        {"name": "two\nlines"},
    ],
)
def test_a_setting_that_boards_refuse_is_refused_here(database, wrong):
    """The same rules, one code: point.credentials."""
    settings = {"name": "T", "mqtt_host": "h", **wrong}
    before = len(products.list_products(database))
    with pytest.raises(PointctlError):
        products.add(database, settings.pop("name"), **settings)
    assert len(products.list_products(database)) == before


def test_a_key_is_used_once(database):
    """A second product under one key would change what boards are told."""
    products.add(database, "T", product_key="pk1", mqtt_host="h")
    with pytest.raises(Refused, match="pk1 exists"):
        products.add(database, "U", product_key="pk1", mqtt_host="h")


def test_generated_keys_and_secrets_differ(database):
    """Both are random."""
    made = [products.add(database, "T", mqtt_host="h") for _ in range(5)]
    assert len({product.product_key for product in made}) == 5
    secrets = {products.decrypt_secret(database.vault, product) for product in made}
    assert len(secrets - {None}) == 5


@pytest.mark.parametrize(
    ("where", "host"),
    [
        ({}, "a1B2.iot-as-mqtt.cn-shanghai.aliyuncs.com"),
        (
            {"region": "eu-central-1"},
            "a1B2.iot-as-mqtt.eu-central-1.aliyuncs.com",
        ),
        ({"instance_id": "iot-060a"}, "iot-060a.mqtt.iothub.aliyuncs.com"),
        ({"mqtt_host": "h"}, "h"),
    ],
)
def test_the_host_of_alibabas_boards(database, where, host):
    """Their cloud's, unless another one is named; and they are told what it is."""
    product = products.add(
        database,
        "T",
        product_key="a1B2",
        auth="aliyun",
        sign_method="hmacsha1",
        **where,
    )
    connect = products.build_device_config(product, "name", "s3cret", None)["connect"]
    assert (connect["host"], connect["signMethod"]) == (host, "hmacsha1")
    assert connect.get("region") == where.get("region")
    assert connect.get("instanceId") == where.get("instance_id")
    assert "clientId" not in connect


@pytest.mark.parametrize("auth", ["gizwits", "gizwits-classic", "aliyun-token"])
def test_where_the_cloud_gives_client_ids_so_do_we(database, auth):
    """One for each device of each product; boards could not log in without it."""
    made = [products.add(database, "T", mqtt_host="h", auth=auth) for _ in range(2)]
    configs = [
        products.build_device_config(product, name, "s3cret", None)
        for product in made
        for name in ("one", "two")
    ]
    assert len({config["connect"]["clientId"] for config in configs}) == 4
    for config in configs:
        settings = mqttauth.settings(config, os.urandom)
        assert settings["clientId"].startswith(config["connect"]["clientId"])
