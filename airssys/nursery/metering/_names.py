"""The names of the quotas that gates count."""

from typing import Final

MESSAGES: Final = "messages_per_second"
LOGS: Final = "log_bytes_per_second"
STORED: Final = "storage_bytes"
REQUESTS: Final = "open_requests"
SUBSCRIBED: Final = "subscriptions"
FAN_OUT: Final = "fan_out"
CALLS: Final = "host_calls_per_second"
KEPT: Final = "allocation_bytes_per_second"
NETWORK: Final = "network_bytes_per_second"
TIME: Final = "cpu_ms_per_second"
MEMORY: Final = "memory_bytes"

PART: Final = 64
"""Up to one part of this many of a burst is counted at once: before its use, if no
supervisor shares it, or after it."""
