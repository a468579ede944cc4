"""What the tests of airssys.wasm share: real guests, host services, a heartbeat."""

from ._compilers import wrap_compilers
from ._echo import HOST, echo_component, flatten, stray_component
from ._elsewhere import answer_elsewhere
from ._guests import (
    GUESTS,
    ME,
    SENDER,
    Guests,
    beat,
    envelope,
    is_spent_because,
    open_guests,
    process_memory,
    whole_only,
)
from ._http import http_guest
from ._lane import LANE_ENGINE, Lane, call, polls
from ._program import ARGUMENTS, CAT, leaving, program, sleeping
from ._services import BOB, ScriptedServices
from ._shop import shop_guest
from ._sockets import SocketGuest, at
from ._values import SIMPLE, TEXTS, TYPED_VALUES, same, types, values_of
from ._wasi import order, wasi_guest
from ._wasi_calls import WasiCalls
from ._wasi_torture import steps, torture_guest
from ._wit_text import checkout_wit, read_wit, wit_folder

__all__ = (
    "ARGUMENTS",
    "BOB",
    "CAT",
    "GUESTS",
    "HOST",
    "LANE_ENGINE",
    "ME",
    "SENDER",
    "SIMPLE",
    "TEXTS",
    "TYPED_VALUES",
    "Guests",
    "Lane",
    "ScriptedServices",
    "SocketGuest",
    "WasiCalls",
    "answer_elsewhere",
    "at",
    "beat",
    "call",
    "checkout_wit",
    "echo_component",
    "envelope",
    "flatten",
    "http_guest",
    "is_spent_because",
    "leaving",
    "open_guests",
    "order",
    "polls",
    "process_memory",
    "program",
    "read_wit",
    "same",
    "shop_guest",
    "sleeping",
    "steps",
    "stray_component",
    "torture_guest",
    "types",
    "values_of",
    "wasi_guest",
    "whole_only",
    "wit_folder",
    "wrap_compilers",
)
