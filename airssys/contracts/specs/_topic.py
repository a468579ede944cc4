"""Topics and patterns of topics. Pure.

A topic is a series of segments joined by dots, e.g. `orders.eu.paid`. A pattern is the
same, but `*` matches exactly one segment, and `#`, which must be the last segment,
matches any number of segments, including none. Case matters.
"""

from __future__ import annotations

from typing import Final

from airssys.contracts.errors import BadTopic

MAX_TOPIC_CHARACTERS: Final = 255
MAX_TOPIC_SEGMENTS: Final = 16
"""A topic of n segments may match 2^n patterns; this limits the cost of a lookup."""

ONE: Final = "*"
REST: Final = "#"


def read_topic(topic: object) -> tuple[str, ...]:
    """Split a topic into its segments.

    Raises:
        BadTopic: the text is not a valid topic.
    """
    segments = _read(topic, "topic")
    for segment in segments:
        if ONE in segment or REST in segment:
            problem = f"{topic!r} has a wildcard, which only patterns may have"
            raise BadTopic(problem)
    return segments


def read_pattern(pattern: object) -> tuple[str, ...]:
    """Split a pattern into its segments.

    Raises:
        BadTopic: the text is not a valid pattern.
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
        raise BadTopic(f"the {kind} must be a str, not {type(text).__name__}")
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
        raise BadTopic(f"{text!r} has a space, or a character that cannot be printed")
    return segments
