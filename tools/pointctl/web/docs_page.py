"""/docs: the API as a page, with a viewer that this server delivers.

The framework would load the viewer from another server. Its script would run on the
console's host, with the rights of whoever is logged in there.
"""

from importlib import resources
from pathlib import Path

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import FileResponse, HTMLResponse

_VIEWER = Path(str(resources.files("fastapi_offline"))) / "static"
_FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
_START = """\
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true });
"""
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>PointAccess: the API</title>
  <link rel="icon" href="/console/static/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/docs/swagger-ui.css">
  <script src="/docs/swagger-ui-bundle.js" defer></script>
  <script src="/docs/start.js" defer></script>
</head>
<body><main id="docs"></main></body>
</html>
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def page() -> HTMLResponse:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/{name}")
def file(name: str) -> Response:
    if name == "start.js":
        return Response(_START, media_type="text/javascript")
    if name not in _FILES:
        raise HTTPException(404)
    headers = {"Cache-Control": "no-cache"}  # browsers ask again, and get 304
    return FileResponse(_VIEWER / name, media_type=_FILES[name], headers=headers)
