"""The tests that the page on testing shows pass, in a project of their own."""

import sys
from pathlib import Path

import pytest

from pace import finished
from tests.examples.test_documents import BLOCK

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/how-to/test-your-actors.md"
SHOWN = [code for kind, code in BLOCK.findall(PAGE.read_text("utf-8")) if kind]


@pytest.mark.slow
@pytest.mark.parametrize("code", SHOWN)
def test_what_the_page_shows_passes(code, tmp_path):
    (tmp_path / "test_shown.py").write_text(code, "utf-8")
    settings = "[pytest]\ntrio_mode = true\nfilterwarnings = error\n"
    (tmp_path / "pytest.ini").write_text(settings, "utf-8")
    options = "-p", "pytest_airssys", "-p", "no:cacheprovider", "-q"
    done = finished([sys.executable, "-m", "pytest", *options], cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout
