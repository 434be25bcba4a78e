"""pointctl gizwits …: auth_keys from Gizwits' cloud, or from the sandbox."""

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from point.gizwits import authkey
from pointctl.clouds.gizwits.preauth import algorithms
from pointctl.clouds.gizwits.preauth.customer_secrets import (
    AUTH_CODE,
    AUTHORIZATION,
    PRODUCT_SECRET,
)
from pointctl.commands.options import DATA, Data, Json, print_json, print_table, stderr
from pointctl.errors import PartlyFailed, PointctlError, Refused
from pointctl.folder import private_file

if TYPE_CHECKING:
    from pointctl.clouds.gizwits.preauth.client import PreauthClient
    from pointctl.clouds.gizwits.preauth.lists import ListEntry
    from pointctl.clouds.gizwits.preauth.results import KeyRow
    from pointctl.clouds.gizwits.preauth.wire import BatchResult

app = typer.Typer(no_args_is_help=True, help="auth_keys from Gizwits' cloud.")

_CLOUD = "https://preauth.gizwits.com"


@dataclass(frozen=True)
class GizwitsOptions:
    """The options that all of the commands share."""

    pin: str | None
    url: str
    ca: Path | None
    authorization_file: Path | None
    auth_code_file: Path | None
    download_hosts: tuple[str, ...]
    timeout_s: float
    repeats_are_free: bool
    data: Path

    def require_pin(self) -> str:
        """The customer's id. Raises typer.BadParameter without one."""
        if not self.pin:
            raise typer.BadParameter(
                "name the customer: pointctl gizwits --pin PIN …, or set "
                "POINTCTL_GIZWITS_PIN"
            )
        return self.pin

    def auth_code(self) -> str:
        """The auth_code of the package. Raises PointctlError."""
        return AUTH_CODE.read(self.data, self.auth_code_file)

    @contextmanager
    def open_client(self) -> "Iterator[PreauthClient]":
        """A client of the cloud. Raises PointctlError."""
        from pointctl.clouds.gizwits.preauth.client import (
            PreauthClient,
            PreauthSettings,
        )

        settings = PreauthSettings(
            authorization=AUTHORIZATION.read(self.data, self.authorization_file),
            url=self.url,
            ca=self.ca,
            download_hosts=self.download_hosts,
            within_s=self.timeout_s,
            repeats_are_free=self.repeats_are_free,
        )
        with PreauthClient(settings) as client:
            yield client


@app.callback()
def gizwits(
    context: typer.Context,
    pin: Annotated[
        str | None,
        typer.Option(envvar="POINTCTL_GIZWITS_PIN", help="The customer's id."),
    ] = None,
    url: Annotated[
        str, typer.Option(envvar="POINTCTL_GIZWITS_URL", help="Of the cloud.")
    ] = _CLOUD,
    ca: Annotated[
        Path | None,
        typer.Option(
            envvar="POINTCTL_GIZWITS_CA",
            exists=True,
            dir_okay=False,
            help="PEM, for a sandbox; else the system's.",
        ),
    ] = None,
    authorization_file: Annotated[
        Path | None,
        typer.Option(help=f"Else {AUTHORIZATION.variable}, else as login kept it."),
    ] = None,
    auth_code_file: Annotated[
        Path | None,
        typer.Option(help=f"Else {AUTH_CODE.variable}, else as login kept it."),
    ] = None,
    download_host: Annotated[
        list[str] | None,
        typer.Option(help="May have results, too, beside the API's; repeatable."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1.0, max=3600.0, help="Seconds for one call.")
    ] = 60.0,
    repeats_are_free: Annotated[
        bool,
        typer.Option(
            "--repeats-are-free",
            envvar="POINTCTL_GIZWITS_REPEATS_ARE_FREE",
            help="The cloud counts a repeated request once: send again what may have "
            "arrived. True of the sandbox, unknown of the cloud.",
        ),
    ] = False,
    data: Data = DATA,
) -> None:
    """Get auth_keys from Gizwits' cloud, or from pointctl sandbox."""
    context.obj = GizwitsOptions(
        pin=pin,
        url=url,
        ca=ca,
        authorization_file=authorization_file,
        auth_code_file=auth_code_file,
        download_hosts=tuple(download_host or ()),
        timeout_s=timeout,
        repeats_are_free=repeats_are_free,
        data=data,
    )


_Out = Annotated[Path | None, typer.Option(help="File to write, readable by you only.")]
_Show = Annotated[bool, typer.Option("--show", help="Print the key.")]
_KeysOut = Annotated[
    Path, typer.Option(help="CSV to write, readable by you only; not there yet.")
]
_ProductKey = Annotated[
    str | None, typer.Option("--product-key", help="Where devices make their keys.")
]
_Algorithm = Annotated[
    str, typer.Option(help=f"By which; {authkey.NAME} is ours, not the cloud's.")
]
_ProductSecretFile = Annotated[
    Path | None,
    typer.Option(help=f"Else {PRODUCT_SECRET.variable}."),
]


