"""The entry point of pointctl; the only place that prints an error and exits."""

import sys
from collections.abc import Sequence

from pointctl.cli import app
from pointctl.errors import PointctlError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code; --help lists the codes."""
    try:
        app(arguments, prog_name="pointctl")
    except PointctlError as error:
        print(f"pointctl: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # Typer does not catch all of them
        sys.exit(130)
    except OSError as error:  # for example a full disk, a missing file, a busy port
        where = f"{error.filename}: " if error.filename else ""
        print(f"pointctl: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
