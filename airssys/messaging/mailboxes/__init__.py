"""Mailboxes: what waits for an actor, who waits for room, what is dropped."""

from ._blocked_senders import (
    BlockedSender,
    JointWait,
    JointWaiter,
    ParkedTask,
    nothing,
    refusal,
    stay,
    wait_for_room,
)
from ._contents import AtOnce
from ._droppable_queue import DroppableQueue
from ._mailbox import Mailbox
from ._overflow import OverflowAction, droppable
from ._statistics import Ending, MailboxStatistics
from ._transfer import let_in, put_first, put_in, take_first_blocked, take_out
from ._waits import Wait, WaitGraph

__all__ = (
    "AtOnce",
    "BlockedSender",
    "DroppableQueue",
    "Ending",
    "JointWait",
    "JointWaiter",
    "Mailbox",
    "MailboxStatistics",
    "OverflowAction",
    "ParkedTask",
    "Wait",
    "WaitGraph",
    "droppable",
    "let_in",
    "nothing",
    "put_first",
    "put_in",
    "refusal",
    "stay",
    "take_first_blocked",
    "take_out",
    "wait_for_room",
)
