"""Another module of the same guest."""


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError


def deep():
    return deeper(0)


def deeper(number):
    return 1 / number
