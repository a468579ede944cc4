"""The part of wasmtime's C API for core WebAssembly, each function with plain integers.

As in `airssys.wasm._c_api`: no rule of its own is here. Functions that may run long, or
run a guest, give the interpreter lock away; those that only set or read a field keep it.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    PYFUNCTYPE,
    c_bool,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Final

from wasmtime import _bindings, _ffi

_P, _N = c_void_p, c_size_t

PROTOTYPES: Final[dict[str, tuple[Any, ...]]] = {
    "wasm_byte_vec_delete": (None, _P),
    "wasm_trap_delete": (None, _P),
    "wasm_trap_message": (None, _P, _P),
    "wasmtime_call_future_delete": (None, _P),
    "wasmtime_call_future_poll": (c_bool, _P),
    "wasmtime_caller_context": (_P, _P),
    "wasmtime_context_set_epoch_deadline": (None, _P, c_uint64),
    "wasmtime_context_set_fuel": (_P, _P, c_uint64),
    "wasmtime_error_delete": (None, _P),
    "wasmtime_error_message": (None, _P, _P),
    "wasmtime_error_new": (_P, _P),
    "wasmtime_func_call_async": (_P, _P, _P, _P, _N, _P, _N, _P, _P),
    "wasmtime_global_get": (None, _P, _P, _P),
    "wasmtime_global_set": (_P, _P, _P, _P),
    "wasmtime_instance_export_get": (c_bool, _P, _P, _P, _N, _P),
    "wasmtime_instance_new": (_P, _P, _P, _P, _N, _P, _P),
    "wasmtime_instance_pre_delete": (None, _P),
    "wasmtime_instance_pre_instantiate": (_P, _P, _P, _P, _P),
    "wasm_memorytype_delete": (None, _P),
    "wasmtime_linker_define": (_P, _P, _P, _P, _N, _P, _N, _P),
    "wasmtime_linker_define_func_unchecked": (_P, _P, _P, _N, _P, _N, _P, _P, _P, _P),
    "wasmtime_linker_delete": (None, _P),
    "wasmtime_linker_instantiate_pre": (_P, _P, _P, _P),
    "wasmtime_linker_new": (_P, _P),
    "wasmtime_memory_data": (_P, _P, _P),
    "wasmtime_memory_data_size": (_N, _P, _P),
    "wasmtime_memory_grow": (_P, _P, _P, c_uint64, _P),
    "wasmtime_memorytype_new": (
        *(_P, c_uint64, c_bool, c_uint64),
        *(c_bool, c_bool, c_uint8, _P),
    ),
    "wasmtime_module_delete": (None, _P),
    "wasmtime_module_new": (_P, _P, _P, _N, _P),
    "wasmtime_sharedmemory_data": (_P, _P),
    "wasmtime_sharedmemory_data_size": (_N, _P),
    "wasmtime_sharedmemory_delete": (None, _P),
    "wasmtime_sharedmemory_grow": (_P, _P, c_uint64, _P),
    "wasmtime_sharedmemory_new": (_P, _P, _P, _P),
    "wasmtime_store_context": (_P, _P),
    "wasmtime_store_delete": (None, _P),
    "wasmtime_store_epoch_deadline_callback": (None, _P, _P, _P, _P),
    "wasmtime_store_limiter": (None, _P, *(ctypes.c_int64,) * 5),
    "wasmtime_store_new": (_P, _P, _P, _P),
    "wasmtime_table_get": (c_bool, _P, _P, c_uint64, _P),
    "wasmtime_table_size": (c_uint64, _P, _P),
    "wasmtime_trap_code": (c_bool, _P, _P),
    "wasmtime_trap_new": (_P, _P, _N),
}
"""Every function by name: result type, then argument types."""


def _bind(name: str) -> Any:
    return CFUNCTYPE(*PROTOTYPES[name])((name, _ffi.dll))


def _bind_short(name: str) -> Any:
    return PYFUNCTYPE(*PROTOTYPES[name])((name, _ffi.dll))


byte_vec_delete = _bind_short("wasm_byte_vec_delete")
trap_delete = _bind_short("wasm_trap_delete")
trap_message = _bind_short("wasm_trap_message")
future_delete = _bind("wasmtime_call_future_delete")
future_delete_short = _bind_short("wasmtime_call_future_delete")
"""For a future that has finished: nothing of the guest is left in it."""
future_poll = _bind("wasmtime_call_future_poll")
caller_context = _bind_short("wasmtime_caller_context")
context_set_epoch_deadline = _bind_short("wasmtime_context_set_epoch_deadline")
context_set_fuel = _bind_short("wasmtime_context_set_fuel")
error_delete = _bind_short("wasmtime_error_delete")
error_message = _bind_short("wasmtime_error_message")
error_new = _bind_short("wasmtime_error_new")
func_call_async = _bind_short("wasmtime_func_call_async")
global_get = _bind_short("wasmtime_global_get")
global_set = _bind_short("wasmtime_global_set")
instance_export_get = _bind_short("wasmtime_instance_export_get")
instance_export_get_prepared = PYFUNCTYPE(c_bool)(
    ("wasmtime_instance_export_get", _ffi.dll)
)
"""Takes `prepared` arguments only: a call takes half as long then."""
instance_new = _bind("wasmtime_instance_new")
instance_pre_delete = _bind("wasmtime_instance_pre_delete")
instance_pre_instantiate = _bind_short("wasmtime_instance_pre_instantiate")
linker_define = _bind("wasmtime_linker_define")
linker_define_func_unchecked = _bind("wasmtime_linker_define_func_unchecked")
linker_delete = _bind("wasmtime_linker_delete")
linker_instantiate_pre = _bind("wasmtime_linker_instantiate_pre")
linker_new = _bind("wasmtime_linker_new")
memory_data = _bind_short("wasmtime_memory_data")
memory_data_size = _bind_short("wasmtime_memory_data_size")
memory_grow = _bind("wasmtime_memory_grow")
memorytype_delete = _bind_short("wasm_memorytype_delete")
memorytype_new = _bind_short("wasmtime_memorytype_new")
module_delete = _bind("wasmtime_module_delete")
module_new = _bind("wasmtime_module_new")
sharedmemory_data = _bind_short("wasmtime_sharedmemory_data")
sharedmemory_data_size = _bind_short("wasmtime_sharedmemory_data_size")
sharedmemory_delete = _bind("wasmtime_sharedmemory_delete")
sharedmemory_grow = _bind_short("wasmtime_sharedmemory_grow")
sharedmemory_new = _bind("wasmtime_sharedmemory_new")
store_context = _bind_short("wasmtime_store_context")
store_delete = _bind("wasmtime_store_delete")
store_epoch_deadline_callback = _bind_short("wasmtime_store_epoch_deadline_callback")
store_limiter = _bind_short("wasmtime_store_limiter")
store_new = _bind("wasmtime_store_new")
table_get = _bind_short("wasmtime_table_get")
table_size = _bind_short("wasmtime_table_size")
trap_code = _bind_short("wasmtime_trap_code")
trap_new = _bind_short("wasmtime_trap_new")


def prepared(address: int) -> Any:
    """Make the argument of C once for all calls that take this address, or number."""
    return c_void_p.from_param(address)


UncheckedCallback = CFUNCTYPE(_N, _P, _P, _P, _N)
"""env, caller, arguments and results, how many; returns a trap or 0."""
EpochCallback = CFUNCTYPE(_N, _P, _P, _P, _P)
"""context, data, by how many epochs to move the deadline, what to do; an error or 0."""

EXTERN_SIZE: Final = ctypes.sizeof(_bindings.wasmtime_extern_t)
EXTERN_OF: Final = _bindings.wasmtime_extern_t.of.offset
"""Where in an extern the function, memory, table or global is."""
SHARED_MEMORY: Final = int(_ffi.WASMTIME_EXTERN_SHAREDMEMORY.value)
"""The kind of an extern that is a shared memory."""
GLOBAL: Final = int(_ffi.WASMTIME_EXTERN_GLOBAL.value)
"""The kind of an extern that is a global variable."""
GLOBALS_ARE_NUMBERS: Final = [
    field[1] for field in _bindings.wasmtime_global._fields_
] == [c_uint64, *[c_uint32] * 3]
"""Whether a global variable is its store, and numbers: in 32 bits no address has room."""
INSTANCE_SIZE: Final = ctypes.sizeof(_bindings.wasmtime_instance_t)
VAL_SIZE: Final = ctypes.sizeof(_bindings.wasmtime_val_t)
VAL_OF: Final = _bindings.wasmtime_val_t.of.offset
RAW_SIZE: Final = ctypes.sizeof(_bindings.wasmtime_val_raw_t)
"""A value as callbacks have it: without its kind."""
YIELD: Final = 1
"""What an epoch callback answers for the guest to give way."""
