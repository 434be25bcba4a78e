"""The board contract. Copy this folder, fill in each name, run the contract tests.

Each name translates what the vendor returns or raises into PointError at once: an
IMEI of -1, an IndexError for a name that does not resolve, a TLS failure that the
firmware swallows. Nothing may touch the hardware at import.
"""

from point.errors import IMEI, OFFLINE, OPTION, SETTING, PointError

DIR = "/"  # the flash folder that holds settings.json, the CA and the credentials
VERIFIES = False  # True only if connect() and mqtt() verify certificates


def imei():
    """The modem's IMEI as 15 digits, checked by point.imei.check().

    Raises PointError(IMEI) if the modem does not give a valid one.
    """
    raise PointError(IMEI, "imei() is not written yet")


def online(timeout_s):
    """Return when there is a network, after `timeout_s` seconds at most.

    Raises PointError(OFFLINE) if there is none by then.
    """
    raise PointError(OFFLINE, "online() is not written yet")


def connect(host, port, trust, timeout_s):
    """A connected stream: read(count), write(data), close(), within(timeout_s).

    `trust` is None for plain TCP, or {"ca": DER bytes, "pins": [SHA-256 of certificates
    the server may have]}, each optional. Return only after both have been checked, and
    the name. One deadline covers connecting, the handshake and all reading and writing
    that follows. point.stream does this where MicroPython has tls.SSLContext; firmware
    that cannot verify by CA can still call point.trust.check_pins().

    Raises PointError(DNS, CONNECT, TIMEOUT, CLOSED, TLS, TLS_NAME, TLS_CA, TLS_DATE or
    TLS_PIN).
    """
    raise PointError(OPTION, "connect() is not written yet")


def mqtt(settings):
    """An MQTT client that is not connected yet, with these methods:

    connect(), subscribe(topic, qos), publish(topic, message, qos), check() (take a
    message if one has come, without waiting; True if anything came), ping(),
    disconnect(), close(). They raise PointError: BROKER_REFUSED if the credentials were
    refused, BROKER_DENIED if a subscription was, BROKER_LOST or a network cause for all
    else.

    `settings`: host, port, trust (as in connect), clientId, user, password, keepAlive
    (s), cleanSession (0 or 1), received (called with topic and message, both bytes),
    and perhaps will ({"topic", "message"}) and withinS (s): then all that is called
    ends within so many seconds of connect() in all, a peer that drips included.
    """
    raise PointError(OPTION, "mqtt() is not written yet")


def now():
    """Unix seconds, or None if the clock was not set since power-up."""
    return None


def network_time():
    """Unix seconds by the cellular network (NITZ), or None."""
    return None


def set_clock(unix_s):
    """Set the clock by which TLS judges certificates."""


def claim_key():
    """The board's claim key, 32 bytes, from where the factory put it.

    Raises PointError(SETTING) if it was not given one.
    """
    raise PointError(SETTING, "claim_key() is not written yet")


def flash_key():
    """32 bytes made of the chip's unique id: another board cannot open this flash.

    None leaves the credentials in clear.
    """
    return None


def random(count):
    """`count` random bytes, good enough for a secret."""
    raise PointError(OPTION, "random() is not written yet")


def feed():
    """Feed the hardware watchdog."""


def restart():
    """Restart the board. Does not return."""
    raise PointError(OPTION, "restart() is not written yet")
