"""Who a board says it is to its broker: client id, user and password."""


def plain(device, connect):
    """(client_id, user, password) for a broker that knows the secret itself.

    The user is Alibaba's, deviceName&productKey, so that names are unique across
    products and a broker reads one shape for every scheme.
    """
    name = device["deviceName"]
    key = device["productKey"]
    client_id = connect.get("clientId") or key + "." + name
    return client_id, name + "&" + key, device["deviceSecret"]
