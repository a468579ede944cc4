"""The repository and what is built from it."""

import importlib.metadata
import importlib.resources
import os
import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

import airssys

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

installed_only = pytest.mark.skipif(
    not os.environ.get("AIRSSYS_TEST_INSTALLED"),
    reason="only for an airssys installed from its wheel (make pytest)",
)


def tracked_files():
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    if listing.returncode:
        pytest.skip("not in a git checkout")
    paths = (ROOT / name for name in listing.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_registry():
    # Joined here, so that this file does not name them either.
    hosts = [
        ".".join(parts).encode()
        for parts in [
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("crates", "io"),
            ("npmjs", "org"),
            ("npmjs", "com"),
            ("yarnpkg", "com"),
            ("ghcr", "io"),
            ("docker", "io"),
            ("proxy", "golang", "org"),
        ]
    ]
    naming = [
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if any(host in path.read_bytes() for host in hosts)
    ]
    assert not naming


def test_both_licences_are_here():
    assert "Permission is hereby granted" in (ROOT / "LICENSE-MIT").read_text("utf-8")
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE-APACHE").read_text("utf-8")


def test_constraints_hold_versions_only():
    lines = (ROOT / "requirements/constraints.txt").read_text("utf-8").splitlines()
    assert [ln for ln in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", ln)] == []


def test_the_makefile_takes_the_pythons_the_package_takes():
    finder = (ROOT / ".ci/find-python").read_text("utf-8")
    first, last = re.search(
        r"\((3, \d+)\) <= sys.version_info\[:2\] <= \((3, \d+)\)", finder
    ).groups()
    upper = f"3.{int(last.removeprefix('3, ')) + 1}"
    assert PYPROJECT["project"]["requires-python"] == (
        f">={first.replace(', ', '.')},<{upper}"
    )


DOCUMENTS = ("CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md")


def test_the_documents_of_the_project_are_here():
    assert {p.name for p in ROOT.glob("*.md")} == set(DOCUMENTS)


def test_the_sdist_has_the_documents():
    sdist = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]
    assert set(DOCUMENTS) <= set(sdist["include"])
    # Where the build tool is installed, ask it.
    builders = pytest.importorskip("hatchling.builders.sdist")
    files = builders.SdistBuilder(str(ROOT)).recurse_included_files()
    packed = {file.distribution_path for file in files}
    assert set(DOCUMENTS) <= packed
    assert {"airssys/__init__.py", "wit/world.wit"} <= packed
    assert {"tests/conftest.py", "docs/index.md", "Makefile", ".ci/venv"} <= packed


def test_the_changelog_has_this_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## (\S+)", text, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert airssys.__version__ in versions


@installed_only
def test_airssys_comes_from_site_packages():
    site_packages = Path(sysconfig.get_path("purelib"))
    assert Path(airssys.__file__).is_relative_to(site_packages)


@installed_only
def test_the_wheel_carries_what_users_need():
    package = importlib.resources.files("airssys")
    shipped = package / "wit"
    assert {p.name for p in shipped.iterdir()} == {
        p.name for p in (ROOT / "wit").iterdir()
    }
    assert (package / "py.typed").is_file()
    metadata = importlib.metadata.metadata("airssys")
    assert metadata["Version"] == airssys.__version__
    assert metadata["License-Expression"] == PYPROJECT["project"]["license"]
    assert set(metadata.get_all("License-File")) == {"LICENSE-APACHE", "LICENSE-MIT"}
