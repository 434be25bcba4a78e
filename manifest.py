"""What MicroPython freezes, made from what deployment copies by `make docs`.

include("…/manifest.py") freezes point/; include("…/manifest.py", board="esp32") also
that board's adapter, boot.py and main.py.
"""

metadata(version="0.1.0", license="MIT")
options.defaults(board=None)

package(
    "point",
    files=(
        "__init__.py",
        "access.py",
        "aliyun/__init__.py",
        "aliyun/alink.py",
        "aliyun/alink_json.py",
        "aliyun/binding.py",
        "aliyun/cipher.py",
        "aliyun/cipher_get.py",
        "aliyun/countdown.py",
        "aliyun/gateway.py",
        "aliyun/login.py",
        "aliyun/register.py",
        "aliyun/register_https.py",
        "aliyun/register_mqtt.py",
        "aliyun/settings.py",
        "aliyun/topology.py",
        "broker.py",
        "claim.py",
        "clock.py",
        "compat.py",
        "conversation.py",
        "credentials.py",
        "digest.py",
        "errors.py",
        "flow.py",
        "gizwits/__init__.py",
        "gizwits/authkey.py",
        "gizwits/form.py",
        "gizwits/frame.py",
        "gizwits/login.py",
        "gizwits/register.py",
        "gizwits/register_authkey.py",
        "gizwits/register_classic.py",
        "gizwits/settings.py",
        "httpreply.py",
        "https.py",
        "imei.py",
        "mqttauth.py",
        "mqttclient.py",
        "protocol.py",
        "provision.py",
        "provision_exchange.py",
        "requests_post.py",
        "seal.py",
        "session.py",
        "settings.py",
        "setup.py",
        "slot.py",
        "store.py",
        "stream.py",
        "strictjson.py",
        "trust.py",
        "url.py",
    ),
)

if options.board == "esp32":
    module("boot.py")
    module("main.py")
    module("at.py", base_path="firmware/esp32")
    module("board.py", base_path="firmware/esp32")
    module("cellular.py", base_path="firmware/esp32")
    module("modem.py", base_path="firmware/esp32")
    module("nvskey.py", base_path="firmware/esp32")
    module("options.py", base_path="firmware/esp32")
    module("ppp.py", base_path="firmware/esp32")
    module("wifi.py", base_path="firmware/esp32")

if options.board == "unix":
    module("boot.py")
    module("main.py")
    module("board.py", base_path="firmware/unix")
