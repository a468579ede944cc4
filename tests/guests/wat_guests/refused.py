"""Fixtures that a loader must refuse, and why."""

from collections.abc import Iterator

from wat_guests.component import Guest


def guests() -> Iterator[Guest]:
    """Yield the components among them; they compile, and break the contract."""
    yield Guest(
        name="wrong-version",
        does="exports version 2.0.0 of the lifecycle",
        version="2.0.0",
    )
    yield Guest(
        name="missing-export",
        does="does not export health",
        without=frozenset({"health"}),
    )
    yield Guest(
        name="bad-signature",
        does="handle-message takes a string and returns nothing",
        types={"handle-message": '(param "msg" string)'},
        core_types={"handle-message": "(param i32 i32)"},
        exports={"handle-message": ""},
    )
    yield Guest(
        name="unknown-import",
        does="imports an interface that no host knows",
        imports='(import "acme:other/thing@1.0.0" (instance\n'
        '  (export "do" (func (param "what" string)))))\n',
    )
    yield Guest(
        name="unknown-function",
        does="imports a function that host-services does not have",
        imports='(import "airssys:core/host-services@1.0.0" (instance\n'
        '  (export "reboot" (func))))\n',
    )
    yield Guest(
        name="wasi-import",
        does="imports two interfaces of WASI that are not offered",
        imports="""\
(import "wasi:keyvalue/store@0.2.9" (instance $http-types
  (export "fields" (type $fields (sub resource)))
  (export "[method]fields.clone"
    (func (param "self" (borrow $fields)) (result (own $fields))))))
(alias export $http-types "fields" (type $fields))
(import "wasi:http/made-up@0.2.9" (instance
  (alias outer 1 $fields (type $fields'))
  (export "fields" (type $fields (eq $fields')))
  (export "handle" (func (param "with" (own $fields))))))
""",
    )


_CORE_MODULE = """\
;; core-module: a core module, not a component
(module
  (func (export "handle-message") (param i32) (result i32)
    (i32.const 0)))
"""
_MALFORMED = """\
;; malformed: not WebAssembly text at all
(component (this is not wat
"""
_EMPTY = """\
;; empty: a component that exports nothing
(component)
"""


def texts() -> Iterator[tuple[str, str]]:
    """Yield name and text of those that are not guests at all."""
    yield "core-module", _CORE_MODULE
    yield "malformed", _MALFORMED
    yield "empty", _EMPTY
