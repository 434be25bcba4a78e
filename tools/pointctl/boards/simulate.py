"""Simulate a board: run the real firmware on MicroPython's unix port until it has its
credentials."""

import os
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pointctl.boards import flash, micropython
from pointctl.boards.bootlog import BootOutcome, parse_outcome
from pointctl.children import Child
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.devices import products
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Policy, Product

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

    Raises PointctlError for an unknown product, or if MicroPython is missing.
    """
    proof = _find_proof(database, product_key)
    settings: dict[str, object] = {
        "url": url,
        "productKey": product_key,
        "ca": "ca.der",
        "policy": proof.policy.value,
        "spreadS": 0,  # a single board does not have to spread its requests
    }
    if proof.policy is Policy.PRODUCT_SECRET:
        settings["productSecret"] = proof.product_secret
    claim_key = None
    if proof.policy is Policy.DEVICE_KEY:
        claim_key = claim_keys.open_keys(data).derive(product_key, imei)
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
) -> BootOutcome:
    """Run the board in `folder` until it has credentials or gives up.

    `on_line` is called with each line that it prints. Raises PointctlError if it ends
    by itself, or has not reported credentials after `timeout_s`.
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
    timer = threading.Timer(timeout_s, process.terminate)
    timer.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            on_line(line.rstrip("\n"))
            if outcome := parse_outcome(line):
                return outcome
    finally:
        timer.cancel()
        _end(process)
    raise PointctlError(
        f"the board did not report credentials within {timeout_s:g} s, or ended; see "
        "its last lines above, or give it longer with --timeout"
    )


@dataclass(frozen=True)
class _Proof:
    """How the boards of a product prove who they are."""

    policy: Policy
    product_secret: str | None = field(repr=False)  # if all boards share one


def _find_proof(database: Database, product_key: str) -> _Proof:
    with database.snapshot() as session:
        products.check_exists(session, product_key)
        product = session.get_one(Product, product_key)
        return _Proof(product.policy, products.decrypt_secret(database.vault, product))


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
