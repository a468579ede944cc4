"""Audit: records of what was decided, in a chain that shows every change."""

from ._chain import Flaw, Head, verify, write_record
from ._files import FileFlaw, files_of, lines_of, verify_log
from ._options import AuditLog, Signer
from ._queue import AuditQueue
from ._records import Change, Mark, Noted, record_of, time_text
from ._signing import Ed25519Signer, ed25519_check, verify_checkpoints
from ._writing import AuditFile

__all__ = (
    "AuditFile",
    "AuditLog",
    "AuditQueue",
    "Change",
    "Ed25519Signer",
    "FileFlaw",
    "Flaw",
    "Head",
    "Mark",
    "Noted",
    "Signer",
    "ed25519_check",
    "files_of",
    "lines_of",
    "record_of",
    "time_text",
    "verify",
    "verify_checkpoints",
    "verify_log",
    "write_record",
)
