"""The exam of all stores, under the name by which the tests here know it."""

from airssys.testing import STORAGE_QUESTIONS as QUESTIONS

__all__ = ("QUESTIONS",)
