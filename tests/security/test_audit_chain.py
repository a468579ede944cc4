"""Every change of a chain of records is found, wherever and whatever it is."""

import json

import pytest
from hypothesis import given, settings, strategies as st

from airssys.security.audit import Head, verify, write_record
from airssys.security.audit._chain import head_after, head_before

MANY = settings(max_examples=max(150, settings.default.max_examples))
TEXTS = st.text(max_size=10)
RECORDS = st.lists(
    st.dictionaries(st.sampled_from(["who", "what", "why"]), TEXTS | st.integers()),
    min_size=1,
    max_size=8,
)


def chain(records, head=None):
    lines, head = [], head or Head()
    for record in records:
        line, head = write_record(record, head)
        lines.append(line)
    return lines, head


def flaws(lines, **heads):
    return list(verify(lines, **heads))


@MANY
@given(RECORDS)
def test_a_chain_that_was_not_touched_has_no_flaw(records):
    lines, head = chain(records)
    assert flaws(lines, last=head) == []
    assert [json.loads(line) for line in lines] == [
        {**record, **{key: json.loads(line)[key] for key in ("n", "before", "hash")}}
        for record, line in zip(records, lines, strict=True)
    ]


@MANY
@given(RECORDS, RECORDS)
def test_a_chain_goes_on_in_another_file(first, second):
    lines, head = chain(first)
    more, last = chain(second, head)
    assert flaws([*lines, *more], last=last) == []
    assert flaws(more, first=head, last=last) == []
    assert flaws(more, last=last)


@MANY
@given(RECORDS, st.data())
def test_every_changed_character_is_found(records, data):
    lines, head = chain(records)
    number = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[number]) - 1))
    other = data.draw(st.characters(exclude_characters=lines[number][place]))
    lines[number] = lines[number][:place] + other + lines[number][place + 1 :]
    assert any(flaw.line == number + 1 for flaw in flaws(lines, last=head))


@MANY
@given(RECORDS, st.data())
def test_every_line_dropped_doubled_or_moved_is_found(records, data):
    lines, head = chain(records)
    number = data.draw(st.integers(0, len(lines) - 1))
    dropped = lines[:number] + lines[number + 1 :]
    doubled = [*lines[: number + 1], *lines[number:]]
    assert flaws(dropped, last=head)
    assert flaws(doubled, last=head)
    if number:
        moved = [lines[number], *lines[:number], *lines[number + 1 :]]
        assert flaws(moved, last=head)
    if number < len(lines) - 1:
        assert flaws(dropped)


@MANY
@given(RECORDS, st.data())
def test_a_line_of_another_chain_is_found(records, data):
    lines, head = chain(records)
    strange, _ = write_record({"who": "else"}, Head(0, "f" * 64))
    number = data.draw(st.integers(0, len(lines)))
    assert flaws([*lines[:number], strange, *lines[number:]], last=head)


def test_what_is_cut_off_is_found_with_the_head():
    lines, head = chain([{"n0": n} for n in range(5)])
    assert flaws(lines[:-1]) == []
    [flaw] = flaws(lines[:-1], last=head)
    assert flaw.line == 5
    assert [flaw.line for flaw in flaws([*lines[:-1], lines[-1][:20]])] == [5]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"n":1,"before":1,"hash":2}',
        "[" * 100_000,
        '{"n":true}',
    ],
)
def test_lines_that_are_not_records(line):
    assert flaws([line])


def problems(line):
    return [flaw.problem for flaw in flaws([line])]


def test_what_is_wrong_with_a_line_is_reported():
    line, _ = write_record({"who": "a"}, Head())
    hashes = '"before":"0","hash":"0"'
    damaged = "it is not JSON: cut off, or damaged"
    strange = "it is not a record of a chain"
    changed = "it was changed: its hash is another one"
    assert problems(line) == []
    assert problems("x" * 131_072) == [damaged]
    assert problems("x" * 131_073) == ["it is longer than any record"]
    assert problems("[]") == problems('{"n":1}') == [strange]
    assert problems(f'{{"n":true,{hashes}}}') == ["it has no number"]
    assert problems(f'{{"n":"0",{hashes}}}') == ["it has no number"]
    assert problems('{"n":0,"before":1,"hash":"0"}') == ["its hashes are not text"]
    assert problems('{"n":0,"before":"0","hash":1}') == ["its hashes are not text"]
    assert problems(f'{{"n":0,"x":NaN,{hashes}}}') == [strange]
    assert problems(line.replace('"a"', '"b"')) == [changed]
    assert problems(line.replace(",", ", ")) == [changed]  # the same, written otherwise


def test_the_chain_begins_with_nothing_before_it():
    line, head = write_record({"who": "a"}, Head())
    found = json.loads(line)
    assert (found["n"], found["before"]) == (0, "0" * 64)
    assert head == Head(1, found["hash"])
    assert head_before(line) == Head(0, "0" * 64)
    assert head_after(line) == head
    other, last = write_record({"who": "b"}, head)
    assert (head_before(other), head_after(other)) == (head, last)
    assert head_before("{}") is head_after("{}") is None


def test_where_and_what_is_missing():
    lines, head = chain([{}] * 3)
    [flaw] = flaws([], last=head)
    assert (flaw.line, flaw.problem) == (
        1,
        "the chain ends before record 2, or with another one",
    )
    assert [flaw.line for flaw in flaws(lines[:1], last=head)] == [2]
    [flaw] = flaws(lines[1:], last=head)
    assert (flaw.line, flaw.problem) == (1, "record 1 stands where 0 should")
    [flaw] = flaws(lines[1:], first=Head(1, "f" * 64), last=head)
    assert flaw.problem == "it follows another record than the one before it"


def test_the_longest_record():
    line, _ = write_record({"x": ""}, Head())
    without_hash = len(line) - len(f'"hash":"{"0" * 64}",')
    most = 64 * 1024 - without_hash
    assert write_record({"x": "y" * most}, Head())
    with pytest.raises(ValueError, match="has 65537 bytes, more than 65536"):
        write_record({"x": "y" * (most + 1)}, Head())


@pytest.mark.parametrize(
    "record",
    [
        {"n": 1},
        {"hash": "x"},
        {"x": object()},
        {"x": float("nan")},
        {"x": "y" * 70_000},
    ],
)
def test_records_that_cannot_be_written(record):
    with pytest.raises(ValueError, match=r"record|JSON"):
        write_record(record, Head())


@given(st.text())
def test_nothing_of_a_record_reaches_a_terminal_raw(text):
    line, _ = write_record({"who": text}, Head())
    assert line.isascii()
    assert line.isprintable()
