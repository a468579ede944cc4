"""Authority: what a component may do, decided without Trio and without wasmtime."""

__all__ = ()
