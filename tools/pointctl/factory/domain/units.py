"""The rules for a unit: its progress by the journal, and what is done to it next.

Pure functions, without I/O: all decisions of the factory line are made here.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from enum import StrEnum

from point import imei as imeis
from point.errors import PointError
from pointctl.errors import PointctlError

_MAC = re.compile(r"(?:[0-9a-f]{2}[:-]?){5}[0-9a-f]{2}")


class Step(StrEnum):
    """What an event of the journal records."""

    SEEN = "seen"  # a board identified itself
    ASKING = "asking"  # the source is about to be asked
    ANSWERED = "answered"  # its key is in the journal
    BURNING = "burning"
    BURNED = "burned"  # the key was burned and read back
    TESTED = "tested"
    LABELLED = "labelled"
    DONE = "done"
    ALREADY = "already"  # a finished board was plugged in again, and is in order
    FAILED = "failed"  # another try may succeed
    REFUSED = "refused"  # by a rule: another try changes nothing
    SENT = "sent"  # a list was sent to the source
    FETCHED = "fetched"  # the keys of that list were fetched
    STARTED = "started"  # the station was started
    STOPPED = "stopped"


class Reason(StrEnum):
    """Why a unit failed or was refused; WHAT_TO_DO has a line for each."""

    NO_ANSWER = "no answer"
    UNPLUGGED = "unplugged"
    NO_FIRMWARE = "no firmware"
    BAD_IDENTITY = "bad identity"
    WRONG_BOARD = "wrong board"
    WRONG_PRODUCT = "wrong product"
    DUPLICATE = "duplicate"
    OTHER_KEY = "holds another key"
    ENROLLED = "enrolled elsewhere"
    SOURCE_DOWN = "source does not answer"
    SOURCE_REFUSED = "source refused"
    UNSURE = "answer was lost"
    NOT_BURNED = "not burned"
    SELF_TEST = "self-test"
    LABEL = "label"
    COMPLETE = "job is complete"
    STATION = "station"


WHAT_TO_DO = {
    Reason.NO_ANSWER: "check cable and power, plug it in again",
    Reason.UNPLUGGED: "plug it in again, it goes on where it stopped",
    Reason.NO_FIRMWARE: "pointctl boards deploy, then plug it in again",
    Reason.BAD_IDENTITY: "set the board aside: its modem has no valid IMEI",
    Reason.WRONG_BOARD: "set it aside: it is another kind of board",
    Reason.WRONG_PRODUCT: "set it aside: it was made for another product",
    Reason.DUPLICATE: "set both boards aside: they have the same IMEI",
    Reason.OTHER_KEY: "set it aside: another line has given it a key",
    Reason.ENROLLED: "set it aside: it is in use already",
    Reason.SOURCE_DOWN: "leave it plugged in: the station asks again by itself",
    Reason.SOURCE_REFUSED: "call the line's manager; the text says why",
    Reason.UNSURE: "call the line's manager: look at the stock, then --ask-again",
    Reason.NOT_BURNED: "plug it in again; after a second failure set it aside",
    Reason.SELF_TEST: "check antenna and SIM, plug it in again",
    Reason.LABEL: "check the printer, plug it in again",
    Reason.COMPLETE: "set it aside: the plan has all its units",
    Reason.STATION: "call the line's manager; the text says why",
}


class Todo(StrEnum):
    """What has to be done to a unit."""

    ASK = "ask"
    BURN = "burn"  # the key in the journal
    TEST = "test"  # the key is burned: self-test and label are left
    NOTHING = "nothing"  # the unit is done, and the board holds its key
    REFUSE = "refuse"


@dataclass(frozen=True)
class UnitProgress:
    """How far a unit has come, by its events in the journal."""

    unit: str
    unsure: bool = False  # the source was asked, and its answer is not known
    answered: bool = False  # its key is in the journal
    key_hash: str | None = None
    burned: bool = False
    tested: bool = False
    labelled: bool = False
    done: bool = False
    chip: str | None = None  # the unique id of the board that was burned
    attempts: int = 0  # how often a board with this number was plugged in
    failures: int = 0
    reason: str | None = None  # why it is not done
    note: str | None = None
    at: str | None = None  # of its last event
    done_at: str | None = None


@dataclass(frozen=True)
class BoardFacts:
    """What a station reads from a board; no secret."""

    unit: str
    kind: str
    product: str | None  # in its settings; None: it has no settings
    built_for: str | None = None  # the kind of board its files were deployed for
    chip: str | None = None
    key_hash: str | None = None  # of the key on it; None: no whole key
    claimed: str | None = None  # the device name in its credentials


@dataclass(frozen=True)
class Decision:
    """What to do; with Todo.REFUSE, why."""

    todo: Todo
    reason: Reason | None = None
    text: str = ""


def decide(
    progress: UnitProgress,
    found: BoardFacts,
    *,
    product: str,
    kind: str | None,
    replace_keys: bool = False,
    repair: bool = False,
) -> Decision:
    """Decide what is done to a board, by the rules in docs/factory.md.

    `repair`: a person confirms that this board without a key is the one that was
    burned, because it reports no chip id.
    """
    actual = found.kind if found.built_for in (None, found.kind) else found.built_for
    if kind is not None and actual != kind:
        return _refuse(Reason.WRONG_BOARD, f"{actual}, wanted {kind}")
    if found.product is not None and found.product != product:
        return _refuse(Reason.WRONG_PRODUCT, f"{found.product}, wanted {product}")
    if None not in (progress.chip, found.chip) and progress.chip != found.chip:
        return _refuse(
            Reason.DUPLICATE, f"chip {found.chip} came after {progress.chip}"
        )
    if progress.answered:
        return _decide_answered(progress, found, repair)
    if found.claimed is not None:
        return _refuse(Reason.ENROLLED, f"it has credentials as {found.claimed}")
    if found.key_hash is not None and not replace_keys:
        return _refuse(Reason.OTHER_KEY, f"sha256 {found.key_hash[:12]}")
    return Decision(Todo.ASK)


def _decide_answered(
    progress: UnitProgress, found: BoardFacts, repair: bool
) -> Decision:
    """Decide for a unit whose key is in the journal: the source is not asked again."""
    if found.key_hash == progress.key_hash:
        return Decision(Todo.NOTHING if progress.done else Todo.TEST)
    if found.key_hash is not None and progress.burned:
        return _refuse(Reason.OTHER_KEY, "its key was replaced after it was burned")
    if progress.burned and not repair and found.chip is None:
        text = "this number was burned before, and this board has no key: see --repair"
        return _refuse(Reason.DUPLICATE, text)
    return Decision(Todo.BURN)


def _refuse(reason: Reason, text: str) -> Decision:
    return Decision(Todo.REFUSE, reason, text)


@dataclass(frozen=True)
class StepDetails:
    """The members of a journal's event that change a unit's progress."""

    at: str | None = None
    note: str | None = None
    reason: str | None = None
    key_hash: str | None = None
    chip: str | None = None


def advance(progress: UnitProgress, step: Step, details: StepDetails) -> UnitProgress:
    """Return the progress after one more event."""
    progress = replace(progress, at=details.at)
    match step:
        case Step.SEEN:
            return replace(progress, attempts=progress.attempts + 1)
        case Step.ASKING:
            return replace(progress, unsure=True)
        case Step.ANSWERED:
            return replace(
                progress, unsure=False, answered=True, key_hash=details.key_hash
            )
        case Step.BURNED:
            return replace(progress, burned=True, chip=details.chip or progress.chip)
        case Step.TESTED:
            return replace(progress, tested=True)
        case Step.LABELLED:
            return replace(progress, labelled=True)
        case Step.DONE:
            done_at = progress.done_at or details.at
            return replace(progress, done=True, reason=None, note=None, done_at=done_at)
        case Step.FAILED | Step.REFUSED if not progress.done:
            return _advance_failed(progress, details)
        case _:
            return progress


def _advance_failed(progress: UnitProgress, details: StepDetails) -> UnitProgress:
    is_certain = details.reason in (Reason.SOURCE_DOWN, Reason.SOURCE_REFUSED)
    return replace(
        progress,
        unsure=progress.unsure and not is_certain,
        reason=details.reason,
        note=details.note,
        failures=progress.failures + 1,
    )


def parse_unit(text: str) -> str:
    """Return an IMEI as 15 digits, or a MAC as 12 lower-case hex digits.

    Raises PointctlError, which quotes the text: it is not a secret.
    """
    word = text.strip()
    if _MAC.fullmatch(word.lower()):
        return re.sub("[:-]", "", word.lower())
    try:
        imeis.check(word)
    except PointError as error:
        raise PointctlError(
            f"{word!r} is neither an IMEI ({error.detail}) nor a MAC"
        ) from error
    return word


def number_type(unit: str) -> str:
    """Return the type of a unit's number: imei or mac."""
    return "imei" if len(unit) == 15 else "mac"


def key_hash(key: str) -> str:
    """Return SHA-256 in hex, which stands for the key in journal and certificates.

    Boards compute the same hash of the key that they hold.
    """
    return hashlib.sha256(bytes.fromhex(key)).hexdigest()
