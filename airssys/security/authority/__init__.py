"""Authority: what each actor may do now, and how that changes while it runs."""

from ._authority import Authority, Decision, Hold, Verdict
from ._changes import Grants, find_authority
from ._register import Authorities

__all__ = (
    "Authorities",
    "Authority",
    "Decision",
    "Grants",
    "Hold",
    "Verdict",
    "find_authority",
)
