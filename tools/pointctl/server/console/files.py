"""The console's style, icon and scripts. Nothing is loaded from other servers."""

from importlib import resources
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from pointctl.server.roles import needs_no_role

router = APIRouter()

_HERE = Path(__file__).parent / "static"
_HTMX = Path(str(resources.files("js_lib_htmx"))) / "static/htmx/htmx.min.js"
_FILES = {
    "console.css": (_HERE / "console.css", "text/css"),
    "icon.svg": (_HERE / "icon.svg", "image/svg+xml"),
    "console.js": (_HERE / "console.js", "text/javascript"),
    "htmx.js": (_HTMX, "text/javascript"),
}


@router.get("/static/{name}", openapi_extra=needs_no_role())
def static(name: str) -> FileResponse:
    if name not in _FILES:
        raise HTTPException(404)
    path, kind = _FILES[name]
    # Browsers ask each time, and get 304 if it has not changed.
    return FileResponse(path, media_type=kind, headers={"Cache-Control": "no-cache"})
