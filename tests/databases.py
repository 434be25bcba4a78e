"""New registries in no time: copies of one that the real migrations have made.

A migration takes 0.2 s, a copy 0.01 s. open_database() then finds the newest revision,
and prepares it as it does any other: keys, encryption and settings are never copied.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pointctl.registry.storage import postgresql, schema, sqlite
from pointctl.registry.storage.database import Database, parse_url

_MIGRATE = Database.migrate
_LOCK = threading.Lock()


def make_tables(where: Path | str) -> None:
    """Migrate an empty database, and leave no connection behind."""
    url = parse_url(where)
    kind = sqlite if url.get_backend_name() == "sqlite" else postgresql
    engine = kind.make_engine(url)
    with_option = engine.execution_options
    snapshot = with_option(pointctl="snapshot")
    exclusive = with_option(pointctl="exclusive")
    schema.migrate(snapshot, exclusive, "a template")
    engine.dispose()


@contextmanager
def copied(folder: Path) -> Iterator[None]:
    """What this process opens and is an empty SQLite file becomes a copy first.

    The template is made in `folder` when the first is opened.
    """
    made: list[bytes] = []

    def migrate(database: Database) -> None:
        if database.url.get_backend_name() == "sqlite":
            path = Path(database.url.database or "")
            with _LOCK:
                if not path.stat().st_size:
                    if not made:
                        template = folder / "template.sqlite"
                        make_tables(template)
                        made.append(template.read_bytes())
                    path.write_bytes(made[0])
        _MIGRATE(database)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "migrate", migrate)
        yield


@contextmanager
def migrated() -> Iterator[None]:
    """The real migrations run again: for tests of these themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "migrate", _MIGRATE)
        yield
