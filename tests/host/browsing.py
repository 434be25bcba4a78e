"""A real Chromium on a real server's console: what it shows, and how it is used."""

import base64
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.patience import PATIENCE_S
from tests.runtimes import ROOT, need

# What a person with a keyboard, a screen reader or weak eyes needs of any page: a
# function that returns what is missing.
FAULTS = Path(__file__).with_name("page_faults.js").read_text(encoding="utf-8")
SCREENSHOTS = ROOT / "build/screenshots"  # written if $POINTCTL_SCREENSHOTS is set
PHONE = {"viewport": {"width": 390, "height": 800}, "is_mobile": True}
PHONE |= {"has_touch": True, "device_scale_factor": 2}
DARK = {"color_scheme": "dark"}
NO_SCRIPT = {"java_script_enabled": False}


def launch(playwright: Playwright, certificate: Path) -> Browser:
    """Debian's Chromium, which trusts this one certificate beside the usual ones."""
    path = need("chromium")
    arguments = [
        "--no-sandbox",
        f"--ignore-certificate-errors-spki-list={_pin(certificate)}",
    ]
    expect.set_options(timeout=PATIENCE_S * 1000)
    return playwright.chromium.launch(executable_path=path, args=arguments)


def _pin(certificate: Path) -> str:
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


class Visit:
    """A page, and everything that it asked for or complained of."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.on("console", lambda message: self._complain(message))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._note(request.url))

    def _complain(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _note(self, url: str) -> None:
        if not url.startswith(self.url):
            self.foreign.append(url)

    def go(self, path: str) -> None:
        """Open a page of the console."""
        self.page.goto(f"{self.url}/console{path}")

    def log_in(self, name: str, password: str) -> None:
        """Log in, from wherever that leads."""
        self.go("/")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("heading", name="Overview").wait_for()

    def picture(self, name: str) -> None:
        """Keep what it looks like, all of it, for people who asked for that."""
        if not os.environ.get("POINTCTL_SCREENSHOTS"):
            return
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Visit]:
    """A browser nobody has used before; at its end it must have had no complaint."""
    options.setdefault("viewport", {"width": 1280, "height": 800})
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_S * 1000)
    try:
        visit = Visit(context.new_page(), url)
        yield visit
        assert visit.foreign == []
        assert visit.complaints == []
    finally:
        context.close()
