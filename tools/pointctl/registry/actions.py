"""The actions on one device. The API, the console and the commands use this list."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Unpack

from pointctl.registry.broker_accounts import BrokerAccounts
from pointctl.registry.devices.search import DeviceDetails
from pointctl.registry.issuing import lifecycle
from pointctl.registry.issuing.lifecycle import Why
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Policy, Role, Source, State

_LIVE = frozenset({State.REGISTERED, State.ISSUED, State.CONFIRMED})
_STOPPED = frozenset({State.QUARANTINED, State.LOCKED})


@dataclass(frozen=True)
class Action:
    """One action: its meaning, for which devices it is offered, and who may do it."""

    name: str
    do: Callable[..., None] = field(repr=False)  # a function of issuing/lifecycle.py
    states: frozenset[State]  # in which it is offered; lifecycle.py decides
    meaning: str
    done: str  # the message afterwards; the IMEI follows it
    role: Role = Role.OPERATOR
    is_destructive: bool = False  # the device loses a right, and a person confirms it
    updates_broker: bool = False  # it removes the device's account at the broker
    policy: Policy | None = None  # for devices of such products only
    source: Source | None = None

    @property
    def label(self) -> str:
        """The text of the action's button."""
        return self.name.capitalize()

    def run(
        self,
        database: Database,
        broker_accounts: BrokerAccounts | None,
        imei: str,
        product_key: str | None,
        who: str,
        **why: Unpack[Why],
    ) -> None:
        """Do it. Raises what the function of issuing/lifecycle.py raises."""
        names = imei, product_key, who
        if self.updates_broker:
            self.do(database, *names, broker_accounts, **why)
        else:
            self.do(database, *names, **why)

    def is_offered(self, device: DeviceDetails, role: Role) -> bool:
        """Whether somebody with this role is offered the action for this device."""
        return (
            State(device["state"]) in self.states
            and self.policy in (None, device["policy"])
            and self.source in (None, device["source"])
            and role.covers(self.role)
        )


ACTIONS = (
    Action(
        "release",
        lifecycle.release,
        frozenset({State.QUARANTINED}),
        "End the quarantine of a device whose IMEI two boards seemed to use.",
        "released",
    ),
    Action(
        "unlock",
        lifecycle.unlock,
        frozenset({State.LOCKED}),
        "Answer the claims of a locked device again.",
        "unlocked",
    ),
    Action(
        "restore",
        lifecycle.restore,
        frozenset({State.REVOKED}),
        "After a revocation: answer the next claim, with a new secret.",
        "restored; the next claim gets a new secret:",
    ),
    Action(
        "unretire",
        lifecycle.unretire,
        frozenset({State.RETIRED}),
        "Undo a retirement: answer the next claim, with a new secret.",
        "unretired; the next claim gets a new secret:",
        role=Role.ADMIN,
    ),
    Action(
        "rotate",
        lifecycle.rotate,
        frozenset({State.ISSUED, State.CONFIRMED}),
        "Give the next claim a new secret; the old one works until the device uses it.",
        "the next claim gets a new secret:",
        source=Source.MINT,
    ),
    Action(
        "reopen",
        lifecycle.reopen,
        _LIVE | {State.QUARANTINED},
        "Allow one claim without proof within seven days, for example after a repair.",
        "reopened for one claim within seven days:",
        policy=Policy.PRODUCT_SECRET,
    ),
    Action(
        "lock",
        lifecycle.lock,
        _LIVE,
        "Refuse the device's claims; it stays connected.",
        "locked",
        is_destructive=True,
    ),
    Action(
        "revoke",
        lifecycle.revoke,
        _LIVE | _STOPPED,
        "Refuse the device's claims and its connections to the broker.",
        "revoked",
        is_destructive=True,
        updates_broker=True,
    ),
    Action(
        "retire",
        lifecycle.retire,
        _LIVE | _STOPPED | {State.REVOKED},
        "Take the device out of use; nobody gets its identity again unless an admin "
        "undoes it.",
        "retired",
        is_destructive=True,
        updates_broker=True,
    ),
)
