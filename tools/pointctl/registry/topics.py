"""The MQTT topics that a device may use. They depend on its cloud."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topics:
    """The topic filters that a device may publish and subscribe to."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]

    def may_publish(self, topic: str) -> bool:
        """Whether the device may publish to `topic`."""
        return any(_covers(allowed, topic) for allowed in self.publish)

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether all topics that `topic_filter` matches are allowed."""
        return any(_covers(allowed, topic_filter) for allowed in self.subscribe)


def build_topics(
    auth: str | None, product_key: str, device_name: str, did: str | None = None
) -> Topics:
    """Return the topics of a device whose product logs in by the scheme `auth`.

    `did` is the device id in Gizwits' cloud; without it, our own make_client_id().

    Alibaba's topics are those of its SDKs: /sys has the messages of `thing` and
    `_thing`, /ext those about a gateway's session, time and errors. Gizwits' topics are
    those of its firmware.
    """
    own: tuple[str, ...] = (f"{product_key}/{device_name}/#",)
    if auth in ("aliyun", "aliyun-token"):
        name = f"{product_key}/{device_name}/#"
        own += (f"/{name}", f"/sys/{name}", f"/ext/+/{name}")
    if auth not in ("gizwits", "gizwits-classic"):
        return Topics(own, own)
    did = did or make_client_id(product_key, device_name)
    return Topics(
        (*own, f"dev2app/{did}", f"dev2app/{did}/+"),
        (*own, f"ser2cli_noti/{product_key}", f"ser2cli_res/{did}", f"app2dev/{did}/#"),
    )


def make_client_id(product_key: str, device_name: str) -> str:
    """Return the client id for a cloud that assigns one, as Gizwits assigns its did.

    Gizwits' login has no other name in it, so the client id contains the product.
    """
    return f"{device_name}&{product_key}"


def _covers(allowed: str, asked: str) -> bool:
    """Whether the filter `allowed` matches every topic that `asked` matches."""
    ours, theirs = allowed.split("/"), asked.split("/")
    if ours[-1] == "#":  # MQTT: "#" matches the level above as well
        ours.pop()
        del theirs[len(ours) :]
    return len(ours) == len(theirs) and all(
        our == their or (our == "+" and their != "#")
        for our, their in zip(ours, theirs, strict=True)
    )
