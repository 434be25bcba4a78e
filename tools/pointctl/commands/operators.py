"""pointctl operators … and pointctl operators token …"""

import getpass
import sys
from pathlib import Path
from typing import Annotated, TextIO

import typer

from pointctl.commands.options import DATA, Data, Json, print_json, print_table
from pointctl.errors import PointctlError
from pointctl.folder import private_file
from pointctl.registry.accounts import operators, tokens
from pointctl.registry.opening import open_registry
from pointctl.registry.storage.models import Role

_Name = Annotated[str, typer.Argument(help="Up to 32 of a-z 0-9 . _ -")]
_Label = Annotated[
    str, typer.Argument(help="What the token is for: up to 31 of a-z 0-9 . _ -")
]
_RoleOption = Annotated[
    Role, typer.Option("--role", help="What the operator or token may do.")
]
_PasswordFile = Annotated[
    typer.FileText | None,
    typer.Option(
        "--password-file",
        encoding="utf-8",
        help="The password is its first line; - is stdin; default: a prompt.",
    ),
]

app = typer.Typer(
    no_args_is_help=True, help="Operators: who may use the console and the API."
)
token_app = typer.Typer(
    no_args_is_help=True, help="Tokens, with which programs use the API."
)
app.add_typer(token_app, name="token")


@app.command("add", epilog="Example: pointctl operators add ann --role admin")
def operators_add(
    name: _Name,
    role: _RoleOption = Role.VIEWER,
    password_file: _PasswordFile = None,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="Allow tokens only.")
    ] = False,
    data: Data = DATA,
) -> None:
    """Add an operator, who logs in to the console with a password."""
    password = None if no_password else _ask_password(password_file)
    with open_registry(data, make=True) as database:
        operators.add(database, name, role, password, getpass.getuser())
    print(f"added operator {name}, {role.value}")


@app.command("list", epilog="Example: pointctl operators list --json")
def operators_list(data: Data = DATA, as_json: Json = False) -> None:
    """List the operators."""
    with open_registry(data) as database:
        rows = [
            operators.summarize(each) for each in operators.list_operators(database)
        ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "name", "role", "has_password", "seen_at", "disabled_at")


@app.command("role", epilog="Example: pointctl operators role ann operator")
def operators_role(
    name: _Name,
    role: Annotated[Role, typer.Argument(help="The new role.")],
    data: Data = DATA,
) -> None:
    """Change an operator's role, and log the operator out."""
    with open_registry(data) as database:
        operators.change(database, name, getpass.getuser(), role=role)
    print(f"{name} has the role {role.value}")


@app.command("password", epilog="Example: pointctl operators password ann")
def operators_password(
    name: _Name, password_file: _PasswordFile = None, data: Data = DATA
) -> None:
    """Change an operator's password, and log the operator out."""
    with open_registry(data) as database:
        operators.get(database, name)  # an unknown name fails before the prompt
        password = _ask_password(password_file)
        operators.change(database, name, getpass.getuser(), password=password)
    print(f"set the password of {name}")


@app.command("disable", epilog="Example: pointctl operators disable ann")
def operators_disable(name: _Name, data: Data = DATA) -> None:
    """Refuse an operator's password and tokens from now on."""
    with open_registry(data) as database:
        operators.change(database, name, getpass.getuser(), disabled=True)
    print(f"disabled {name}")


@app.command("enable", epilog="Example: pointctl operators enable ann")
def operators_enable(name: _Name, data: Data = DATA) -> None:
    """Accept a disabled operator's password and valid tokens again."""
    with open_registry(data) as database:
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
    """Make a token of an operator. The registry cannot show it again."""
    with open_registry(data) as database, private_file(out) as file:
        token = tokens.add(database, name, label, role, days, getpass.getuser())
        file.write(token + "\n")
    print(f"wrote a token of {name} for {days} days to {out}", file=sys.stderr)


@token_app.command("list", epilog="Example: pointctl operators token list ann")
def token_list(name: _Name, data: Data = DATA, as_json: Json = False) -> None:
    """List the tokens of an operator, and when each was last used."""
    with open_registry(data) as database:
        rows = [tokens.summarize(token) for token in tokens.list_tokens(database, name)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "label", "role", "expires_at", "used_at", "revoked_at")


@token_app.command("revoke", epilog="Example: pointctl operators token revoke ann ci")
def token_revoke(name: _Name, label: _Label, data: Data = DATA) -> None:
    """Make a token invalid for good."""
    with open_registry(data) as database:
        tokens.revoke(database, name, label, getpass.getuser())
    print(f"revoked the token {label} of {name}")


def _ask_password(file: TextIO | None) -> str:
    """Read the password from a file's first line, or ask for it at the terminal."""
    if file is not None:
        return file.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise PointctlError(
            "there is no terminal to ask for the password; use --password-file"
        )
    password = getpass.getpass("password: ")
    if getpass.getpass("the same again: ") != password:
        raise PointctlError("the two passwords differ; run the command again")
    return password
