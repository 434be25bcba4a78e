# The seed's own snippet, as its document prints it: what point/ has to compare with.
import requests as request


class PointAccess(object):
    def __init__(self):
        self.device_config = {
            "device": {
                "productKey": "",
                "productSecret": None,
                "deviceName": "",
                "deviceSecret": "",
            },
            "connect": {"qos": 1, "host": "", "cleanSession": 1},
        }
        self.success_code = "00000"

    def request(self, url, data, **kwargs):
        headers = kwargs.get("headers", {})
        headers["Content-Type"] = "application/json"
        try:
            resp = request.post(url, json=data, headers=headers)
        except Exception as e:
            return "77777"
        config = resp.json()
        code = config.get("code", "99999")
        if code == self.success_code:
            self.device_config["device"] = config["result"]["device"]
            self.device_config["device"]["productSecret"] = self.device_config[
                "device"
            ].get("productSecret", None)
            self.device_config["connect"] = config["result"]["connect"]
        return code
