"""Public names of before work for one version, with a warning that says the new one."""

import importlib

import pytest

from airssys.contracts import IntensityExceeded, SupervisorGaveUp

OLD = {
    "airssys.contracts": {"Store": "Storage"},
    "airssys.dsl": {"Behaviour": "HandlerObject"},
    "airssys.storage": {"MemoryStore": "MemoryStorage"},
    "airssys.testing": {
        "FakeStore": "FakeStorage",
        "STORE_QUESTIONS": "STORAGE_QUESTIONS",
        "examine_stores": "examine_storages",
    },
}
NAMES = [(door, old, new) for door, names in OLD.items() for old, new in names.items()]


@pytest.mark.parametrize(("door", "old", "new"), NAMES)
def test_an_old_name_is_the_new_thing(door, old, new):
    package = importlib.import_module(door)
    with pytest.warns(DeprecationWarning, match=f"{door}.{old} was renamed to {new}"):
        found = getattr(package, old)
    assert found is getattr(package, new)
    assert old not in package.__all__


@pytest.mark.parametrize("door", OLD)
def test_other_names_are_not_there(door):
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        importlib.import_module(door).nothing  # noqa: B018  # asking is enough


def test_the_old_name_of_a_field_is_the_new_one():
    exceeded = IntensityExceeded("root", "local/a/0", 4, 5.0, "crash")
    event = SupervisorGaveUp("root", exceeded)
    with pytest.warns(DeprecationWarning, match="`exceeded`"):
        assert event.offence is exceeded
