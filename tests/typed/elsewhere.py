"""A decorator in a module that knows nothing of the messages it passes on."""

import functools


def decorate(function):
    @functools.wraps(function)
    async def wrapper(*arguments):
        return await function(*arguments)

    return wrapper
