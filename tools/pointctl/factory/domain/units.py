"""What a unit is, how far it has come, and what has to be done to it next.

Pure: the journal's events come in, a decision goes out. Nothing else decides.
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
    """What the journal says has happened."""

    SEEN = "seen"  # a board told who it is
    ASKING = "asking"  # the source is about to be asked
    ANSWERED = "answered"  # its key is in the journal
    BURNING = "burning"
    BURNED = "burned"  # and read back
    TESTED = "tested"
    LABELLED = "labelled"
    DONE = "done"
    ALREADY = "already"  # it came again, and all was well
    FAILED = "failed"  # it may be tried again
    REFUSED = "refused"  # by a rule: trying again changes nothing
    SENT = "sent"  # a list, to the source
    FETCHED = "fetched"  # what came of it
    STARTED = "started"  # the station
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
    Reason.UNPLUGGED: "plug it in again, it goes on where it was",
    Reason.NO_FIRMWARE: "pointctl boards deploy, then plug it in again",
    Reason.BAD_IDENTITY: "set the board aside: its modem has no right IMEI",
    Reason.WRONG_BOARD: "set it aside: it is another kind of board",
    Reason.WRONG_PRODUCT: "set it aside: it was made for another product",
    Reason.DUPLICATE: "set both boards aside: two have one IMEI",
    Reason.OTHER_KEY: "set it aside: another line has given it a key",
    Reason.ENROLLED: "set it aside: it is in use already",
    Reason.SOURCE_DOWN: "leave it plugged in: the station asks again by itself",
    Reason.SOURCE_REFUSED: "call the line's manager; the text says why",
    Reason.UNSURE: "call the line's manager: look at the stock, then --ask-again",
    Reason.NOT_BURNED: "plug it in again; twice the same: set it aside, flash is bad",
    Reason.SELF_TEST: "check antenna and SIM, plug it in again",
    Reason.LABEL: "check the printer, plug it in again",
    Reason.COMPLETE: "set it aside: the plan has no place for it",
    Reason.STATION: "call the line's manager; the text says why",
}


class Todo(StrEnum):
    """What decide() says."""

    ASK = "ask"
    BURN = "burn"  # the key that the journal has
    TEST = "test"  # burned: what comes after that
    NOTHING = "nothing"  # done, and the board agrees
    REFUSE = "refuse"


@dataclass(frozen=True)
class UnitProgress:
    """How far a unit has come, by its events."""

    unit: str
    unsure: bool = False  # it was asked for, and nobody knows what came of it
    answered: bool = False
    key_hash: str | None = None
    burned: bool = False
    tested: bool = False
    labelled: bool = False
    done: bool = False
    chip: str | None = None  # the unique id of the board that was burned
    attempts: int = 0  # how often a board with this name came
    failures: int = 0
    reason: str | None = None  # why it is not done
    note: str | None = None
    at: str | None = None  # of its last event
    done_at: str | None = None


@dataclass(frozen=True)
class Found:
    """What a board says of itself; no secret."""

    unit: str
    kind: str
    product: str | None  # of its settings; None: it has none
    built_for: str | None = None  # the kind of board its files were deployed for
    chip: str | None = None
    key_hash: str | None = None  # of the key it holds, whole
    claimed: str | None = None  # the device name in its credentials


@dataclass(frozen=True)
class Verdict:
    """What to do, and if it is to refuse, why."""

    todo: Todo
    reason: Reason | None = None
    text: str = ""


def decide(
    standing: UnitProgress,
    found: Found,
    *,
    product: str,
    kind: str | None,
    replace_keys: bool = False,
    repair: bool = False,
) -> Verdict:
    """What is to be done to a board, by the rules that docs/factory.md states.

    `repair` is a person's word that a board which has lost its key is the one that had
    it, where no chip id says so.
    """
    other = found.built_for if found.built_for not in (None, found.kind) else found.kind
    if kind is not None and other != kind:
        return _refuse(Reason.WRONG_BOARD, f"{other}, wanted {kind}")
    if found.product is not None and found.product != product:
        return _refuse(Reason.WRONG_PRODUCT, f"{found.product}, wanted {product}")
    if None not in (standing.chip, found.chip) and standing.chip != found.chip:
        return _refuse(
            Reason.DUPLICATE, f"chip {found.chip} came after {standing.chip}"
        )
    if standing.answered:
        return _with_answer(standing, found, repair)
    if found.claimed is not None:
        return _refuse(Reason.ENROLLED, f"it has credentials as {found.claimed}")
    if found.key_hash is not None and not replace_keys:
        return _refuse(Reason.OTHER_KEY, f"sha256 {found.key_hash[:12]}")
    return Verdict(Todo.ASK)


def _with_answer(standing: UnitProgress, found: Found, repair: bool) -> Verdict:
    """The journal has its key: nothing is ever asked again."""
    if found.key_hash == standing.key_hash:
        done = standing.done
        return Verdict(Todo.NOTHING if done else Todo.TEST)
    if found.key_hash is not None and standing.burned:
        return _refuse(Reason.OTHER_KEY, "it had ours, and was given another since")
    if standing.burned and not repair and found.chip is None:
        text = "it was burned before, and this board has no key: see --repair"
        return _refuse(Reason.DUPLICATE, text)
    return Verdict(Todo.BURN)


def _refuse(reason: Reason, text: str) -> Verdict:
    return Verdict(Todo.REFUSE, reason, text)


def after(
    standing: UnitProgress, step: str, event: dict[str, str | None]
) -> UnitProgress:
    """The standing once one more event is in the journal.

    `event` has the members at, note, reason, key_hash and chip, None where not given.
    """
    changed: dict[str, object] = {"at": event.get("at")}
    if step == Step.SEEN:
        changed["attempts"] = standing.attempts + 1
    elif step == Step.ASKING:
        changed["unsure"] = True
    elif step == Step.ANSWERED:
        changed |= {
            "unsure": False,
            "answered": True,
            "key_hash": event.get("key_hash"),
        }
    elif step == Step.BURNED:
        changed |= {"burned": True, "chip": event.get("chip") or standing.chip}
    elif step == Step.TESTED:
        changed["tested"] = True
    elif step == Step.LABELLED:
        changed["labelled"] = True
    elif step == Step.DONE:
        changed |= {"done": True, "reason": None, "note": None}
        changed["done_at"] = standing.done_at or event.get("at")
    elif step in (Step.FAILED, Step.REFUSED) and not standing.done:
        if event.get("reason") in (Reason.SOURCE_DOWN, Reason.SOURCE_REFUSED):
            changed["unsure"] = False
        changed |= {"reason": event.get("reason"), "note": event.get("note")}
        changed["failures"] = standing.failures + 1
    return replace(standing, **changed)  # type: ignore[arg-type]


def checked_unit(text: str) -> str:
    """An IMEI as 15 digits, or a MAC as 12 lower-case hex digits.

    Raises PointctlError, which quotes it: it is no secret.
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


def named(unit: str) -> str:
    """What a unit's number is: imei or mac."""
    return "imei" if len(unit) == 15 else "mac"


def key_hash(key: str) -> str:
    """What the journal and a certificate say of a key instead of it: SHA-256, hex.

    Boards compute the same of what they hold.
    """
    return hashlib.sha256(bytes.fromhex(key)).hexdigest()
