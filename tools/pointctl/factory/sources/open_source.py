"""Open the source of keys that a plan names."""

import getpass
from pathlib import Path

from pointctl.errors import PointctlError
from pointctl.factory.domain.job import Job, Plan, SourceKind
from pointctl.factory.sources.listed_keys import ListedKeys
from pointctl.factory.sources.source import KeySource
from pointctl.folder import current_folder


def open_source(job: Job, plan: Plan, *, used: int = 0) -> KeySource:
    """Open the source. `used` counts its keys in the journal: a list cannot count.

    Raises PointctlError for a plan without what the source needs, or if the credential
    is missing.
    """
    # Each is imported only when it is needed: importing HTTPS and clouds takes time.
    ca = Path(plan.ca) if plan.ca else None
    if plan.source is SourceKind.SERVER:
        if plan.url is None:
            raise PointctlError(
                "the plan has no server: name it with --url https://HOST[:PORT]"
            )
        from pointctl.factory.sources.own_server import ServerKeys

        return ServerKeys(plan.url, job.secret(), ca, plan.product, plan.batch)
    if plan.source is SourceKind.REGISTRY:
        data = Path(plan.data) if plan.data else current_folder().path
        who = f"{getpass.getuser()}/factory"
        from pointctl.factory.sources.own_server import RegistryKeys

        return RegistryKeys(data, plan.product, plan.batch, who)
    if plan.source is SourceKind.GIZWITS:
        from pointctl.factory.sources.gizwits import GizwitsKeys

        if plan.pin is None:
            raise PointctlError(
                "the plan has no customer: name the customer with --pin"
            )
        data = Path(plan.data) if plan.data else current_folder().path
        free = plan.repeats_are_free
        return GizwitsKeys(plan.pin, data, url=plan.url, ca=ca, repeats_are_free=free)
    if plan.keys is None:
        raise PointctlError(
            "the plan has no list: name a file of units and keys with --keys"
        )
    return ListedKeys(Path(plan.keys), used)
