"""Working on batches, a part at a time, each part in its own transaction.

Only the database says how far a batch has come. So any process that serves it may do
the next part, and one that is killed loses nothing but the part that it was working on.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.orm import Session

from pointctl.clouds.gizwits.preauth import errors, results, wire
from pointctl.clouds.gizwits.preauth.sandbox import service
from pointctl.clouds.gizwits.preauth.sandbox.keys import KeyMaker
from pointctl.clouds.gizwits.preauth.sandbox.models import (
    CallKind,
    SandboxBatch,
    SandboxBatchRow,
    SandboxPackage,
    TokenRole,
)
from pointctl.clouds.kit.database import SandboxDatabase
from pointctl.registry.storage.models import table

PART = 250  # rows of a transaction
_HAS_KEY = 0  # the outcome of a device that has its key


def work_on_oldest(
    database: SandboxDatabase, maker: KeyMaker, most: int = PART
) -> bool:
    """Do a part of the oldest batch that is not done; False if there is none."""
    with database.snapshot() as session:
        if session.scalar(_oldest()) is None:
            return False
    with database.exclusive() as session:
        batch = session.scalar(_oldest())
        if batch is not None:
            _work_on(session, maker, batch, most)
    return batch is not None


def read_result(
    database: SandboxDatabase, authorization: str | None, batch: str, host: str
) -> wire.BatchResult:
    """How far a batch has come. Raises AuthFailed, RolesInvalid, DataInvalid."""
    with database.snapshot() as session:
        found = _find(session, authorization, batch)
    begun = found.failed + found.success > 0
    status = wire.DONE if found.finished_at else wire.RUNNING if begun else wire.PENDING
    return wire.BatchResult(
        status=status,
        failed=found.failed,
        id=found.id,
        success=found.success,
        auth_result=f"{host}/{found.id}.xlsx" if found.finished_at else "",
    )


@contextmanager
def open_sheet(
    database: SandboxDatabase, maker: KeyMaker, authorization: str | None, batch: str
) -> Iterator[Path]:
    """The result of a batch that is done, as an .xlsx for as long as the block runs.

    Raises as read_result(), and DataInvalid before it is done.
    """
    with tempfile.TemporaryDirectory(prefix="pointctl-sandbox-") as folder:
        path = Path(folder) / f"{batch}.xlsx"
        with database.snapshot() as session:
            found = _find(session, authorization, batch)
            if found.finished_at is None:
                raise errors.DataInvalid("the batch is not done yet")
            results.write(path, _rows(session, maker, found))
        yield path


def _oldest() -> Select[SandboxBatch]:
    waiting = select(SandboxBatch).where(SandboxBatch.finished_at.is_(None))
    return waiting.order_by(SandboxBatch.created_at, SandboxBatch.id).limit(1)


def _find(session: Session, authorization: str | None, batch: str) -> SandboxBatch:
    service.authorize(session, authorization, TokenRole.QUERY, None)
    found = session.get(SandboxBatch, batch)
    if found is None:
        raise errors.DataInvalid("no such batch")
    service.authorize(session, authorization, TokenRole.QUERY, found.pin)
    return found


def _stock(session: Session, batch: SandboxBatch) -> service.PackageStock:
    query = select(SandboxPackage).where(
        SandboxPackage.pin == batch.pin,
        SandboxPackage.auth_code_hash == batch.auth_code_hash,
    )
    found = session.scalars(query.order_by(SandboxPackage.id)).all()
    return service.PackageStock(found).usable_for(CallKind.BATCH)


def _work_on(session: Session, maker: KeyMaker, batch: SandboxBatch, most: int) -> None:
    query = select(SandboxBatchRow).where(
        SandboxBatchRow.batch_id == batch.id, SandboxBatchRow.outcome.is_(None)
    )
    rows = session.scalars(query.order_by(SandboxBatchRow.number).limit(most)).all()
    now = datetime.now(UTC)
    outcomes = dict.fromkeys((row.number for row in rows), _HAS_KEY)
    try:
        issuing = service.KeyIssuing(session, maker, _stock(session, batch))
    except errors.PreauthRefusal as error:
        outcomes = dict.fromkeys(outcomes, _code(error))
    else:
        known = issuing.find_known(service.distinct_macs(rows))
        for row in rows:
            try:
                issuing.issue(row.bare, known, now)
            except errors.PreauthRefusal as error:
                outcomes[row.number] = _code(error)
    _store_outcomes(session, batch.id, outcomes)
    given = sum(outcome == _HAS_KEY for outcome in outcomes.values())
    batch.success += given
    batch.failed += len(outcomes) - given
    if len(rows) < most:
        batch.finished_at = now


def _code(error: errors.PreauthRefusal) -> int:
    assert error.code is not None
    return error.code


def _store_outcomes(session: Session, batch: str, outcomes: dict[int, int]) -> None:
    if not outcomes:
        return
    rows = table(SandboxBatchRow)
    change = (
        update(rows)
        .where(rows.c.batch_id == batch, rows.c.number == bindparam("row"))
        .values(outcome=bindparam("code"))
    )
    values = [{"row": number, "code": code} for number, code in outcomes.items()]
    session.connection().execute(change, values)


def _rows(
    session: Session, maker: KeyMaker, batch: SandboxBatch
) -> Iterator[results.KeyRow]:
    """What became of each device. No key is stored: each is made again."""
    issuing = service.KeyIssuing(session, maker, _stock(session, batch))
    query = select(SandboxBatchRow).where(SandboxBatchRow.batch_id == batch.id)
    ordered = query.order_by(SandboxBatchRow.number)
    for part in session.scalars(ordered).partitions(service.CHUNK):
        known = issuing.find_known(service.distinct_macs(part))
        for row in part:
            if row.outcome == _HAS_KEY:
                key, since = issuing.reissue(known[row.bare])
                yield results.KeyRow(row.mac, key, service.format_moment(since))
            else:
                assert row.outcome is not None
                error = errors.PreauthRefusal.by_code[row.outcome]
                yield results.KeyRow(row.mac, None, "", str(error.code), error.name)
