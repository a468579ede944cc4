"""The fake component, under the name by which the tests here know it."""

from airssys.testing import FakeComponent, FakeGuest, FakeLoader

__all__ = ("FakeComponent", "FakeGuest", "FakeLoader")
