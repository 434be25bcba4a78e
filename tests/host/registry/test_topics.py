"""The topics of a device: all of its own, and nobody else's."""

import pytest

from pointctl.registry.topics import build_topics

DID = "dev&pk"


@pytest.mark.parametrize("auth", [None, "plain", "aliyun", "gizwits-classic"])
@pytest.mark.parametrize(
    ("topic", "own"),
    [
        ("pk/dev/up", True),
        ("pk/dev", True),
        ("pk/dev/#", True),
        ("pk/dev/+/x", True),
        ("pk/dev2/up", False),
        ("pk/de", False),
        ("pk/+/up", False),
        ("pk/#", False),
        ("pk", False),
        ("+/dev/up", False),
        ("#", False),
        ("", False),
        ("$share/g/pk/dev/up", False),
        ("$SYS/#", False),
        ("PK/dev/up", False),
    ],
)
def test_every_device_has_its_own_tree(auth, topic, own):
    """To publish and to subscribe, whatever it speaks."""
    topics = build_topics(auth, "pk", "dev")
    assert topics.may_publish(topic) == topics.may_subscribe(topic) == own


@pytest.mark.parametrize(
    ("topic", "own"),
    [
        ("/sys/pk/dev/thing/awss/enrollee/match_reply", True),
        ("/sys/pk/dev/_thing/event/notify", True),
        ("/sys/pk/dev/#", True),
        ("/ext/session/pk/dev/combine/login", True),
        ("/ext/ntp/pk/dev/request", True),
        ("/ext/error/pk/dev", True),
        ("/ext/+/pk/dev/#", True),
        ("/pk/dev/user/get", True),
        ("/sys/pk/dev2/thing/reset", False),
        ("/sys/pk/+/thing/reset", False),
        ("/sys/+/dev/thing/reset", False),
        ("/sys/#", False),
        ("/#", False),
        ("sys/pk/dev/thing/reset", False),
        ("/ext/session/pk/dev2/combine/login", False),
        ("/ext/a/b/pk/dev/x", False),
        ("/ext/#/pk/dev/x", False),
        ("/ext/#", False),
        ("/pk/dev2/user/get", False),
        (f"dev2app/{DID}", False),
    ],
)
@pytest.mark.parametrize("auth", ["aliyun", "aliyun-token"])
def test_alibabas(auth, topic, own):
    """Those that its SDKs use; no other scheme has them."""
    topics = build_topics(auth, "pk", "dev")
    assert topics.may_publish(topic) == topics.may_subscribe(topic) == own
    assert not build_topics("plain", "pk", "dev").may_subscribe(topic)


@pytest.mark.parametrize(
    ("topic", "publishes", "subscribes"),
    [
        (f"dev2app/{DID}", True, False),
        (f"dev2app/{DID}/app1", True, False),
        (f"dev2app/{DID}/app1/x", False, False),
        (f"app2dev/{DID}/app1", False, True),
        (f"app2dev/{DID}/#", False, True),
        (f"ser2cli_res/{DID}", False, True),
        ("ser2cli_noti/pk", False, True),
        ("ser2cli_noti/pk/x", False, False),
        ("ser2cli_noti/+", False, False),
        ("app2dev/dev2&pk/#", False, False),
        ("app2dev/+/#", False, False),
        ("app2dev/#", False, False),
        ("/sys/pk/dev/x", False, False),
    ],
)
@pytest.mark.parametrize("auth", ["gizwits", "gizwits-classic"])
def test_gizwits_have_directions(auth, topic, publishes, subscribes):
    """What a device is told it cannot say."""
    topics = build_topics(auth, "pk", "dev")
    assert topics.may_publish(topic) == publishes
    assert topics.may_subscribe(topic) == subscribes