@app.command("login", epilog="Example: pointctl gizwits login --keyring")
def gizwits_login(
    context: typer.Context,
    in_keyring: Annotated[
        bool, typer.Option("--keyring", help="In the system's keyring, not files.")
    ] = False,
) -> None:
    """Keep the Authorization and the auth_code for later commands.

    They are read from the files that are named, else asked for; nothing is sent.
    """
    options: GizwitsOptions = context.obj
    given = (
        (AUTHORIZATION, options.authorization_file),
        (AUTH_CODE, options.auth_code_file),
    )
    texts = [(s, s.read(options.data, f) if f else s.ask()) for s, f in given]
    for secret, text in texts:
        secret.keep(options.data, text, in_keyring=in_keyring)
    print(f"kept in {'the keyring' if in_keyring else options.data}")


@app.command(
    "key",
    epilog="Example: pointctl gizwits key 866123456789018 "
    "--out 866123456789018.authkey",
)
def gizwits_key(
    context: typer.Context,
    mac: Annotated[str, typer.Argument(help="MAC or IMEI of a device.")],
    out: _Out = None,
    show: _Show = False,
    product_key: _ProductKey = None,
    algorithm: _Algorithm = authkey.NAME,
    product_secret_file: _ProductSecretFile = None,
    as_json: Json = False,
) -> None:
    """Get the auth_key of one device; a new device takes one of the stock.

    With --product-key the key that the device will compute is sent, too, and the
    sandbox compares it.
    """
    options: GizwitsOptions = context.obj
    _check_destination(out, show)
    computed = None
    if product_key is not None:
        secret = PRODUCT_SECRET.read(options.data, product_secret_file)
        computed = algorithms.find_algorithm(algorithm)(secret, product_key, mac)
    auth_code = options.auth_code()
    with options.open_client() as client:
        made = client.auth_key(options.require_pin(), mac, auth_code, computed)
    details = {"mac": made.mac, "pin": made.pin, "created_at": made.created_at}
    _write_key(made.auth_key, details, out, as_json)


@app.command(
    "derive",
    epilog="Example: pointctl gizwits derive 866123456789018 --product-key pk3f9a2c71 "
    "--product-secret-file product-secret --out 866123456789018.authkey",
)
def gizwits_derive(
    context: typer.Context,
    mac: Annotated[str, typer.Argument(help="MAC or IMEI of a device.")],
    product_key: Annotated[str, typer.Option("--product-key", help="Its product.")],
    out: _Out = None,
    show: _Show = False,
    algorithm: _Algorithm = authkey.NAME,
    product_secret_file: _ProductSecretFile = None,
    as_json: Json = False,
) -> None:
    """Compute the auth_key as a device does. Nothing is sent."""
    options: GizwitsOptions = context.obj
    _check_destination(out, show)
    secret = PRODUCT_SECRET.read(options.data, product_secret_file)
    made = algorithms.find_algorithm(algorithm)(secret, product_key, mac)
    _write_key(made, {"mac": mac, "algorithm": algorithm}, out, as_json)


