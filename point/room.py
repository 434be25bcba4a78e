"""Room for what comes next: modules that are needed no more are let go.

Whoever imports one of them again loads it again. Only boards need the room.
"""

from .compat import gc, micropython, sys

# What finds credentials, until they are there.
FINDERS = ("claim", "credentials", "exchange", "foreign", "httpreply", "https", "imei")
FINDERS += ("protocol", "run", "seal", "slot", "store", "strictjson", "url")
FINDERS += ("source", "aliyun.register", "aliyun.register_https")
FINDERS += ("aliyun.register_mqtt", "gizwits.register", "gizwits.register_authkey")
FINDERS += ("gizwits.register_classic", "gizwits.form", "gizwits.authkey")


def unload(names):
    """Let go of modules of point, unless somebody still holds what is theirs."""
    if micropython:
        point = __name__[: __name__.rfind(".") + 1]
        for each in names:
            sys.modules.pop(point + each, None)
            at = (point + each).rfind(".")
            package = sys.modules.get((point + each)[:at])
            if hasattr(package, (point + each)[at + 1 :]):
                delattr(package, (point + each)[at + 1 :])
    gc.collect()
