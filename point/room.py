"""Room for what comes next: modules that are needed no more are let go.

Whoever imports one of them again loads it again. Only boards need the room.
"""

from .compat import gc, micropython, sys

# What finds credentials, until they are there.
FINDERS = ("claim", "credentials", "exchange", "foreign", "httpreply", "https", "imei")
FINDERS += ("protocol", "run", "seal", "slot", "store", "strictjson", "url")
FINDERS += ("source", "registration", "registerhttps", "registermqtt")
FINDERS += ("registergizwits", "registerauthkey", "registerclassic")
FINDERS += ("gizwitsform", "authkey")


def unload(names):
    """Let go of modules of point, unless somebody still holds what is theirs."""
    if micropython:
        name = __name__[: __name__.rfind(".")]
        package = sys.modules[name]
        for each in names:
            sys.modules.pop(name + "." + each, None)
            if hasattr(package, each):
                delattr(package, each)
    gc.collect()
