"""An actor's guest that imports an interface of the host's beside our world."""

from __future__ import annotations

from ._guests import GUESTS

_IMPORT = """(import "{name}" (instance $till
    {resource}
    (export "price" (func (param "item" {kind}) (result {kind})))))
  (core func $price (canon lower (func $till "price")))
  """
_ANSWER = "(call $some (call $payload (local.get $message))))"
_ASK = """(local $at i32)
      (local.set $at (i32.load offset=24 (local.get $message)))
      (i32.store8 (local.get $at) (call $price (i32.load8_u (local.get $at))))
      """


def shop_guest(name: str, kind: str = "u32", resource: str = "") -> str:
    """Make a guest that answers with the price of an item, both of them one byte.

    It imports `price` from the interface `name`, which may have a resource too.
    """
    text = (GUESTS / "echo.wat").read_text()
    module, memory = "(core module $main\n", '(import "memory" "memory" (memory 1))\n'
    price = '(import "till" "price" (func $price (param i32) (result i32)))\n'
    given = '(with "till" (instance (export "price" (func $price))))'
    text = text.replace(
        module, _IMPORT.format(name=name, kind=kind, resource=resource) + module
    )
    text = text.replace(memory, memory + price, 1)
    text = text.replace(_ANSWER, _ASK + _ANSWER, 1)
    return text.replace(
        '(with "memory" (instance $memory))))',
        f'(with "memory" (instance $memory)) {given}))',
    )
