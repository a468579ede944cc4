"""Components on their own lane: taken apart and run as core WebAssembly.

The theory. A component is core modules, and rules for the values that pass between them
and the host. wasmtime's component API makes a struct of every value. Here the modules
are instantiated as they are (`components`, `core`), and the rules, the canonical ABI, are
our own code (`abi`): values are laid out in a memory of the host, and core modules that
we write (`adapters`) copy them into the guest's, on the guest's fiber. So a byte costs a
copy, and whatever a guest does in between can be interrupted.

The component's own rules are not checked here but by wasmtime, on a skeleton without
code. What the parser does not know is refused, and runs whole.
"""

__all__ = ()
