"""What is a topic, and what a pattern of topics. Pure.

A topic is segments joined by dots, e.g. `orders.eu.paid`. A pattern is the same, in
which `*` stands for exactly one segment and `#`, only as the last one, for any number of
them, none included. Upper and lower case differ.
"""

from __future__ import annotations

from typing import Final

from airssys.contracts.errors import BadTopic

MAX_TOPIC_CHARACTERS: Final = 255
MAX_TOPIC_SEGMENTS: Final = 16
"""A topic of n segments may be matched in 2^n ways; this bounds what a lookup costs."""

ONE: Final = "*"
REST: Final = "#"


def read_topic(topic: object) -> tuple[str, ...]:
    """Split a topic into its segments.

    Raises:
        BadTopic: it is none.
    """
    segments = _read(topic, "topic")
    for segment in segments:
        if ONE in segment or REST in segment:
            problem = f"{topic!r} has a wildcard: only patterns may"
            raise BadTopic(problem)
    return segments


def read_pattern(pattern: object) -> tuple[str, ...]:
    """Split a pattern into its segments.

    Raises:
        BadTopic: it is none.
    """
    segments = _read(pattern, "pattern")
    for number, segment in enumerate(segments, 1):
        if segment == REST and number < len(segments):
            raise BadTopic(f"'#' in {pattern!r} is not the last segment")
        if segment not in {ONE, REST} and (ONE in segment or REST in segment):
            problem = f"{segment!r} in {pattern!r} mixes a wildcard with other text"
            raise BadTopic(problem)
    return segments


def _read(text: object, kind: str) -> tuple[str, ...]:
    if not isinstance(text, str):
        raise BadTopic(f"the {kind} is {type(text).__name__}, no text")
    if len(text) > MAX_TOPIC_CHARACTERS:
        most = MAX_TOPIC_CHARACTERS
        raise BadTopic(f"the {kind} has {len(text)} characters, more than {most}")
    segments = tuple(text.split("."))
    if len(segments) > MAX_TOPIC_SEGMENTS:
        most = MAX_TOPIC_SEGMENTS
        raise BadTopic(f"{text!r} has {len(segments)} segments, more than {most}")
    if "" in segments:
        raise BadTopic(f"{text!r} is empty, or has an empty segment")
    if not text.isprintable() or " " in text:
        raise BadTopic(f"{text!r} has a space, or what cannot be printed")
    return segments
