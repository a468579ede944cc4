"""The world's text is found in an installed package and in a checkout."""

import pytest

from airssys.building import wit_directory
from airssys.building.recipes import _wit_directory


def test_it_is_found_as_airssys_is_used_here():
    names = {path.name for path in wit_directory().glob("*.wit")}
    assert {"world.wit", "types.wit", "component-lifecycle.wit"} <= names


def lay_out(folder):
    folder.mkdir(parents=True)
    (folder / "world.wit").write_text("package airssys:core@1.0.0;")
    return folder


def test_an_installed_package_has_it_inside(tmp_path):
    package = tmp_path / "site-packages" / "airssys"
    inside = lay_out(package / "wit")
    lay_out(tmp_path / "site-packages" / "wit")  # of another package
    assert _wit_directory._find_wit(package) == inside


def test_a_checkout_has_it_beside_the_package(tmp_path):
    beside = lay_out(tmp_path / "wit")
    assert _wit_directory._find_wit(tmp_path / "airssys") == beside


def test_if_it_is_nowhere_both_places_are_named(tmp_path):
    with pytest.raises(FileNotFoundError) as failure:
        _wit_directory._find_wit(tmp_path / "airssys")
    assert str(tmp_path / "airssys" / "wit") in str(failure.value)
    assert str(tmp_path / "wit") in str(failure.value)
