"""A board in a process: the real firmware on MicroPython's unix port, until it has
its credentials."""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pointctl.boards import flash, micropython
from pointctl.boards.bootlog import Outcome, outcome_of
from pointctl.children import Child
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry import keys, products
from pointctl.registry.database import Database
from pointctl.registry.models import Policy, Product

HEAP_BYTES = 128 * 1024  # a small board's; the unix port's own default is 2 MB
_STOP_S = 5


def assemble(
    folder: Path,
    database: Database,
    data: DataFolder,
    product_key: str,
    imei: str,
    *,
    url: str,
    ca: bytes,
) -> None:
    """Fill `folder` as the factory would fill this board's flash.

    Raises PointctlError where there is no such product or MicroPython.
    """
    policy, secret = _proof(database, product_key)
    settings: dict[str, Any] = {
        "url": url,
        "productKey": product_key,
        "ca": "ca.der",
        "policy": policy.value,
        "spreadS": 0,  # a board that wakes alone need not wait for others
    }
    if policy is Policy.PRODUCT_SECRET:
        settings["productSecret"] = secret
    claim_key = None
    if policy is Policy.DEVICE_KEY:
        claim_key = keys.open_keys(data).derive(product_key, imei)
    flash.assemble(
        folder,
        "unix",
        settings,
        ca,
        claim_key=claim_key,
        libraries=micropython.find().libraries,
    )


def boot(
    folder: Path, imei: str, on_line: Callable[[str], None], timeout_s: float
) -> Outcome:
    """Switch the board in `folder` on until it has credentials or gave up.

    `on_line` is called with each line that it prints. Raises PointctlError if it ends
    by itself, or has said nothing of credentials after `timeout_s`.
    """
    process = Child[str](
        [
            micropython.find().command,
            "-X",
            f"heapsize={HEAP_BYTES}",
            "-c",
            "import boot, main",
        ],
        cwd=folder,
        env={**os.environ, "POINTACCESS_IMEI": imei, "MICROPYPATH": ":.frozen:lib"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    patience = threading.Timer(timeout_s, process.terminate)
    patience.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            on_line(line.rstrip("\n"))
            if outcome := outcome_of(line):
                return outcome
    finally:
        patience.cancel()
        _end(process)
    raise PointctlError(
        f"the board said nothing of credentials within {timeout_s:g} s, or ended; its "
        "last lines are above"
    )


def _proof(database: Database, product_key: str) -> tuple[Policy, str | None]:
    """What the boards of a product prove themselves with, and the secret if it is one
    for all."""
    with database.reading() as session:
        products.check_exists(session, product_key)
        product = session.get_one(Product, product_key)
        return product.policy, products.secret(database.vault, product)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
