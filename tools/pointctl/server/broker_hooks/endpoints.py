"""What a broker asks before it lets a device connect or use a topic.

Two forms of the same answers: EMQX 5's HTTP authenticator and authorizer, and
RabbitMQ's rabbitmq_auth_backend_http with its MQTT plugin. The broker shows a token:
EMQX in a header; RabbitMQ cannot send a header and has it in the path. Whatever is
wrong with a question or with the server, the answer is deny: without a proper answer
EMQX's authorizer allows by default.
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, ValidationError

from point import protocol
from point.imei import masked
from pointctl.registry.issuing import mqtt_login
from pointctl.registry.issuing.mqtt_login import BrokerDevice
from pointctl.registry.storage.database import Database
from pointctl.server import metrics
from pointctl.web.body import read_body

_log = structlog.get_logger()

_EXCHANGE = "amq.topic"  # where RabbitMQ's MQTT plugin publishes and binds
_QUEUE = re.compile(r"mqtt-subscription-(.+)qos[01]|mqtt-will-(.+)", re.DOTALL)
_TOPIC_MAX = 200  # of a topic in the log


class EmqxConnect(BaseModel):
    """A CONNECT, as EMQX's authenticator asks about it."""

    model_config = ConfigDict(strict=True)

    clientid: str
    username: str
    password: str


class EmqxTopic(BaseModel):
    """A PUBLISH or SUBSCRIBE, as EMQX's authorizer asks about it."""

    model_config = ConfigDict(strict=True)

    username: str
    action: Literal["publish", "subscribe"]
    topic: str


class EmqxAnswer(BaseModel):
    """The decision. There are no superusers, and `ignore` is never said."""

    result: Literal["allow", "deny"]
    is_superuser: Literal[False] = False


@dataclass(frozen=True)
class _Decision:
    """An answer, and what the log says of it."""

    allowed: bool
    device: BrokerDevice | None = field(default=None, repr=False)
    reason: str | None = None


def router(database: Database, token: str) -> APIRouter:
    """The endpoints for a broker that has `token`."""
    made = APIRouter(tags=["MQTT broker"])

    @made.post(
        "/mqtt/auth",
        summary="EMQX: may this client connect?",
        dependencies=[Depends(_bearer(token))],
        openapi_extra=_json_body(EmqxConnect),
    )
    async def emqx_connect(request: Request) -> EmqxAnswer:
        body = await read_body(request, protocol.MAX_BODY)
        return _emqx(await _decide("connect", _emqx_connect, database, body))

    @made.post(
        "/mqtt/acl",
        summary="EMQX: may this client use this topic?",
        dependencies=[Depends(_bearer(token))],
        openapi_extra=_json_body(EmqxTopic),
    )
    async def emqx_topic(request: Request) -> EmqxAnswer:
        body = await read_body(request, protocol.MAX_BODY)
        return _emqx(await _decide("topic", _emqx_topic, database, body))

    async def rabbitmq(
        given: str,
        question: Literal["user", "vhost", "resource", "topic"],
        request: Request,
    ) -> PlainTextResponse:
        _check(given, token)
        form = await read_body(request, protocol.MAX_BODY) or request.url.query.encode()
        event = "connect" if question == "user" else question
        allowed = await _decide(event, _RABBITMQ[question], database, form)
        return PlainTextResponse("allow" if allowed else "deny")

    for method in ("GET", "POST"):
        made.add_api_route(
            "/mqtt/rabbitmq/{given}/{question}",
            rabbitmq,
            methods=[method],
            response_class=PlainTextResponse,
            summary="RabbitMQ: may this user do this? Parameters as its plugin's",
        )
    return made


def _bearer(token: str) -> Callable[..., None]:
    """A dependency that demands `Authorization: Bearer` and this token."""

    def check(
        given: Annotated[
            HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))
        ],
    ) -> None:
        _check(given.credentials if given else "", token)

    return check


def _check(given: str, token: str) -> None:
    if not hmac.compare_digest(given.encode(), token.encode()):
        _log.warning("mqtt hook", allowed=False, reason="token")
        raise HTTPException(401)


