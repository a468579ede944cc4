"""What compiles components, on either lane; for tests that note it or hold it up."""

from airssys.wasm.lane.core import _parts
from airssys.wasm.loading import _any_instance, _component_loader, _inspection

_COMPILERS = (
    (_any_instance, "compile_binary"),
    (_component_loader, "compile_binary"),
    (_inspection, "compile_binary"),
    (_parts, "compile_parts"),
)


def wrap_compilers(monkeypatch, wrap):
    """Put what `wrap` makes of each compiler in its place."""
    for module, name in _COMPILERS:
        monkeypatch.setattr(module, name, wrap(getattr(module, name)))
