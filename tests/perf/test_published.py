"""The page of performance is what its files say, and everything in perf/ is listed."""

import importlib
import json
import re
import sys
import tomllib

import pytest

from perf_suite import ROOT, load

PAGE = ROOT / "docs/reference/performance.md"
page, programs = load("suite/page"), load("suite/programs")


@pytest.fixture
def rows(monkeypatch):
    """What makes the page; it imports others of the suite, none of which is measured."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])
    return importlib.import_module("perf.suite.rows")


def run_of(*, ratio=0.5, lost=0.0):
    """Make what a run of the suite writes, from one case in five processes."""
    notes = {"airssys_ratio": ratio, "airssys_calibration": 1e-5, "airssys_lost": lost}
    about = {"name": "ask/plain", "unit": "second", "airssys_what": "it is asked"}
    runs = [{"values": [5e-6], "metadata": notes}] * 5
    return {"benchmarks": [{"metadata": about, "runs": runs}]}


def test_page_and_charts_are_what_was_measured(rows):
    made = rows.generated(rows.RESULTS)
    text = PAGE.read_text("utf-8")
    assert page.replaced(text, made.text) == text, "run `python -m perf page`"
    drawn = {
        path.name: path.read_text("utf-8") for path in PAGE.parent.glob("perf*.svg")
    }
    assert drawn == made.charts, "run `python -m perf page`"


def test_without_results_the_page_says_so(rows, tmp_path):
    assert rows.generated(tmp_path) == rows.Page(rows.NOTHING, {})


def test_a_page_is_made_from_a_run(rows, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(run_of()))
    made = rows.generated(tmp_path)
    assert "| ask/plain: it is asked | 5 us | 0.50 ± 0.00 | at most 0.67 |" in made.text
    assert f"]({rows.RATIOS})" in made.text
    assert made.charts[rows.RATIOS].startswith("<svg")


def test_a_disturbed_run_is_not_published(rows, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(run_of(lost=0.5)))
    with pytest.raises(rows.TooNoisy, match="waited for a processor"):
        rows.generated(tmp_path)


def test_a_disturbed_run_of_peers_is_not_published(rows, tmp_path):
    benchmarks = [
        {"metadata": {"name": f"ask@{peer}"}, "runs": [{"values": [1e-6, 3e-6, 9e-6]}]}
        for peer in ("airssys, def", "plain Trio")
    ]
    (tmp_path / "peers.json").write_text(json.dumps({"benchmarks": benchmarks}))
    with pytest.raises(rows.TooNoisy, match="plain Trio differs"):
        rows.generated(tmp_path)


def test_a_figure_that_grows_is_named_with_its_reason_or_without_one(rows, tmp_path):
    benchmarks = [
        {"metadata": {"name": f"actors@{n}@{figure}"}, "runs": [{"values": [n * 1e-5]}]}
        for figure in ("open", "a new one")
        for n in (1, 10)
    ]
    (tmp_path / "scale.json").write_text(json.dumps({"benchmarks": benchmarks}))
    written = rows.generated(tmp_path).text
    assert "- **actors: open**: Full collections" in written
    assert written.endswith("- **actors: a new one**: not explained yet.")


def test_each_bound_has_a_sentence_on_what_limits_it():
    limits = tomllib.loads((ROOT / "perf/suite/limits.toml").read_text("utf-8"))
    wanted = load("suite/bounds").WANTED
    assert wanted.keys() <= limits["cases"].keys()


def test_a_peer_that_is_faster_is_explained(rows, tmp_path):
    names = {"airssys, def": 2e-6, "plain Trio": 1e-6, "Erlang": 1e-7, "Pykka": 3e-6}
    benchmarks = [
        {"metadata": {"name": f"ask@{name}"}, "runs": [{"values": [each] * 3}]}
        for name, each in names.items()
    ]
    (tmp_path / "peers.json").write_text(json.dumps({"benchmarks": benchmarks}))
    made = rows.generated(tmp_path)
    assert "- **Erlang**: " in made.text
    assert "- **Pykka**: " not in made.text
    assert made.charts.keys() == {rows.DOTS}


def test_each_peer_has_a_sentence_on_what_it_is(rows):
    limits = tomllib.loads((ROOT / "perf/suite/limits.toml").read_text("utf-8"))
    others = {peer.name for peer in rows.PEERS} - {*rows.OURS, rows.TRIO}
    assert others == limits["peers"].keys()


def test_each_program_is_listed_with_what_it_prints():
    listed = programs.programs()
    assert {each.name for each in listed} == programs.files()
    assert all(each.prints for each in listed)


def test_the_cases_that_a_program_is_listed_with_exist():
    text = (ROOT / "perf/suite/cases.py").read_text("utf-8")
    named = " ".join(each.cases for each in programs.programs())
    for case in re.findall(r"([a-z-]+)/\*", named):
        assert f"{case}/plain" in load("suite/bounds").WANTED
    for case in re.findall(r"([a-z-]+/component)", named):
        assert f'"{case}"' in text
