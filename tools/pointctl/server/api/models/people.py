"""Models of operators, their tokens, and the caller."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from pointctl.registry.accounts.operators import MAX_PASSWORD, MIN_PASSWORD
from pointctl.registry.accounts.tokens import DAYS
from pointctl.registry.storage.models import Role
from pointctl.server.api.models.common import (
    LABEL_PATTERN,
    NAME_PATTERN,
    request_config,
    response_config,
)


class Me(BaseModel):
    """The holder of the token."""

    model_config = response_config({"name": "ann/ci", "role": "viewer"})

    name: str = Field(description="operator/label, as the audit names it")
    role: Role


class OperatorRow(BaseModel):
    """An operator."""

    model_config = response_config(
        {
            "name": "ann",
            "role": "admin",
            "has_password": True,
            "created_at": "2026-11-02T08:30:00+00:00",
            "disabled_at": None,
            "seen_at": "2026-11-22T07:01:12+00:00",
        }
    )

    name: str
    role: Role
    has_password: bool = Field(description="without one it can only use tokens")
    created_at: datetime
    disabled_at: datetime | None
    seen_at: datetime | None = Field(description="when it last logged in")


# Strict, except that JSON has no enumerations: a role is a text.
_RoleText = Annotated[Role, Field(strict=False)]
_Password = Annotated[str, Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]


class NewOperator(BaseModel):
    """An operator to be added."""

    model_config = request_config({"name": "bob", "role": "viewer"})

    name: str = Field(pattern=NAME_PATTERN)
    role: _RoleText = Role.VIEWER
    password: _Password | None = Field(
        None, description="without one it can only use tokens"
    )


class OperatorChange(BaseModel):
    """Changes of an operator; its sessions end."""

    model_config = request_config({"role": "operator"})

    role: _RoleText | None = None
    disabled: bool | None = None
    password: _Password | None = None


class TokenRow(BaseModel):
    """A token, without the token itself, which is not stored."""

    model_config = response_config(
        {
            "label": "ci",
            "role": "viewer",
            "created_at": "2026-11-02T08:30:00+00:00",
            "expires_at": "2027-11-02T08:30:00+00:00",
            "revoked_at": None,
            "used_at": "2026-11-22T07:01:12+00:00",
        }
    )

    label: str
    role: Role
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None


class NewToken(BaseModel):
    """A token to be made."""

    model_config = request_config({"label": "ci", "role": "viewer", "days": 90})

    label: str = Field(pattern=LABEL_PATTERN)
    role: _RoleText = Role.VIEWER
    days: int = Field(DAYS, ge=1, le=3650)


class MadeToken(BaseModel):
    """A new token. It cannot be read again."""

    model_config = response_config(
        {"token": "pointctl_Zm9yZXhhbXBsZW9ubHlmb3JleGFtcGxlb25seWZvcg"}
    )

    token: str
