"""pointctl operators … and pointctl operators token …"""

import getpass
import sys
from pathlib import Path
from typing import Annotated, TextIO

import typer

from pointctl.errors import PointctlError
from pointctl.folder import private_file
from pointctl.options import DATA, Data, Json, print_json, print_table
from pointctl.registry import operators, tokens
from pointctl.registry.commands import opened
from pointctl.registry.models import Role

_Name = Annotated[str, typer.Argument(help="Up to 32 of a-z 0-9 . _ -")]
_Label = Annotated[str, typer.Argument(help="What it is for, in 31 of a-z 0-9 . _ -")]
_RoleOption = Annotated[Role, typer.Option("--role", help="What it may do.")]
_PasswordFile = Annotated[
    typer.FileText | None,
    typer.Option(
        "--password-file",
        encoding="utf-8",
        help="Its first line, or - for stdin; else it is asked for.",
    ),
]

app = typer.Typer(no_args_is_help=True, help="Who may use the console and the API.")
token_app = typer.Typer(no_args_is_help=True, help="What programs show to the API.")
app.add_typer(token_app, name="token")


@app.command("add", epilog="Example: pointctl operators add ann --role admin")
def operators_add(
    name: _Name,
    role: _RoleOption = Role.VIEWER,
    password_file: _PasswordFile = None,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="It works with tokens only.")
    ] = False,
    data: Data = DATA,
) -> None:
    """Add an operator, who logs in to the console with a password."""
    password = None if no_password else _password(password_file)
    with opened(data, make=True) as database:
        operators.add(database, name, role, password, getpass.getuser())
    print(f"added operator {name}, {role.value}")


@app.command("list", epilog="Example: pointctl operators list --json")
def operators_list(data: Data = DATA, as_json: Json = False) -> None:
    """List the operators."""
    with opened(data) as database:
        rows = [operators.summary(each) for each in operators.listed(database)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "name", "role", "has_password", "seen_at", "disabled_at")


@app.command("role", epilog="Example: pointctl operators role ann operator")
def operators_role(
    name: _Name,
    role: Annotated[Role, typer.Argument(help="What it may do from now on.")],
    data: Data = DATA,
) -> None:
    """Give an operator another role, and log it out."""
    with opened(data) as database:
        operators.change(database, name, getpass.getuser(), role=role)
    print(f"{name} is {role.value}")


@app.command("password", epilog="Example: pointctl operators password ann")
def operators_password(
    name: _Name, password_file: _PasswordFile = None, data: Data = DATA
) -> None:
    """Give an operator another password, and log it out."""
    with opened(data) as database:
        operators.get(database, name)  # before the password is asked for
        password = _password(password_file)
        operators.change(database, name, getpass.getuser(), password=password)
    print(f"set the password of {name}")


@app.command("disable", epilog="Example: pointctl operators disable ann")
def operators_disable(name: _Name, data: Data = DATA) -> None:
    """Let an operator in no more, nor its tokens."""
    with opened(data) as database:
        operators.change(database, name, getpass.getuser(), disabled=True)
    print(f"disabled {name}")


@app.command("enable", epilog="Example: pointctl operators enable ann")
def operators_enable(name: _Name, data: Data = DATA) -> None:
    """Let an operator in again, and those of its tokens that are valid."""
    with opened(data) as database:
        operators.change(database, name, getpass.getuser(), disabled=False)
    print(f"enabled {name}")


@token_app.command(
    "add", epilog="Example: pointctl operators token add ann ci --out ci.token"
)
def token_add(
    name: _Name,
    label: _Label,
    out: Annotated[Path, typer.Option(help="File to write, readable by you only.")],
    role: _RoleOption = Role.VIEWER,
    days: Annotated[
        int, typer.Option(min=1, max=3650, help="How long it is valid.")
    ] = tokens.DAYS,
    data: Data = DATA,
) -> None:
    """Make a token of an operator. It cannot be read again."""
    with opened(data) as database, private_file(out) as file:
        token = tokens.add(database, name, label, role, days, getpass.getuser())
        file.write(token + "\n")
    print(f"wrote a token of {name} for {days} days to {out}", file=sys.stderr)


@token_app.command("list", epilog="Example: pointctl operators token list ann")
def token_list(name: _Name, data: Data = DATA, as_json: Json = False) -> None:
    """List the tokens of an operator, and when each was last used."""
    with opened(data) as database:
        rows = [tokens.summary(token) for token in tokens.listed(database, name)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "label", "role", "expires_at", "used_at", "revoked_at")


@token_app.command("revoke", epilog="Example: pointctl operators token revoke ann ci")
def token_revoke(name: _Name, label: _Label, data: Data = DATA) -> None:
    """Let nobody in with this token."""
    with opened(data) as database:
        tokens.revoke(database, name, label, getpass.getuser())
    print(f"revoked the token {label} of {name}")


def _password(file: TextIO | None) -> str:
    """The password: a file's first line, or what is typed twice at a terminal."""
    if file is not None:
        return file.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise PointctlError("there is no terminal to ask at; use --password-file")
    password = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != password:
        raise PointctlError("these were two different passwords")
    return password