@app.command(
    "batch",
    epilog="Example: pointctl gizwits batch macs.xlsx --out keys.csv",
)
def gizwits_batch(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="Text, CSV or .xlsx: one a row, first."
        ),
    ],
    out: _KeysOut,
    as_is: Annotated[
        bool,
        typer.Option("--as-is", help="Send the file itself, unread and unchecked."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Get the auth_keys of a list, into a CSV file.

    The list is checked first, and sent as text with one MAC or IMEI a line. A batch
    goes on in the cloud if this is interrupted: see pointctl gizwits result.
    """
    options: GizwitsOptions = context.obj
    _check_free(out)
    content = file.read_bytes()
    devices = None if as_is else _read_devices(file, content)
    auth_code = options.auth_code()
    with options.open_client() as client:
        if devices is None:
            sent = client.batch(options.require_pin(), auth_code, content, file.name)
        else:
            sent = client.batch(
                options.require_pin(), auth_code, _as_text(devices), "macs.txt"
            )
        stderr.print(
            f"batch {sent}; if this ends: pointctl gizwits result {sent}",
            soft_wrap=True,
        )
        _fetch_keys(client, sent, devices, out, as_json)


@app.command(
    "result",
    epilog="Example: pointctl gizwits result deb54a82c22aff842a016d6e43d6de4c "
    "--out keys.csv",
)
def gizwits_result(
    context: typer.Context,
    batch: Annotated[str, typer.Argument(help="Its id.")],
    out: _KeysOut,
    as_json: Json = False,
) -> None:
    """Wait for a batch that was sent before, and fetch its keys."""
    options: GizwitsOptions = context.obj
    _check_free(out)
    with options.open_client() as client:
        _fetch_keys(client, batch, None, out, as_json)


class _PackageRow(TypedDict):
    """A package as it is shown; an auth_code is a secret."""

    created_at: str
    updated_at: str
    capacity: int
    size: int
    left: int
    is_enabled: bool


@app.command(
    "packages",
    epilog="Example: pointctl gizwits packages --warn-below 1000",
)
def gizwits_packages(
    context: typer.Context,
    warn_below: Annotated[
        int, typer.Option(min=0, help="Exit with 4 if fewer keys are left.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Show how many keys are left."""
    options: GizwitsOptions = context.obj
    auth_code = options.auth_code()
    with options.open_client() as client:
        found = list(client.packages(options.require_pin(), auth_code))
    rows = [
        _PackageRow(
            created_at=each.created_at,
            updated_at=each.updated_at,
            capacity=each.capacity,
            size=each.size,
            left=max(0, each.capacity - each.size),
            is_enabled=each.is_enabled,
        )
        for each in found
    ]
    left = sum(row["left"] for row in rows if row["is_enabled"])
    if as_json:
        print_json({"packages": rows, "left": left, "low": left < warn_below})
    else:
        print_table(rows, *_PackageRow.__annotations__)
        print(f"{left} keys are left")
    if left < warn_below:
        raise PartlyFailed(f"fewer than {warn_below} keys are left: buy more")


def _check_destination(out: Path | None, show: bool) -> None:
    if (out is None) == (not show):
        raise typer.BadParameter("the key goes to --out FILE, or to stdout with --show")


def _check_free(out: Path) -> None:
    """Raise Refused for a file that exists, before any key is spent."""
    if out.exists():
        raise Refused(f"{out} exists; name another file")


def _write_key(
    auth_key: str, details: dict[str, str], out: Path | None, as_json: bool
) -> None:
    if out is not None:
        with private_file(out) as file:
            file.write(auth_key + "\n")
        given = {"file": str(out)}
    else:
        given = {"auth_key": auth_key}
    if as_json:
        print_json({**details, **given})
    else:
        print(auth_key if out is None else f"wrote the auth_key to {out}")


def _read_devices(file: Path, content: bytes) -> "list[ListEntry]":
    from pointctl.clouds.gizwits.preauth import lists

    try:
        devices = lists.read_list(content)
        lists.check_list(devices)
    except lists.BadList as error:
        raise PointctlError(f"{file}: {error}") from None
    return devices


def _as_text(devices: "list[ListEntry]") -> bytes:
    from pointctl.clouds.gizwits.preauth import lists

    return lists.write_text(devices)


def _fetch_keys(
    client: "PreauthClient",
    batch: str,
    devices: "list[ListEntry] | None",
    out: Path,
    as_json: bool,
) -> None:
    """Wait for a batch, fetch its keys, and say how many there are."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress("keys", *columns, console=stderr) as bar:
        task = bar.add_task("", total=None if devices is None else len(devices))

        def show(result: "BatchResult") -> None:
            bar.update(task, completed=result.success + result.failed)

        rows = client.keys(client.wait_for_batch(batch, show))
    rows += _find_missing(devices or [], rows)
    with private_file(out) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("mac", "auth_key", "error"))
        writer.writerows((row.mac, row.auth_key, row.error) for row in rows)
    failed = [row for row in rows if row.auth_key is None]
    if as_json:
        print_json(
            {
                "batch": batch,
                "success": len(rows) - len(failed),
                "failed": [{"mac": r.mac, "error": r.error} for r in failed],
                "file": str(out),
            }
        )
    else:
        print(f"wrote {len(rows) - len(failed)} keys to {out}")
        for row in failed[:10]:
            print(f"no key for {row.mac}: {row.error}", file=sys.stderr)
    if failed:
        raise PartlyFailed(f"{len(failed)} of {len(rows)} devices have no key")


def _find_missing(devices: "list[ListEntry]", rows: "list[KeyRow]") -> "list[KeyRow]":
    """Devices that were sent and are not in the result."""
    from pointctl.clouds.gizwits.preauth.names import normalize_mac
    from pointctl.clouds.gizwits.preauth.results import KeyRow

    found = {normalize_mac(row.mac) for row in rows}
    return [
        KeyRow(each.mac, None, error="not in the result")
        for each in devices
        if each.bare not in found
    ]
