"""What can be done to one device: the API and the console offer the same."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pointctl.registry.issuing import lifecycle
from pointctl.registry.storage.models import Policy, Role, Source, State
from pointctl.server.roles import Registry

_LIVE = frozenset({State.REGISTERED, State.ISSUED, State.CONFIRMED})
_STOPPED = frozenset({State.QUARANTINED, State.LOCKED})


@dataclass(frozen=True)
class Action:
    """One of them: to devices in which states, what it means, and who may do it."""

    name: str
    do: Callable[..., None] = field(repr=False)  # of registry/issuing/lifecycle.py
    states: frozenset[State]  # in which it is offered; the registry decides
    meaning: str
    role: Role = Role.OPERATOR
    harsh: bool = False  # the device loses something by it
    tells_broker: bool = False
    policy: Policy | None = None  # for devices of such products only
    source: Source | None = None

    @property
    def label(self) -> str:
        """Its button's word."""
        return self.name.capitalize()

    def run(
        self,
        registry: Registry,
        imei: str,
        product_key: str,
        who: str,
        **why: Any,
    ) -> None:
        """Do it. Raises what the registry's function raises."""
        names = imei, product_key, who
        if self.tells_broker:
            self.do(registry.database, *names, registry.broker_accounts, **why)
        else:
            self.do(registry.database, *names, **why)

    def offered(self, device: dict[str, Any], role: Role) -> bool:
        """Whether it makes sense for what search.show() tells of a device."""
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
        "End the quarantine: its claims are answered again.",
    ),
    Action(
        "unlock",
        lifecycle.unlock,
        frozenset({State.LOCKED}),
        "Answer its claims again.",
    ),
    Action(
        "restore",
        lifecycle.restore,
        frozenset({State.REVOKED}),
        "Answer its next claim again, with a new secret.",
    ),
    Action(
        "unretire",
        lifecycle.unretire,
        frozenset({State.RETIRED}),
        "It was retired by mistake: its next claim gets a new secret.",
        role=Role.ADMIN,
    ),
    Action(
        "rotate",
        lifecycle.rotate,
        frozenset({State.ISSUED, State.CONFIRMED}),
        "Give its next claim a new secret; the old one is good until that is in use.",
        source=Source.MINT,
    ),
    Action(
        "reopen",
        lifecycle.reopen,
        _LIVE | {State.QUARANTINED},
        "Allow one claim without proof within seven days, as after a repair.",
        policy=Policy.PRODUCT_SECRET,
    ),
    Action(
        "lock",
        lifecycle.lock,
        _LIVE,
        "Stop its claims; if it is connected, it stays so.",
        harsh=True,
    ),
    Action(
        "revoke",
        lifecycle.revoke,
        _LIVE | _STOPPED,
        "Give it nothing more, and let it in at the broker no more.",
        harsh=True,
        tells_broker=True,
    ),
    Action(
        "retire",
        lifecycle.retire,
        _LIVE | _STOPPED | {State.REVOKED},
        "End its life: nobody is given its identity again. Only an admin can undo it.",
        harsh=True,
        tells_broker=True,
    ),
)
