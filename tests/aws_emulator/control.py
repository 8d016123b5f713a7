"""What a test may do to the emulator itself, by HTTP under /_takings/, and what a reset ends besides MiniStack's own things.

GET tasks, waits, events, calls; PUT images, events, clock, roles, refusals, jobs; POST events (gives some out); DELETE events
(loses all that are held).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict
from typing import Any, Final

from tests.aws_emulator import executions, functions, lifetime, permissions, spark_jobs, tasks
from tests.aws_emulator.containers import Docker, Image
from tests.aws_emulator.events import Held

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
PATH: Final = "/_takings/"
_RESET: Final = "/_ministack/reset"


def controlled(app: App, docker: Docker, held: Held) -> App:
    """Return MiniStack's application behind the control."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.startswith(PATH):
            body = await _body(receive)
            said = await asyncio.to_thread(_act, docker, held, scope["method"], path.removeprefix(PATH), body)
            await _send(send, 200, said)
            return
        if spark_jobs.is_asked(scope.get("headers", ())):
            body = await _body(receive)
            status, said = await asyncio.to_thread(spark_jobs.answer, scope["method"], scope["path"], body)
            await _send(send, status, said)
            return
        if path == _RESET:
            await asyncio.to_thread(_end_all, docker, held)
        lifetime.begin()
        permissions.begin(scope.get("headers", ()))
        await app(scope, receive, send)

    return answer


def _act(docker: Docker, held: Held, method: str, what: str, body: Any) -> Any:
    match method, what:
        case "GET", "tasks":
            return tasks.running(docker)
        case "GET", "waits":
            return [asdict(wait) for wait in executions.waits]
        case "GET", "events":
            return held.shown()
        case "GET", "calls":
            return permissions.calls()
        case "PUT", "roles":
            permissions.enforce(enforcing=body["enforcing"])
        case "PUT", "images":
            docker.known = {name: Image(**image) for name, image in body.items()}
        case "PUT", "events":
            held.hold(holding=body["holding"])
        case "POST", "events":
            held.release(body["order"])
        case "DELETE", "events":
            held.drop()
        case "PUT", "refusals":
            executions.refusing |= body
        case "PUT", "jobs":
            spark_jobs.applications.refusals.extend(body["refused"])
        case "PUT", "clock":
            functions.advance(body["ahead"])
        case _:
            raise LookupError(f"nobody serves {method} {what}")
    return {}


def _end_all(docker: Docker, held: Held) -> None:
    """End what a test started, before MiniStack forgets it."""
    lifetime.end()
    docker.end_all()
    docker.known = {}
    held.hold(holding=False)
    held.drop()
    executions.forget()
    spark_jobs.applications.forget()
    permissions.forget()


async def _send(send: Send, status: int, said: Any) -> None:
    kind = (b"content-type", b"application/json")
    # As AWS names an error of a service that speaks JSON by paths.
    error = said.get("__type") if isinstance(said, dict) else None
    headers = [kind, (b"x-amzn-errortype", error.encode())] if error else [kind]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


async def _body(receive: Receive) -> Any:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return json.loads(b"".join(parts) or b"null")
