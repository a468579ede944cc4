"""Extism: a plugin for each component, from code that was compiled before."""

from __future__ import annotations

from time import perf_counter

import extism
from serving import serve

# (module (func (export "f") (result i32) (i32.const 0))), with a memory like the guest's
_MODULE = bytes.fromhex(
    "0061736d010000000105016000017f030201000503010001070501016600000a0601040041000b"
)


def spawn(count: int) -> float:
    """Make plugins of a module that is compiled, by Extism's C interface.

    Its package for Python compiles for each plugin, though its library need not.
    """
    library, null = extism.extism._lib, extism.extism._ffi.NULL  # noqa: SLF001  # see above
    compiled = library.extism_compiled_plugin_new(
        _MODULE, len(_MODULE), null, 0, 0, null
    )
    if compiled == null:
        raise ValueError("the module was not compiled")
    kept = []
    began = perf_counter()
    for _ in range(count):
        kept.append(library.extism_plugin_new_from_compiled(compiled, null))  # noqa: PERF401  # as the others do it
    took = perf_counter() - began
    if null in kept:
        raise ValueError("a plugin was not made")
    for plugin in kept:
        library.extism_plugin_free(plugin)
    library.extism_compiled_plugin_free(compiled)
    return took


if __name__ == "__main__":
    serve("extism-sys", {"spawn-component": spawn})
