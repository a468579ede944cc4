"""Flame graphs: where a case spends its time, drawn from samples of its stack."""

from __future__ import annotations

import signal
from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

Stack: TypeAlias = tuple[str, ...]
_INTERVAL: Final = 1e-3
_WIDTH: Final = 1200
_HEIGHT: Final = 17
_LETTER: Final = 6.6
_LEAST: Final = 0.5
"""A box narrower than this many pixels is not drawn."""
_COLOURS: Final = ("#e8743b", "#eb8a44", "#efa04e", "#f2b559", "#f5c964")


def sample(run: Callable[[], object]) -> Counter[Stack]:
    """Run something and note its stack every millisecond of processor time.

    Only Python's own frames are seen; on the main thread only.
    """
    found: Counter[Stack] = Counter()

    def note(_: int, frame: FrameType | None) -> None:
        stack = []
        while frame is not None:
            stack.append(_name(frame))
            frame = frame.f_back
        found[tuple(reversed(stack))] += 1

    before = signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)
    try:
        run()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return found


def _name(frame: FrameType) -> str:
    file = frame.f_code.co_filename.replace("\\", "/").split("/")
    return f"{frame.f_code.co_qualname} ({'/'.join(file[-2:])})"


def boxes(stacks: Mapping[Stack, int]) -> list[tuple[int, float, float, str]]:
    """Lay out a flame graph.

    Returns:
        Depth, start and width as parts of the whole, and name of each box. A box is
        above what called it, and as wide as its part of all samples.
    """
    total = sum(stacks.values())
    found: list[tuple[int, float, float, str]] = []
    open_boxes: list[tuple[str, int]] = []
    at = 0
    for stack, samples in [*sorted(stacks.items()), ((), 0)]:
        same = 0
        for (name, _), other in zip(open_boxes, stack, strict=False):
            if name != other:
                break
            same += 1
        while len(open_boxes) > same:
            name, began = open_boxes.pop()
            found.append((len(open_boxes), began / total, (at - began) / total, name))
        open_boxes.extend((name, at) for name in stack[same:])
        at += samples
    return sorted(found)


def svg(title: str, stacks: Mapping[Stack, int]) -> str:
    """Draw a flame graph; what a box is shows when the mouse is on it.

    Raises:
        ValueError: there is not one sample.
    """
    if not stacks:
        raise ValueError(f"{title}: no samples; it ran for less than a millisecond")
    laid_out = boxes(stacks)
    height = (max(depth for depth, *_ in laid_out) + 3) * _HEIGHT
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            'font-family="monospace" font-size="11">'
        ),
        f'<text x="4" y="13">{escape(title)}: {sum(stacks.values()):,} samples</text>',
    ]
    for depth, start, width, name in laid_out:
        if width * _WIDTH >= _LEAST:
            top = height - (depth + 1) * _HEIGHT
            lines.append(_box(start * _WIDTH, top, width, name))
    return "\n".join([*lines, "</svg>", ""])


def _box(left: float, top: float, width: float, name: str) -> str:
    wide = width * _WIDTH
    colour = _COLOURS[sum(name.encode()) % len(_COLOURS)]
    shown = escape(name[: int(wide / _LETTER)]) if wide > 3 * _LETTER else ""
    return (
        f"<g><title>{escape(name)} {width:.1%}</title>"
        f'<rect x="{left:.1f}" y="{top}" width="{wide:.1f}" height="{_HEIGHT - 1}" '
        f'fill="{colour}"/><text x="{left + 2:.1f}" y="{top + 12}">{shown}</text></g>'
    )