def _json_body(model: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI of a body that FastAPI does not read: its errors would quote it."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


async def _decide(
    event: str,
    work: Callable[[Database, bytes], _Decision],
    database: Database,
    question: bytes,
) -> bool:
    """Decide in a thread, log the decision, and return whether it is allowed."""
    started = perf_counter()
    try:
        decision = await run_in_threadpool(work, database, question)
    except (ValidationError, ValueError):  # their texts would quote the password
        decision = _Decision(False, reason="malformed")
    except Exception as error:
        _log.error("mqtt hook failed", exc_info=error)
        decision = _Decision(False, reason="failed")
    metrics.count_decision(event, decision.allowed)
    if event == "connect" or not decision.allowed:  # there are many topics
        device = decision.device
        _log.info(
            f"mqtt {event}",
            allowed=decision.allowed,
            product_key=device and device.product_key,
            device=device and device.id,
            reason=decision.reason,
            ms=round((perf_counter() - started) * 1000, 1),
        )
    return decision.allowed


def _emqx(allowed: bool) -> EmqxAnswer:
    return EmqxAnswer(result="allow" if allowed else "deny")


def _emqx_connect(database: Database, body: bytes) -> _Decision:
    asked = EmqxConnect.model_validate_json(body)
    return _connect(database, asked.clientid, asked.username, asked.password)


def _emqx_topic(database: Database, body: bytes) -> _Decision:
    asked = EmqxTopic.model_validate_json(body)
    device = mqtt_login.find(database, asked.username)
    return _topic(device, asked.action == "publish", asked.topic)


def _connect(
    database: Database, client_id: str, username: str, password: str
) -> _Decision:
    login = mqtt_login.judge(
        database, client_id, username, password, own_client_id=True
    )
    return _Decision(login.device is not None, login.device, login.reason)


def _topic(device: BrokerDevice | None, publishes: bool, topic: str) -> _Decision:
    if device is None:
        return _Decision(False, reason="unknown")
    topics = mqtt_login.topics(device)
    allowed = topics.may_publish if publishes else topics.may_subscribe
    if allowed(topic):
        return _Decision(True, device)
    masked_topic = re.sub(r"\d{15}", lambda imei: masked(imei[0]), topic)
    return _Decision(False, device, masked_topic[:_TOPIC_MAX])


def _form(data: bytes) -> dict[str, str]:
    """The parameters of a form. Raises ValueError where it might not be whole."""
    if len(data) > protocol.MAX_BODY:
        raise ValueError("too long")
    pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, max_num_fields=50)
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a parameter twice")
    return dict(pairs)


def _rabbitmq_user(database: Database, data: bytes) -> _Decision:
    form = _form(data)
    username = form.get("username", "")
    if "." in username:
        # RabbitMQ takes a dot and a slash in a topic for the same: a device with the
        # name a would own the topics of a device with the name a.b.
        return _Decision(False, reason="a name with a dot")
    client_id, password = form.get("client_id", ""), form.get("password", "")
    return _connect(database, client_id, username, password)


def _rabbitmq_device(database: Database, form: dict[str, str]) -> BrokerDevice | None:
    username = form.get("username", "")
    return None if "." in username else mqtt_login.find(database, username)


def _rabbitmq_vhost(database: Database, data: bytes) -> _Decision:
    """A device may use every vhost: resource and topic are asked in each."""
    device = _rabbitmq_device(database, _form(data))
    return _Decision(device is not None, device, None if device else "unknown")


def _rabbitmq_resource(database: Database, data: bytes) -> _Decision:
    """A device may use the exchange of all topics, and its own sessions' queues."""
    form = _form(data)
    device = _rabbitmq_device(database, form)
    if device is None:
        return _Decision(False, reason="unknown")
    kind, name = form.get("resource"), form.get("name", "")
    allowed = False
    if kind == "exchange":
        uses = form.get("permission") in ("read", "write")
        allowed = name == _EXCHANGE and uses
    elif kind == "queue" and (queue := _QUEUE.fullmatch(name)):
        allowed = mqtt_login.owns_client_id(device, queue[1] or queue[2])
    return _Decision(allowed, device, None if allowed else "resource of another")


def _rabbitmq_topic(database: Database, data: bytes) -> _Decision:
    form = _form(data)
    device = _rabbitmq_device(database, form)
    if form.get("name") != _EXCHANGE or form.get("permission") not in ("read", "write"):
        return _Decision(False, device, "resource of another")
    key = form.get("routing_key", "")
    topic = key.replace(".", "/").replace("*", "+")
    return _topic(device, form["permission"] == "write", topic)


_RABBITMQ: dict[str, Callable[[Database, bytes], _Decision]] = {
    "user": _rabbitmq_user,
    "vhost": _rabbitmq_vhost,
    "resource": _rabbitmq_resource,
    "topic": _rabbitmq_topic,
}
