"""Run WebAssembly components as supervised actors inside a Trio program."""

__version__ = "0.1.0"

__all__: tuple[str, ...] = ("__version__",)
