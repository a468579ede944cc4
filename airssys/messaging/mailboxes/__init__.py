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
from ._droppable_queue import DroppableQueue
from ._mailbox import Mailbox
from ._overflow import OverflowAction, droppable
from ._servants import AtOnce, Dormant, Servant
from ._statistics import Ending, MailboxStatistics
from ._waits import Wait, WaitGraph

__all__ = (
    "AtOnce",
    "BlockedSender",
    "Dormant",
    "DroppableQueue",
    "Ending",
    "JointWait",
    "JointWaiter",
    "Mailbox",
    "MailboxStatistics",
    "OverflowAction",
    "ParkedTask",
    "Servant",
    "Wait",
    "WaitGraph",
    "droppable",
    "nothing",
    "refusal",
    "stay",
    "wait_for_room",
)
