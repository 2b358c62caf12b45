"""JSON endpoints: a function with its body and answer types, and the OpenAPI description of all of them."""

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.facts import N_, Fact, Invalid

MAX_BODY = 1_000_000  # bytes
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # as JSON writes it; PostgreSQL's text has no such character


@dataclass(frozen=True)
class Parameter:
    """A query or header parameter, for the description."""

    name: str
    doc: str
    where: str = "query"
    required: bool = False
    schema: dict[str, Any] | None = None


@dataclass(frozen=True)
class Endpoint:
    """What one endpoint promises; `call` is the plain function behind it."""

    method: str
    path: str
    summary: str
    doc: str
    body: type | None
    answer: type | None
    status: int
    facts: tuple[type[Fact], ...]
    auth: str | None
    parameters: tuple[Parameter, ...]
    media: tuple[str, ...]
    body_media: str
    call: Callable[..., Any]

    @property
    def name(self) -> str:
        return self.call.__name__

    def route(self) -> Route:
        return Route(self.path, _app(self), methods=[self.method], name=self.name)


def endpoint(
    method: str,
    path: str,
    *,
    summary: str,
    body: type | None = None,
    answer: type | None = None,
    status: int = 200,
    facts: Sequence[type[Fact]] = (),
    auth: str | None = None,
    parameters: Sequence[Parameter] = (),
    media: Sequence[str] = ("application/json",),
    body_media: str = "application/json",
) -> Callable[[Callable[..., Any]], Endpoint]:
    """Make a JSON endpoint of a function `f(request[, body])`.

    A plain function runs in a thread, an async one on the event loop. What it returns is encoded with `status`;
    a Response goes out as it is. A body that is not `body` raises Invalid naming the field. With another
    `body_media` than JSON (a form, say) `body` is for the description only: f(request) reads it itself."""

    def declare(call: Callable[..., Any]) -> Endpoint:
        return Endpoint(
            method, path, summary, inspect.getdoc(call) or "", body, answer, status, tuple(facts), auth,
            tuple(parameters), tuple(media), body_media, call,
        )  # fmt: skip

    return declare


def routes(endpoints: Sequence[Endpoint]) -> list[Route]:
    """Starlette routes for endpoints; each carries its Endpoint for the OpenAPI description."""
    made = []
    for one in endpoints:
        route = one.route()
        route.endpoint.api = one  # type: ignore[attr-defined]
        made.append(route)
    return made


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")


def decoded(raw: bytes, wanted: type) -> Any:
    """A body's JSON as `wanted`; raises Invalid naming the field and the fix."""
    if len(raw) > MAX_BODY:
        raise Invalid(body=N_("The body is too large."))
    try:
        body: Any = _decoder(wanted).decode(raw or b"null")
    except msgspec.ValidationError as error:
        sentence, _, place = str(error).partition(" - at `$")
        field = place.rstrip("`").lstrip(".") or "body"
        if "missing required field" in sentence:
            field = sentence.split("`")[1]
            sentence = N_("This field is required.")
        raise Invalid(**{field: sentence}) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the last: brackets a thousand deep
        raise Invalid(body=N_("The body must be JSON in UTF-8.")) from None
    if b"\\u0000" in raw and _NUL.search(raw):
        raise Invalid(body=N_("Text may not hold the character U+0000."))
    return body


@cache
def _decoder(wanted: type) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(wanted)


def _app(one: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    is_async = inspect.iscoroutinefunction(one.call)

    async def run(request: Request) -> Response:
        args = [request]
        if one.body is not None and one.body_media == "application/json":
            args.append(decoded(await request.body(), one.body))
        result = await one.call(*args) if is_async else await run_in_threadpool(one.call, *args)
        if isinstance(result, Response):
            return result
        if one.status == 204:
            return Response(status_code=204)
        return json_response(result, one.status)

    return run


def describe(
    title: str, version: str, mounted: dict[str, list[Route]], statuses: dict[str, int], intro: str = ""
) -> dict[str, Any]:
    """OpenAPI 3.1 of all endpoints, by the prefix they are mounted under. `statuses` gives each fact's status."""
    found = [
        (prefix, route.endpoint.api)
        for prefix, group in mounted.items()
        for route in group
        if hasattr(route.endpoint, "api")
    ]
    types = {t for _, one in found for t in (one.body, one.answer) if t is not None}
    ordered = sorted(types, key=lambda t: t.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for prefix, one in found:
        paths.setdefault(prefix + one.path, {})[one.method.lower()] = _operation(one, schema_of, statuses)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": intro},
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {
                "shopper": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`token` of POST /api/v1/sessions",
                },
                "partner": {
                    "type": "oauth2",
                    "flows": {"clientCredentials": {"tokenUrl": "/partner/v1/token", "scopes": _SCOPES}},
                },
            },
        },
    }


_SCOPES = {
    "manifests:read": "list and fetch manifests",
    "receipts:write": "acknowledge manifests",
    "scans:write": "report scans",
}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details; `code` is stable.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["title", "status", "code"],
}


def _operation(one: Endpoint, schema_of: dict[type, Any], statuses: dict[str, int]) -> dict[str, Any]:
    in_path = [part[1:-1] for part in one.path.split("/") if part.startswith("{")]
    parameters = [
        {"name": name.split(":")[0], "in": "path", "required": True, "schema": {"type": "string"}}
        for name in in_path
    ] + [
        {
            "name": p.name, "in": p.where, "required": p.required, "description": p.doc,
            "schema": p.schema or {"type": "string"},
        }
        for p in one.parameters
    ]  # fmt: skip
    answers: dict[str, Any] = {str(one.status): {"description": "Done"}}
    if one.answer is not None or one.media != ("application/json",):
        answers[str(one.status)]["content"] = {
            media: {"schema": schema_of[one.answer]} if media == "application/json" and one.answer else {}
            for media in one.media
        }
    by_status: dict[int, list[str]] = {}
    for fact in (*one.facts, *((Invalid,) if one.body else ())):
        by_status.setdefault(statuses[fact.code], []).append(fact.code)
    for status, codes in sorted(by_status.items()):
        answers[str(status)] = {
            "description": " or ".join(f"`{code}`" for code in dict.fromkeys(codes)),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    operation: dict[str, Any] = {
        "operationId": one.name, "summary": one.summary, "parameters": parameters, "responses": answers,
    }  # fmt: skip
    if one.doc:
        operation["description"] = one.doc
    if one.body is not None:
        operation["requestBody"] = {
            "required": True, "content": {one.body_media: {"schema": schema_of[one.body]}},
        }  # fmt: skip
    if one.auth:
        operation["security"] = [{one.auth: []}]
    return operation
