"""The part of wasmtime's C API that is used here, each function with plain integers.

wasmtime-py declares these functions too, with ctypes pointer classes. Passing plain
addresses halves the cost of a call, and lets callbacks work without creating pointer
objects. This module has no rules of its own: `_fiber` decides which function may be
called when, and in which order.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    PYFUNCTYPE,
    c_bool,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Final

from wasmtime import _bindings, _ffi

_P, _N = c_void_p, c_size_t

PROTOTYPES: Final[dict[str, tuple[Any, ...]]] = {
    "wasm_byte_vec_delete": (None, _P),
    "wasmtime_call_future_delete": (None, _P),
    "wasmtime_call_future_poll": (c_bool, _P),
    "wasmtime_component_clone": (_P, _P),
    "wasmtime_component_delete": (None, _P),
    "wasmtime_component_export_index_delete": (None, _P),
    "wasmtime_component_func_call_async": (_P, _P, _P, _P, _N, _P, _N, _P),
    "wasmtime_component_get_export_index": (_P, _P, _P, _P, _N),
    "wasmtime_component_instance_get_func": (c_bool, _P, _P, _P, _P),
    "wasmtime_component_linker_delete": (None, _P),
    "wasmtime_component_linker_instance_add_func_async": (_P, _P, _P, _N, _P, _P, _P),
    "wasmtime_component_linker_instance_add_instance": (_P, _P, _P, _N, _P),
    "wasmtime_component_linker_instance_add_resource": (_P, _P, _P, _N, _P, _P, _P, _P),
    "wasmtime_component_linker_instance_delete": (None, _P),
    "wasmtime_component_linker_instantiate_async": (_P, _P, _P, _P, _P, _P),
    "wasmtime_component_linker_new": (_P, _P),
    "wasmtime_component_linker_root": (_P, _P),
    "wasmtime_component_resource_any_delete": (None, _P),
    "wasmtime_component_resource_any_to_host": (_P, _P, _P, _P),
    "wasmtime_component_resource_host_delete": (None, _P),
    "wasmtime_component_resource_host_new": (_P, c_bool, c_uint32, c_uint32),
    "wasmtime_component_resource_host_rep": (c_uint32, _P),
    "wasmtime_component_resource_host_to_any": (_P, _P, _P, _P),
    "wasmtime_component_resource_type_delete": (None, _P),
    "wasmtime_component_resource_type_new_host": (_P, c_uint32),
    "wasmtime_component_val_clone": (None, _P, _P),
    "wasmtime_component_val_delete": (None, _P),
    "wasmtime_config_async_stack_size_set": (None, _P, _N),
    "wasmtime_config_concurrency_support_set": (None, _P, c_bool),
    "wasmtime_config_shared_memory_set": (None, _P, c_bool),
    "wasmtime_config_signals_based_traps_set": (None, _P, c_bool),
    "wasmtime_config_wasm_component_model_async_set": (None, _P, c_bool),
    "wasmtime_context_epoch_deadline_async_yield_and_update": (None, _P, c_uint64),
    "wasmtime_context_get_fuel": (_P, _P, _P),
    "wasmtime_context_set_epoch_deadline": (None, _P, c_uint64),
    "wasmtime_context_set_fuel": (_P, _P, c_uint64),
    "wasmtime_engine_increment_epoch": (None, _P),
    "wasmtime_error_delete": (None, _P),
    "wasmtime_error_message": (None, _P, _P),
    "wasmtime_pooling_allocation_config_delete": (None, _P),
    "wasmtime_pooling_allocation_config_max_memories_per_module_set": (
        None,
        _P,
        c_uint32,
    ),
    "wasmtime_pooling_allocation_config_max_tables_per_module_set": (
        None,
        _P,
        c_uint32,
    ),
    "wasmtime_pooling_allocation_config_new": (_P,),
    "wasmtime_pooling_allocation_config_table_elements_set": (None, _P, _N),
    "wasmtime_pooling_allocation_config_total_component_instances_set": (
        None,
        _P,
        c_uint32,
    ),
    "wasmtime_pooling_allocation_config_total_core_instances_set": (None, _P, c_uint32),
    "wasmtime_pooling_allocation_config_total_memories_set": (None, _P, c_uint32),
    "wasmtime_pooling_allocation_config_total_stacks_set": (None, _P, c_uint32),
    "wasmtime_pooling_allocation_config_total_tables_set": (None, _P, c_uint32),
    "wasmtime_pooling_allocation_strategy_set": (None, _P, _P),
    "wasmtime_store_context": (_P, _P),
    "wasmtime_store_delete": (None, _P),
    "wasmtime_store_limiter": (None, _P, *(ctypes.c_int64,) * 5),
    "wasmtime_store_new": (_P, _P, _P, _P),
}
"""Every function by name: result type, then argument types."""

SYMBOLS: Final = tuple(PROTOTYPES)


def _bind(name: str) -> Any:
    return CFUNCTYPE(*PROTOTYPES[name])((name, _ffi.dll))


def _bind_short(name: str) -> Any:
    """Bind a function that only sets or reads a field.

    It keeps the interpreter lock, because releasing and acquiring it would cost more
    than the function.
    """
    return PYFUNCTYPE(*PROTOTYPES[name])((name, _ffi.dll))


byte_vec_delete = _bind("wasm_byte_vec_delete")
future_delete = _bind("wasmtime_call_future_delete")
future_delete_short = _bind_short("wasmtime_call_future_delete")
"""For a future that has finished, which holds nothing of the guest."""
future_poll = _bind("wasmtime_call_future_poll")
component_clone = _bind("wasmtime_component_clone")
component_delete = _bind("wasmtime_component_delete")
component_get_export_index = _bind("wasmtime_component_get_export_index")
export_index_delete = _bind("wasmtime_component_export_index_delete")
func_call_async = _bind("wasmtime_component_func_call_async")
func_call_async_short = _bind_short("wasmtime_component_func_call_async")
"""For small arguments."""
instance_get_func = _bind_short("wasmtime_component_instance_get_func")
linker_new = _bind("wasmtime_component_linker_new")
linker_root = _bind("wasmtime_component_linker_root")
linker_delete = _bind("wasmtime_component_linker_delete")
linker_instantiate_async = _bind("wasmtime_component_linker_instantiate_async")
linker_instance_add_instance = _bind("wasmtime_component_linker_instance_add_instance")
linker_instance_add_func_async = _bind(
    "wasmtime_component_linker_instance_add_func_async"
)
linker_instance_add_resource = _bind("wasmtime_component_linker_instance_add_resource")
linker_instance_delete = _bind("wasmtime_component_linker_instance_delete")
resource_any_delete = _bind_short("wasmtime_component_resource_any_delete")
resource_any_to_host = _bind_short("wasmtime_component_resource_any_to_host")
resource_host_delete = _bind_short("wasmtime_component_resource_host_delete")
resource_host_new = _bind_short("wasmtime_component_resource_host_new")
resource_host_rep = _bind_short("wasmtime_component_resource_host_rep")
resource_host_to_any = _bind_short("wasmtime_component_resource_host_to_any")
resource_type_delete = _bind("wasmtime_component_resource_type_delete")
resource_type_new_host = _bind("wasmtime_component_resource_type_new_host")
val_clone = _bind("wasmtime_component_val_clone")
val_delete = _bind("wasmtime_component_val_delete")
config_async_stack_size_set = _bind("wasmtime_config_async_stack_size_set")
config_concurrency_support_set = _bind("wasmtime_config_concurrency_support_set")
config_shared_memory_set = _bind("wasmtime_config_shared_memory_set")
config_signals_based_traps_set = _bind("wasmtime_config_signals_based_traps_set")
config_component_model_async_set = _bind(
    "wasmtime_config_wasm_component_model_async_set"
)
config_more_async_setters: Final = [
    CFUNCTYPE(None, _P, c_bool)((name, _ffi.dll))
    for name in (
        "wasmtime_config_wasm_component_model_more_async_builtins_set",
        "wasmtime_config_wasm_component_model_async_stackful_set",
    )
    if hasattr(_ffi.dll, name)  # not every release has them
]
context_epoch_deadline_yield = _bind(
    "wasmtime_context_epoch_deadline_async_yield_and_update"
)
pool_delete = _bind("wasmtime_pooling_allocation_config_delete")
pool_max_memories_per_module_set = _bind(
    "wasmtime_pooling_allocation_config_max_memories_per_module_set"
)
pool_max_tables_per_module_set = _bind(
    "wasmtime_pooling_allocation_config_max_tables_per_module_set"
)
pool_table_elements_set = _bind("wasmtime_pooling_allocation_config_table_elements_set")
pool_new = _bind("wasmtime_pooling_allocation_config_new")
pool_total_component_instances_set = _bind(
    "wasmtime_pooling_allocation_config_total_component_instances_set"
)
pool_total_core_instances_set = _bind(
    "wasmtime_pooling_allocation_config_total_core_instances_set"
)
pool_total_memories_set = _bind("wasmtime_pooling_allocation_config_total_memories_set")
pool_total_tables_set = _bind("wasmtime_pooling_allocation_config_total_tables_set")
pool_total_stacks_set = _bind("wasmtime_pooling_allocation_config_total_stacks_set")
config_pool_set = _bind("wasmtime_pooling_allocation_strategy_set")
context_get_fuel = _bind("wasmtime_context_get_fuel")
context_set_epoch_deadline = _bind_short("wasmtime_context_set_epoch_deadline")
context_set_fuel = _bind_short("wasmtime_context_set_fuel")
engine_increment_epoch = _bind("wasmtime_engine_increment_epoch")
error_delete = _bind("wasmtime_error_delete")
error_message = _bind("wasmtime_error_message")
store_new = _bind("wasmtime_store_new")
store_context = _bind("wasmtime_store_context")
store_delete = _bind("wasmtime_store_delete")
store_limiter = _bind("wasmtime_store_limiter")

HostCallback = CFUNCTYPE(None, _P, _P, _P, _P, _N, _P, _N, _P, _P)
"""env, context, type, arguments, how many, results, how many, error, continuation."""
ContinuationCallback = CFUNCTYPE(c_bool, _P)
DropCallback = CFUNCTYPE(c_size_t, _P, _P, c_uint32)
"""env, context, the number of the resource; returns an error or 0."""


class Kind:
    """Discriminants of `wasmtime_component_val_t`."""

    BOOL: Final = _ffi.WASMTIME_COMPONENT_BOOL.value
    S8: Final = _ffi.WASMTIME_COMPONENT_S8.value
    U8: Final = _ffi.WASMTIME_COMPONENT_U8.value
    S16: Final = _ffi.WASMTIME_COMPONENT_S16.value
    U16: Final = _ffi.WASMTIME_COMPONENT_U16.value
    S32: Final = _ffi.WASMTIME_COMPONENT_S32.value
    U32: Final = _ffi.WASMTIME_COMPONENT_U32.value
    S64: Final = _ffi.WASMTIME_COMPONENT_S64.value
    U64: Final = _ffi.WASMTIME_COMPONENT_U64.value
    F32: Final = _ffi.WASMTIME_COMPONENT_F32.value
    F64: Final = _ffi.WASMTIME_COMPONENT_F64.value
    CHAR: Final = _ffi.WASMTIME_COMPONENT_CHAR.value
    STRING: Final = _ffi.WASMTIME_COMPONENT_STRING.value
    LIST: Final = _ffi.WASMTIME_COMPONENT_LIST.value
    RECORD: Final = _ffi.WASMTIME_COMPONENT_RECORD.value
    TUPLE: Final = _ffi.WASMTIME_COMPONENT_TUPLE.value
    VARIANT: Final = _ffi.WASMTIME_COMPONENT_VARIANT.value
    ENUM: Final = _ffi.WASMTIME_COMPONENT_ENUM.value
    OPTION: Final = _ffi.WASMTIME_COMPONENT_OPTION.value
    RESULT: Final = _ffi.WASMTIME_COMPONENT_RESULT.value
    FLAGS: Final = _ffi.WASMTIME_COMPONENT_FLAGS.value
    RESOURCE: Final = _ffi.WASMTIME_COMPONENT_RESOURCE.value


FUNC_SIZE: Final = ctypes.sizeof(_bindings.wasmtime_component_func)
INSTANCE_SIZE: Final = ctypes.sizeof(_bindings.wasmtime_component_instance)
VAL_SIZE: Final = ctypes.sizeof(_bindings.wasmtime_component_val_t)
FIELD_SIZE: Final = ctypes.sizeof(_bindings.wasmtime_component_valrecord_entry)


def address_of(pointer: Any) -> int:
    """Return the address in one of wasmtime-py's ctypes pointers."""
    return ctypes.cast(pointer, c_void_p).value or 0
