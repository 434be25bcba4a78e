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
        "alink.py",
        "alinkjson.py",
        "aliyun.py",
        "authkey.py",
        "binding.py",
        "broker.py",
        "cipher.py",
        "cipherget.py",
        "claim.py",
        "clock.py",
        "cloudsettings.py",
        "compat.py",
        "countdown.py",
        "credentials.py",
        "digest.py",
        "errors.py",
        "exchange.py",
        "flow.py",
        "foreign.py",
        "gateway.py",
        "gizwits.py",
        "gizwitsform.py",
        "gizwitsframe.py",
        "httpreply.py",
        "https.py",
        "imei.py",
        "mqttauth.py",
        "mqttclient.py",
        "protocol.py",
        "registerauthkey.py",
        "registerclassic.py",
        "registergizwits.py",
        "registerhttps.py",
        "registermqtt.py",
        "registration.py",
        "room.py",
        "run.py",
        "seal.py",
        "session.py",
        "settings.py",
        "setup.py",
        "slot.py",
        "source.py",
        "store.py",
        "stream.py",
        "strictjson.py",
        "topology.py",
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
