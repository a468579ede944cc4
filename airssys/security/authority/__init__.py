"""Authority: what each actor may do now, and how that changes while it runs."""

from ._authority import Authority
from ._changes import Grants, find_authority
from ._cuts import Cut
from ._holds import Hold
from ._register import Authorities
from ._verdicts import HasAccount, Recorder, Verdict

__all__ = (
    "Authorities",
    "Authority",
    "Cut",
    "Grants",
    "HasAccount",
    "Hold",
    "Recorder",
    "Verdict",
    "find_authority",
)
