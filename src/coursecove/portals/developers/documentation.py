"""The OpenAPI document as a page a person reads: no script, no CDN, the same look as the rest."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide

from coursecove.portals.pages import page_context, render
from coursecove.tenants.guards import maybe_member
from coursecove.tenants.models import Member


class Property(msgspec.Struct, frozen=True):
    """A field of a body or an answer, or a parameter."""

    name: str
    kind: str
    required: bool
    text: str


class Operation(msgspec.Struct, frozen=True):
    """One method of one address."""

    anchor: str
    method: str
    path: str
    summary: str
    text: str
    parameters: list[Property]
    body: list[Property]
    answers: list[tuple[str, str, str]]


def read_document(document: dict[str, Any]) -> list[tuple[str, str, list[Operation]]]:
    """Return (tag, description, operations) in the order of the document's tags."""
    schemas: dict[str, Any] = document.get("components", {}).get("schemas", {})
    by_tag: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method not in ("get", "post", "put", "patch", "delete"):
                continue
            content = operation.get("requestBody", {}).get("content", {})
            body = next(iter(content.values()), {}).get("schema", {})
            by_tag.setdefault((operation.get("tags") or ["Other"])[0], []).append(
                Operation(
                    anchor=operation["operationId"],
                    method=method.upper(),
                    path=path,
                    summary=operation.get("summary", ""),
                    text=_plain(operation.get("description", "")),
                    parameters=[_parameter(p, schemas) for p in operation.get("parameters", [])],
                    body=_properties(body, schemas),
                    answers=[
                        (code, answer.get("description", ""), _answer_kind(answer))
                        for code, answer in sorted(operation.get("responses", {}).items())
                    ],
                )
            )
    described = {tag["name"]: tag.get("description", "") for tag in document.get("tags", [])}
    order = [*described, *sorted(set(by_tag) - set(described))]
    return [(tag, described.get(tag, ""), by_tag[tag]) for tag in order if tag in by_tag]


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r":\w+:`~?([^`]*)`|``([^`]*)``", r"\1\2", text)).strip()


def _name_of(reference: str) -> str:
    return reference.rpartition("/")[2]


def _kind(schema: dict[str, Any]) -> str:
    """Return a type in a few words: "text", "whole number", "list of uuid"."""
    if "$ref" in schema:
        return _short(_name_of(schema["$ref"]))
    for union in ("oneOf", "anyOf"):
        if union in schema:
            kinds = [_kind(option) for option in schema[union]]
            return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return " | ".join(f"“{value}”" for value in schema["enum"])
    if "const" in schema:
        return f"“{schema['const']}”"
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(_kind({**schema, "type": single}) for single in kind)
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    words = {"integer": "whole number", "string": "text", "boolean": "true or false", "null": "null"}
    text = schema.get("format") or words.get(kind, kind)
    bounds = [
        f"{words} {schema[name]}"
        for name, words in (
            ("minimum", "at least"),
            ("maximum", "at most"),
            ("maxLength", "at most"),
        )
        if name in schema
    ]
    return text + (f" ({', '.join(bounds)})" if bounds else "")


def _short(name: str) -> str:
    return name.rpartition("_")[2] if "coursecove" in name else name


def _parameter(parameter: dict[str, Any], schemas: dict[str, Any]) -> Property:
    del schemas
    place = {"path": "in the path", "query": "in the query", "header": "header"}.get(parameter["in"], "")
    text = _plain(parameter.get("description", ""))
    return Property(
        parameter["name"],
        _kind(parameter.get("schema", {})),
        bool(parameter.get("required")),
        text or place,
    )


def _properties(schema: dict[str, Any], schemas: dict[str, Any]) -> list[Property]:
    if "$ref" in schema:
        schema = schemas.get(_name_of(schema["$ref"]), {})
    required = set(schema.get("required", []))
    return [
        Property(name, _kind(inner), name in required, _plain(inner.get("description", "")))
        for name, inner in schema.get("properties", {}).items()
    ]


def _answer_kind(answer: dict[str, Any]) -> str:
    for content in answer.get("content", {}).values():
        return _kind(content.get("schema", {}))
    return ""


@get("/api/v1/docs", include_in_schema=False, dependencies={"viewer": Provide(maybe_member)})
async def documentation(request: Request[Any, Any, Any], viewer: NamedDependency[Member | None]) -> Response[Any]:
    """Show every operation with its parameters, body and answers."""
    del viewer  # read for the layout, which shows who is signed in
    document = request.app.openapi_schema.to_schema()
    page = page_context(request, "API", description="The CourseCove API for programs.")
    return render(
        request,
        "developers/documentation.html",
        page,
        sections=read_document(document),
        origin=request.scope["state"]["origin"],
        about=document["info"]["description"],
    )
