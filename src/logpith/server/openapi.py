"""The description of the HTTP door for programs, made from the table of doors and from the tools' own schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from logpith.component import json_schema
from logpith.tools import Tool

if TYPE_CHECKING:
    from logpith.server.http import Door

_PLACES = re.compile(r"\{(\w+)\}")

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {name: {"type": "string"} for name in ("code", "message", "hint")},
        }
    },
}

_ANSWER = {
    "type": "object",
    "required": ["summary", "coverage"],
    "properties": {
        "summary": {"type": "string"},
        "items": {"type": "array", "items": {"type": "object"}},
        "evidence": {"type": "array", "items": {"type": "object"}},
        "coverage": {"type": "object"},
        "omitted": {"type": "object"},
        "cursor": {"type": "string"},
        "next": {"type": "array", "items": {"type": "string"}},
    },
}


def openapi(doors: Sequence[Door], offered: Mapping[str, type[Tool]], version: str) -> dict[str, Any]:
    """OpenAPI 3.1 of all routes that answer; WebSocket is not among them, since it knows none."""
    paths: dict[str, dict[str, Any]] = {}
    for door in doors:
        for method in door.methods:
            paths.setdefault(door.path, {})[method.lower()] = _operation(door, method)
    for tool in offered.values():
        paths[f"/tools/{tool.name}"] = {"post": _tool_operation(tool)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "logpith", "version": version},
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR, "Answer": _ANSWER},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(door: Door, method: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": door.does,
        "responses": {
            "200": {"description": "What was asked for."},
            "default": _response("What went wrong.", "Error"),
        },
    }
    if door.role is None:
        operation["security"] = []
    else:
        operation["description"] = f"Needs the role `{door.role}`."
    places = _PLACES.findall(door.path)
    if places:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in places
        ]
    if door.takes and method == "POST":
        operation["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": dict(schema)} for kind, schema in door.takes.items()},
        }
    return operation


def _tool_operation(tool: type[Tool]) -> dict[str, Any]:
    return {
        "summary": " ".join((tool.__doc__ or "").split()),
        "operationId": tool.name,
        "requestBody": {"content": {"application/json": {"schema": json_schema(tool)}}},
        "responses": {
            "200": _response("The answer.", "Answer"),
            "default": _response("What went wrong.", "Error"),
        },
    }


def _response(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}
