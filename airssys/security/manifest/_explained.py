"""Explains a manifest to the person who is to grant what it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ._schema import (
    Capabilities,
    CustomGrant,
    HttpRequests,
    Package,
    Signature,
    Source,
    grants_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._reading import Described


def explain(described: Described) -> Iterator[str]:
    """Describe a manifest line by line; what has mistakes is left out."""
    package, source = described.tables.get("package"), described.tables.get("source")
    if isinstance(package, Package):
        about = f": {package.description}" if package.description else ""
        yield f"{package.name} {package.version}{about}"
        yield from _pair("authors", ", ".join(package.authors))
        yield from _pair("license", package.license)
    if isinstance(source, Source):
        digest = f"sha256:{source.sha256}" if source.sha256 else "whatever is there"
        yield f"  {'code':10} {source.path}, {digest}"
    signature = described.tables.get("signature")
    if isinstance(signature, Signature):
        yield f"  {'signed by':10} ed25519:{signature.key}"
    for word, value in described.options.items():
        yield from _pair(word, value)
    asked = described.tables.get("capabilities")
    lines = list(_asked(asked)) if isinstance(asked, Capabilities) else []
    if not lines:
        yield "  asks for   nothing"
        return
    yield "  asks for"
    yield from lines
    yield "  It may do of this what the topology grants; all of it with"
    yield f"    can=[{', '.join(_words(described))}]"


def _pair(name: str, value: object) -> Iterator[str]:
    if value is None or value == "":
        return
    if attrs.has(type(value)):
        value = attrs.asdict(value)  # type: ignore[arg-type]  # of such a class
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _pair(f"{name}.{key}", each)
        return
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))
    yield f"  {name:10} {getattr(value, 'value', value)}"


def _written(asked: Capabilities) -> Iterator[tuple[attrs.Attribute[Any], Any]]:
    for field in attrs.fields(Capabilities):
        value = getattr(asked, field.name)
        if value != field.default:
            yield field, value


def _asked(asked: Capabilities) -> Iterator[str]:
    for field, value in _written(asked):
        about = str(field.metadata["about"]).partition(":")[0].partition(";")[0]
        about = about.rstrip(".")
        about = f"{about[0].lower()}{about[1:]}"
        if value is True:
            yield f"    {about}"
            continue
        for grant in grants_of(field, value):
            limits = "".join(f", {name} {text}" for name, text in grant.limits)
            yield f"    {about}: {grant.resource}{limits}"


def _words(described: Described) -> Iterator[str]:
    asked = described.tables.get("capabilities")
    if not isinstance(asked, Capabilities):
        return
    for field, value in _written(asked):
        for arguments in _arguments(field.name, value):
            yield f"{field.name}({arguments})"


def _arguments(word: str, value: Any) -> Iterator[str]:  # noqa: ANN401  # of the field's type
    """Write what the word of `airssys.security` is called with."""
    if not isinstance(value, tuple):
        yield "" if value is True or value == 0 else repr(value)
    elif word == "env":
        yield ", ".join(map(repr, value))
    else:
        for each in value:
            yield _argument(word, each)


def _argument(word: str, each: str | HttpRequests | CustomGrant) -> str:
    if isinstance(each, CustomGrant):
        limits = "".join(f", {name}={text!r}" for name, text in each.limits.items())
        return f"{each.kind!r}, {each.verb!r}, {each.resource!r}{limits}"
    if isinstance(each, HttpRequests):
        methods = f", methods={list(each.methods)!r}" if each.methods else ""
        return f"{each.origin!r}{methods}"
    if word in {"connect", "bind"}:
        host, _, port = each.rpartition(":")
        return f"{host!r}, {port!r}"
    return repr(each)
