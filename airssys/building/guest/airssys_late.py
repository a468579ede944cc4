"""The guest's own modules, when they are not part of the component's memory image.

The theory. In a component that was built for development, the modules of the guest
itself are only read when an instance makes its first call. Their sources are in `AREA`,
which is written to after the component was built (the host's `SourceArea` says how). So
a change of the sources does not need another build. All other modules were imported
while the component was built, as in every component.
"""

import builtins
import importlib
import importlib.abc
import importlib.machinery
import linecache
import marshal
import sys

ROOT = "/1"
"""How other components show the folder of the guest's sources."""


class _State:
    area = bytearray()
    main = ""
    files = ()
    """Sources by path."""
    missing = None
    """Why modules could not be imported, by name."""
    compile = None


def reserve(size):
    """Make the area, without leaving a second copy of its content in memory."""
    _State.missing = {}
    _State.area = area = bytearray(size)
    for number in range(size // 8):
        area[8 * number : 8 * number + 8] = b"\xfe\xff%06x" % number
    # The usual `compile` of a running guest, and not the one that opens files.
    _State.compile = builtins.compile
    sys.meta_path.insert(0, _LateFinder())


def note_missing(error):
    """Remember that a module could not be imported, which the guest may expect."""
    if error.name:
        _State.missing[error.name] = str(error)


def load():
    """Import the guest's main module."""
    length = int.from_bytes(_State.area[:4], "little")
    written = _State.area[4 : 4 + length]
    _State.main, _State.files = marshal.loads(written)  # noqa: S302  # by us
    try:
        return importlib.import_module(_State.main)
    except OSError as error:
        error.add_note(
            "This component was built with --dev: its modules are imported when it"
            " starts, and have no files then. Build it without --dev."
        )
        raise


class _LateFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules in the area."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname in _State.missing and fullname not in sys.modules:
            raise ModuleNotFoundError(_State.missing[fullname], name=fullname)
        name = fullname.replace(".", "/")
        for is_package, file in ((True, f"{name}/__init__.py"), (False, f"{name}.py")):
            if file in _State.files:
                return self._spec(fullname, file, is_package=is_package)
        if any(file.startswith(f"{name}/") for file in _State.files):
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [f"{ROOT}/{name}"]
            return spec
        return None

    def _spec(self, fullname, file, *, is_package):
        spec = importlib.machinery.ModuleSpec(
            fullname, self, origin=f"{ROOT}/{file}", is_package=is_package
        )
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [spec.origin.rpartition("/")[0]]
        return spec

    def exec_module(self, module):
        file = module.__spec__.origin
        source = _State.files[file.removeprefix(f"{ROOT}/")]
        lines = source.decode("utf-8", "replace").splitlines(keepends=True)
        # Without a time the entry is never compared with the file.
        linecache.cache[file] = (len(source), None, lines, file)
        code = _State.compile(source, file, "exec", dont_inherit=True)
        exec(code, vars(module))  # noqa: S102  # this is what importing is
