"""Render pages from templates, which escape all values."""

from datetime import datetime
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse

from pointctl.registry.accounts.sessions import Browser
from pointctl.registry.storage.models import Role

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("pointctl.server.console"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_LIVE = {name for name in _templates.list_templates() if name.startswith("live/")}


def render_page(
    request: Request, template: str, status: int = 200, /, **values: Any
) -> HTMLResponse:
    """Render a page; for htmx, only the part that it replaces in the present page."""
    browser: Browser | None = getattr(request.state, "browser", None)
    values = {
        "actor": browser and browser.actor,
        "csrf": browser and browser.csrf,
        "path": request.url.path,
        "Role": Role,
        "error": None,
        **values,
    }
    live = f"live/{template}"
    if "HX-Request" in request.headers and live in _LIVE:
        template = live
    text = _templates.get_template(template).render(values)
    return HTMLResponse(text, status, headers={"Vary": "HX-Request"})


def redirect_done(url: str, what: str) -> RedirectResponse:
    """Answer a form: redirect to the page at `url`, which then says what was done."""
    mark = "&" if "?" in url else "?"
    return RedirectResponse(f"{url}{mark}done={what}", 303)


def _format_minute(value: datetime | str | None) -> str:
    """Format a time for people, to the minute, in UTC."""
    if value is None:
        return "–"  # noqa: RUF001  a dash in a table's cell
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.strftime("%Y-%m-%d %H:%M")


_templates.filters["when"] = _format_minute
