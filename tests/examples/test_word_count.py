"""The demo's own parts, and the demo from beginning to end."""

import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from pace import finished

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples/word_count"


@pytest.fixture
def texts():
    spec = importlib.util.spec_from_file_location("demo_texts", DEMO / "texts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pieces_hold_every_word_once(texts, tmp_path):
    file = tmp_path / "some.txt"
    file.write_bytes("\n".join(f"läne {n}\x85x" for n in range(23)).encode())
    pieces = texts.read_pieces([file, file])
    counted = sum((Counter(p.text.split()) for p in pieces), Counter())
    once = Counter(file.read_bytes().split())
    assert counted == once + once
    assert pieces[4].name == "some.txt:21-23"


def test_what_is_not_text_is_left_out(texts, tmp_path, capsys):
    (tmp_path / "a").write_bytes(b"\0binary")
    (tmp_path / "b").write_bytes(b"x" * (texts.LONGEST_LINE + 1))
    (tmp_path / "c").write_bytes(b"")
    assert texts.read_pieces([tmp_path / "a", tmp_path / "b", tmp_path / "c"]) == []
    assert capsys.readouterr().out.count("left out") == 2


def test_a_file_that_cannot_be_read_is_named(texts, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        texts.read_pieces([tmp_path / "missing"])
    assert exit_.value.code == 2
    assert "missing: No such file" in capsys.readouterr().err


def test_each_worker_meets_its_trouble(texts):
    pieces = texts.read_pieces([DEMO / "verses.txt"])
    assert len(pieces) == 4
    assert all(b"trap" in p.text and b"loop" in p.text for p in pieces)


@pytest.mark.slow
def test_the_demo_tells_its_story(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_bytes(b"one two\nthree")
    done = finished([sys.executable, str(DEMO), str(file)])
    assert done.returncode == 0, done.stderr
    assert "crashed: UNREACHABLE" in done.stdout
    assert "crashed: TIME_LIMIT" in done.stdout
    assert re.search(r"trapping +started again, restart 1", done.stdout)
    assert re.search(r"local/looping/0 \(component\) running, restarts \d", done.stdout)
    assert "equal, word by word" in done.stdout
    assert len(done.stdout.splitlines()) <= 60
