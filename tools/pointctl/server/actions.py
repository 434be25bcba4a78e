"""What can be done to one device: the API and the console offer the same."""

from collections.abc import Callable
from dataclasses import dataclass

from pointctl.registry import lifecycle
from pointctl.registry.models import Role, State
from pointctl.server.roles import Registry

_Run = Callable[[Registry, str, str, str], None]  # imei, product key, who


@dataclass(frozen=True)
class Action:
    """One of them: who may do it, to devices in which states, and what it means."""

    name: str
    run: _Run
    states: frozenset[State]  # in which it is offered; the registry decides
    label: str
    meaning: str
    role: Role = Role.OPERATOR
    harsh: bool = False  # the device loses something by it
    policies: frozenset[str] | None = None


def _revoke(registry: Registry, imei: str, product_key: str, who: str) -> None:
    accounts = registry.broker_accounts
    lifecycle.revoke(registry.database, imei, product_key, who, accounts)


def _restore(registry: Registry, imei: str, product_key: str, who: str) -> None:
    lifecycle.restore(registry.database, imei, product_key, who)


def _reopen(registry: Registry, imei: str, product_key: str, who: str) -> None:
    lifecycle.reopen(registry.database, imei, product_key, who)


def _release(registry: Registry, imei: str, product_key: str, who: str) -> None:
    lifecycle.release(registry.database, imei, product_key, who)


_LIVE = frozenset({State.REGISTERED, State.ISSUED, State.CONFIRMED})

ACTIONS = (
    Action(
        "release",
        _release,
        frozenset({State.QUARANTINED}),
        "Release",
        "End the quarantine: its claims are answered again.",
    ),
    Action(
        "reopen",
        _reopen,
        _LIVE | {State.QUARANTINED},
        "Reopen",
        "Allow one claim without proof within seven days, as after a repair.",
        policies=frozenset({"product-secret"}),
    ),
    Action(
        "restore",
        _restore,
        frozenset({State.REVOKED}),
        "Restore",
        "Answer its next claim again, with a new secret.",
    ),
    Action(
        "revoke",
        _revoke,
        _LIVE | {State.QUARANTINED, State.LOCKED},
        "Revoke",
        "Give it nothing more, and let it in at the broker no more.",
        harsh=True,
    ),
)
BY_NAME = {action.name: action for action in ACTIONS}
