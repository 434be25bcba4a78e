"""What the seed's user writes around it: nothing verified, kept or retried."""

import os
import sys

import tls

context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
context.verify_mode = tls.CERT_NONE
sys.modules["ussl"] = context  # umqtt.simple on PyPI imports it under this name

from umqtt.simple import MQTTClient  # noqa: E402

from seed_point_access import PointAccess  # noqa: E402

access = PointAccess()
imei = os.getenv("POINTACCESS_IMEI")
data = {"imei": imei, "productKey": os.getenv("BENCH_PRODUCT")}
print("credentials", access.request(os.getenv("BENCH_URL"), data))
device, connect = access.device_config["device"], access.device_config["connect"]
user = device["deviceName"] + "&" + device["productKey"]
client = MQTTClient(
    device["deviceName"],
    connect["host"],
    connect["port"],
    user,
    device["deviceSecret"],
    120,
    ssl=context,
)
client.connect(bool(connect["cleanSession"]))
print("connected")
client.publish(device["productKey"] + "/" + imei + "/up", b'{"online":true}', qos=1)
print("published")
