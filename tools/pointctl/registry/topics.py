"""The MQTT topics that a device may use: its own, by the cloud that it speaks to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topics:
    """What a device may publish and subscribe to, as topic filters."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]

    def may_publish(self, topic: str) -> bool:
        """Whether it may publish to `topic`."""
        return any(_covers(allowed, topic) for allowed in self.publish)

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether all that `topic_filter` matches is its own; a topic is a filter."""
        return any(_covers(allowed, topic_filter) for allowed in self.subscribe)


def own_topics(
    auth: str | None, product_key: str, device_name: str, did: str | None = None
) -> Topics:
    """The topics of a device whose product logs in by the scheme `auth`.

    `did` is what a cloud knows it by, if that is not the one that it gets here.

    Alibaba's are the SDKs' (/sys has the messages of `thing` and `_thing`, /ext those
    of a gateway's session, of time and of errors), Gizwits' those of its firmware.
    """
    own: tuple[str, ...] = (f"{product_key}/{device_name}/#",)
    if auth in ("aliyun", "aliyun-token"):
        name = f"{product_key}/{device_name}/#"
        own += (f"/{name}", f"/sys/{name}", f"/ext/+/{name}")
    if auth not in ("gizwits", "gizwits-classic"):
        return Topics(own, own)
    did = did or made_client_id(product_key, device_name)
    return Topics(
        (*own, f"dev2app/{did}", f"dev2app/{did}/+"),
        (*own, f"ser2cli_noti/{product_key}", f"ser2cli_res/{did}", f"app2dev/{did}/#"),
    )


def made_client_id(product_key: str, device_name: str) -> str:
    """The id that a device gets where its cloud gives it one, as Gizwits' did.

    Gizwits' login names nothing else, so the product is in it.
    """
    return f"{device_name}&{product_key}"


def _covers(allowed: str, asked: str) -> bool:
    """Whether every topic that the filter `asked` matches is matched by `allowed`."""
    ours, theirs = allowed.split("/"), asked.split("/")
    if ours[-1] == "#":  # it matches the level above as well
        ours.pop()
        del theirs[len(ours) :]
    return len(ours) == len(theirs) and all(
        our == their or (our == "+" and their != "#")
        for our, their in zip(ours, theirs, strict=True)
    )
