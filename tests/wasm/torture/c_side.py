"""Watches what is made and deleted in C, and in which order."""

from airssys.wasm import _c_api as c
from airssys.wasm.lane.core import c_api as core


class CSide:
    """Every address must be deleted once, and what borrows before what is borrowed."""

    def __init__(self):
        self.futures = {}
        """Each with the context of its store, and the component if it makes one."""
        self.stores = {}
        """Contexts, by the address of their store."""
        self.linkers = set()
        self.components = set()
        self.indices = set()
        self._contexts = {}
        self._watch()

    def assert_all_deleted(self):
        left = {name: value for name, value in vars(self).items() if value}
        left.pop("_contexts", None)
        assert not left, left

    def _watch(self):
        makers = {
            "store_new": self._store_made,
            "store_context": self._context_seen,
            "func_call_async": self._call_begun,
            "linker_instantiate_async": self._instantiation_begun,
            "linker_new": lambda made, *_: self.linkers.add(made),
            "component_clone": lambda made, *_: self.components.add(made),
            "component_get_export_index": self._index_made,
        }
        deleters = {
            "future_delete": self._future_deleted,
            "store_delete": self._store_deleted,
            "linker_delete": self._linker_deleted,
            "component_delete": self._component_deleted,
            "export_index_delete": self.indices.remove,
        }
        for noted, notes in ((_noted_after, makers), (_noted_before, deleters)):
            for name, note in notes.items():
                for api in (c, core):
                    for each in {name, f"{name}_short"} & vars(api).keys():
                        setattr(api, each, noted(getattr(api, each), note))

    def _index_made(self, index, *_):
        if index:  # there is none of what a component does not export
            self.indices.add(index)

    def _store_made(self, store, *_):
        self.stores[store] = None

    def _context_seen(self, context, store):
        self.stores[store] = context

    def _call_begun(self, future, first, second, *_):
        """The context comes second for a component, and first for a core function."""
        self._begun(future, first if first in self.stores.values() else second)

    def _instantiation_begun(self, future, linker, context, component, *_):
        assert linker in self.linkers
        assert component in self.components
        self._begun(future, context)

    def _begun(self, future, context):
        assert context in self.stores.values(), "a call of a deleted store"
        assert context not in self.futures.values(), "two calls in one store"
        self.futures[future] = context

    def _future_deleted(self, future):
        context = self.futures.pop(future)
        assert context in self.stores.values(), "a store went before its call"

    def _store_deleted(self, store):
        context = self.stores.pop(store)
        assert context not in self.futures.values(), "a store went before its call"

    def _linker_deleted(self, linker):
        self.linkers.remove(linker)
        assert not self.futures, "a linker went before a call"
        assert not self.stores, "a linker went before a store"

    def _component_deleted(self, component):
        self.components.remove(component)
        assert not self.stores, "a component went before a store"
        assert not self.linkers, "a component went before the linker"


def _noted_after(function, note):
    def noted(*arguments):
        made = function(*arguments)
        note(made, *arguments)
        return made

    return noted


def _noted_before(function, note):
    def noted(address):
        note(address)
        function(address)

    return noted
