"""Builds are found by content, and never seen half written."""

import threading

import pytest
from hypothesis import given, strategies as st

from airssys.building import default_build_cache
from airssys.building._build_cache import digest, find_or_make
from pace import PATIENCE

WORDS = st.lists(st.text(max_size=4), max_size=3)
FILES = st.dictionaries(st.text(max_size=4), st.binary(max_size=4), max_size=3)


@given(WORDS, FILES, WORDS, FILES)
def test_names_are_equal_only_if_everything_is(words, files, more_words, more_files):
    names_are_equal = digest(words, files) == digest(more_words, more_files)
    assert names_are_equal == ((words, files) == (more_words, more_files))


@given(WORDS, FILES)
def test_names_do_not_depend_on_the_order_of_files(words, files):
    assert digest(words, files) == digest(words, dict(reversed(files.items())))


@given(FILES.filter(bool), st.data())
def test_any_changed_byte_is_another_name(files, data):
    name = data.draw(st.sampled_from(sorted(files)))
    changed = files | {name: files[name] + b"\0"}
    assert digest([], files) != digest([], changed)


def test_what_is_there_is_not_made_again(tmp_path):
    made = []

    def make(path):
        made.append(path)
        path.write_bytes(b"%d" % len(made))

    assert find_or_make(tmp_path, "a", make) == (tmp_path / "a", True)
    assert find_or_make(tmp_path, "a", make) == (tmp_path / "a", False)
    assert find_or_make(tmp_path, "b", make)[1]
    assert find_or_make(tmp_path, "a", make, fresh=True)[1]
    assert (tmp_path / "a").read_bytes() == b"3"


def test_a_build_that_fails_leaves_nothing(tmp_path):
    def make(path):
        path.write_bytes(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        find_or_make(tmp_path / "cache", "a", make)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_reader_sees_all_of_it_or_nothing(tmp_path):
    def make(path):
        path.write_bytes(b"half")
        assert not (tmp_path / "a").exists()
        path.write_bytes(b"whole")

    find_or_make(tmp_path, "a", make)
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_builders_of_the_same_thing_do_not_disturb_each_other(tmp_path):
    together = threading.Barrier(4)

    def make(path):
        path.write_bytes(b"one")
        together.wait(PATIENCE)

    def build():
        find_or_make(tmp_path, "a", make)

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_directory_is_for_its_owner_alone(tmp_path):
    find_or_make(tmp_path / "x" / "cache", "a", lambda path: path.touch())
    assert (tmp_path / "x" / "cache").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("home", ["", "relative"])
def test_the_usual_place_is_below_the_users_cache(monkeypatch, tmp_path, home):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", home)
    assert default_build_cache() == tmp_path / ".cache/airssys/built"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert default_build_cache() == tmp_path / "own/airssys/built"


def test_words_do_not_pass_for_files():
    assert digest(["name", "text"], {}) != digest([], {"name": b"text"})
