"""What all actors of one system share: timers, watches, what guests say of themselves."""

from ._charges import Charges
from ._dispatcher import Dispatcher
from ._expiries import Expiries
from ._lateness import Lateness
from ._self_messages import SelfMessage, SelfMessages
from ._shared import HELD_THREAD_AFTER, Shared
from ._timers import Timer, Timers
from ._watches import ENDED, Watch, Watches

__all__ = (
    "ENDED",
    "HELD_THREAD_AFTER",
    "Charges",
    "Dispatcher",
    "Expiries",
    "Lateness",
    "SelfMessage",
    "SelfMessages",
    "Shared",
    "Timer",
    "Timers",
    "Watch",
    "Watches",
)
