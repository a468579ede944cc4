"""Components on their own lane: taken apart and run as core WebAssembly."""

__all__ = ()
