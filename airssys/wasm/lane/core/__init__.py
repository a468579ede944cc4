"""Components on their own lane: core modules, adapters, one store for each instance."""

from ._code import CoreCode, CoreRefused
from ._failures import CoreFailed
from ._instance import Asked, CoreInstance, HostFunctions
from ._linking import Linking, link
from ._resources import GuestResource

__all__ = (
    "Asked",
    "CoreCode",
    "CoreFailed",
    "CoreInstance",
    "CoreRefused",
    "GuestResource",
    "HostFunctions",
    "Linking",
    "link",
)
