"""The charts of the page, as SVG: how many times plain Trio, and microseconds of peers."""

from __future__ import annotations

import math
from html import escape
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perf.suite.page import Row

_LABEL: Final = 150
_WIDE: Final = 520
_ROW: Final = 20
_TOP: Final = 26
_COLOURS: Final = (
    "#d8743b", "#e0a030", "#222222", "#3b7dd8", "#2f9e5b", "#8a56c2", "#c2567f",
    "#5aa8a8", "#7a7a3a", "#999999",
)  # fmt: skip


class Axis:
    """A scale on which as many times more is as far away everywhere."""

    def __init__(self, values: Iterable[float]) -> None:
        logs = [math.log10(value) for value in values]
        self._least, self._most = math.floor(min(logs)), math.ceil(max(logs))
        self._each = _WIDE / max(1, self._most - self._least)

    def at(self, value: float) -> float:
        """Return where a value stands, in pixels."""
        return _LABEL + (math.log10(value) - self._least) * self._each

    def lines(self, height: int) -> list[str]:
        """Draw a line for each power of ten, with its number above."""
        found = []
        for power in range(self._least, self._most + 1):
            x, number = self.at(10.0**power), f"{10.0**power:g}"
            found += [
                _line(x, 18, height, "#ddd"),
                f'<text x="{x:.1f}" y="14" text-anchor="middle">{number}</text>',
            ]
        return found


def ratios(rows: Sequence[Row]) -> str:
    """Draw ratios as bars that begin at 1, to the left if faster, and what is wanted."""
    wanted = [row.wanted for row in rows if row.wanted is not None]
    axis = Axis([0.1, 10, *wanted, *(row.ratio for row in rows)])
    height = _TOP + len(rows) * _ROW
    lines = axis.lines(height)
    for number, row in enumerate(rows):
        top = _TOP + number * _ROW
        left, right = sorted((axis.at(1), axis.at(row.ratio)))
        colour = "#3b7dd8" if row.holds else "#d8743b"
        lines += [
            _label(row.name, top),
            _bar(left, right, top, colour),
            f'<text x="{right + 5:.1f}" y="{top + 11}">{row.ratio:.2f}</text>',
        ]
        if row.wanted is not None:
            lines.append(_line(axis.at(row.wanted), top - 2, top + 16, "#222"))
    return _svg("how many times the calibration; left of 1 is better", height, lines)


def peers(
    found: Mapping[str, Mapping[str, Sequence[float]]], names: Sequence[str]
) -> str:
    """Draw the microseconds of each peer as a dot, a case in each row."""
    middle = {
        case: {name: median(times[name]) * 1e6 for name in names if name in times}
        for case, times in found.items()
    }
    axis = Axis(value for times in middle.values() for value in times.values())
    height = _TOP + len(middle) * _ROW
    lines = axis.lines(height)
    for number, (case, times) in enumerate(middle.items()):
        top = _TOP + number * _ROW
        lines.append(_label(case, top))
        lines += [
            _dot(axis.at(value), top + 7, name, names) for name, value in times.items()
        ]
    for number, name in enumerate(names):
        x, y = _LABEL + number % 4 * 135, height + 16 + number // 4 * 18
        lines.append(_dot(x, y, name, names))
        lines.append(f'<text x="{x + 9}" y="{y + 4}">{escape(name)}</text>')
    whole = height + 16 + (len(names) + 3) // 4 * 18
    return _svg("microseconds for each operation", whole, lines)


def _dot(x: float, y: float, name: str, names: Sequence[str]) -> str:
    colour = _COLOURS[names.index(name) % len(_COLOURS)]
    title = f"<title>{escape(name)}</title>"
    return f'<ellipse cx="{x:.1f}" cy="{y}" rx="5" ry="5" fill="{colour}">{title}</ellipse>'


def _bar(left: float, right: float, top: int, colour: str) -> str:
    wide = right - left
    return f'<rect x="{left:.1f}" y="{top}" width="{wide:.1f}" height="14" fill="{colour}"/>'


def _label(text: str, top: int) -> str:
    return f'<text x="4" y="{top + 11}">{escape(text)}</text>'


def _line(x: float, top: float, bottom: float, colour: str) -> str:
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="{colour}"/>'
    )


def _svg(title: str, height: int, lines: Sequence[str]) -> str:
    begin = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LABEL + _WIDE + 60}" '
        f'height="{height + 6}" font-family="sans-serif" font-size="12">'
    )
    return "\n".join([begin, f"<title>{title}</title>", *lines, "</svg>", ""])
