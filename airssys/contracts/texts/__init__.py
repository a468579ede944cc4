"""What comes from outside: objects and text, guarded, shortened, on one line."""

from ._annotations import annotations_of, signature_of
from ._foreign import (
    contexts_of,
    find_fatal,
    is_a,
    is_fatal,
    is_wholly,
    kind_name,
    leaves_of,
    only_member,
    plain_bytes,
    plain_text,
    repr_of,
    text_of,
)
from ._one_line import MAX_LINE, one_line
from ._renamed import imported_late, keyword_renamed, renamed

__all__ = (
    "MAX_LINE",
    "annotations_of",
    "contexts_of",
    "find_fatal",
    "imported_late",
    "is_a",
    "is_fatal",
    "is_wholly",
    "keyword_renamed",
    "kind_name",
    "leaves_of",
    "one_line",
    "only_member",
    "plain_bytes",
    "plain_text",
    "renamed",
    "repr_of",
    "signature_of",
    "text_of",
)
