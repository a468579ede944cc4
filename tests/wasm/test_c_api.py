"""The C functions that a fiber needs exist in the installed wasmtime."""

import ast
import inspect
from importlib.metadata import version

import pytest
from wasmtime import _bindings, _ffi

from airssys.wasm import _c_api
from airssys.wasm.fallback.values._layout import kind_of
from airssys.wasm.values._types import Float, Number

NEEDED_BY_THE_FIBER = [
    "wasmtime_call_future_delete",
    "wasmtime_call_future_poll",
    "wasmtime_component_func_call_async",
    "wasmtime_component_linker_instance_add_func_async",
    "wasmtime_component_linker_instantiate_async",
    "wasmtime_config_async_stack_size_set",
    "wasmtime_config_signals_based_traps_set",
    "wasmtime_config_wasm_component_model_async_set",
    "wasmtime_context_epoch_deadline_async_yield_and_update",
    "wasmtime_context_set_epoch_deadline",
    "wasmtime_context_set_fuel",
    "wasmtime_engine_increment_epoch",
    "wasmtime_store_limiter",
]


@pytest.mark.parametrize("symbol", _c_api.SYMBOLS)
def test_a_symbol_is_in_the_library(symbol):
    assert hasattr(_ffi.dll, symbol), f"wasmtime {version('wasmtime')} lacks {symbol}"


@pytest.mark.parametrize("symbol", NEEDED_BY_THE_FIBER)
def test_what_the_fiber_needs_is_among_them(symbol):
    assert symbol in _c_api.SYMBOLS


def test_no_symbol_is_bound_without_being_listed():
    calls = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(_c_api)))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "").startswith("_bind")
        and isinstance(node.args[0], ast.Constant)
    ]
    assert {call.args[0].value for call in calls} == set(_c_api.SYMBOLS)


@pytest.mark.parametrize("symbol", _c_api.SYMBOLS)
def test_a_prototype_takes_as_many_arguments_as_the_library_says(symbol):
    theirs = getattr(_bindings, f"_{symbol}")
    _result, *arguments = _c_api.PROTOTYPES[symbol]
    assert len(arguments) == len(theirs.argtypes)


def test_sizes_are_those_that_memory_is_laid_out_with():
    assert (_c_api.VAL_SIZE, _c_api.FIELD_SIZE) == (32, 48)


def test_every_number_has_its_kind():
    numbers = [*Number, *Float]
    assert len(set(map(kind_of, numbers))) == len(numbers)
    assert kind_of(Number.U8) == _ffi.WASMTIME_COMPONENT_U8.value
    assert kind_of(Float.F32) == _ffi.WASMTIME_COMPONENT_F32.value
