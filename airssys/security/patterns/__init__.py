"""Patterns: which names, topics, paths, keys and hosts a grant stands for."""

from ._hosts import (
    Address,
    HostPattern,
    Ports,
    normal_host,
    plain_address,
    read_address,
)
from ._mistakes import PatternMistake
from ._paths import KeyPattern, PathPattern, normal_path
from ._segments import NamePattern, SubscriptionPattern, TopicPattern
from ._wildcards import Wild, includes, matches, overlap, tokens_of

__all__ = (
    "Address",
    "HostPattern",
    "KeyPattern",
    "NamePattern",
    "PathPattern",
    "PatternMistake",
    "Ports",
    "SubscriptionPattern",
    "TopicPattern",
    "Wild",
    "includes",
    "matches",
    "normal_host",
    "normal_path",
    "overlap",
    "plain_address",
    "read_address",
    "tokens_of",
)
