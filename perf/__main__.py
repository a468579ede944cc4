"""The suite that measures airssys: run it, compare runs, compare with peers.

A case is timed in one process together with a calibration case of plain Trio, in turn, in
short slices. What counts is the ratio of the two, so that results of two days or two
machines can be compared.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parent.parent
_RESULTS: Final = _ROOT / ".build" / "perf"
_NOT_JUDGED: Final = 3
_PAGE: Final = _ROOT / "docs" / "reference" / "performance.md"


def _list(_: argparse.Namespace) -> int:
    from perf.growth.populations import POPULATIONS  # noqa: PLC0415  # as below
    from perf.suite.cases import CASES  # noqa: PLC0415  # imports what is measured
    from perf.suite.programs import programs  # noqa: PLC0415  # as below

    print("Cases of `python -m perf run`:")
    for case in CASES.values():
        print(f"  {case.name:<18} {case.what}, against {case.calibration[0]}")
    print("Populations of `python -m perf scale`:")
    for name, (most, act) in POPULATIONS.items():
        print(f"  {name:<18} {most:,}: {(act.__doc__ or '').splitlines()[0]}")
    print("Programs, each with bounds of its own and what it prints:")
    for program in programs():
        also = f" (in the suite: {program.cases})" if program.cases else ""
        print(f"  python perf/{program.name}{also}\n      {program.prints}")
    return 0


def _run(options: argparse.Namespace) -> int:
    from perf.suite import comparing, running  # noqa: PLC0415  # as above

    effort = running.QUICK if options.quick else running.FULL
    output = _new(options.output, "run")
    found = running.run(options.cases, effort, output)
    for result in found.values():
        print(_line(result))
    print(f"written: {output}")
    noise = comparing.noise_of_machine(list(found.values()))
    if noise:
        print(f"The machine is too noisy, nothing is judged: {noise}.")
    if options.guard:
        return _guard(found, running.baseline())
    return _NOT_JUDGED if noise else 0


def _guard(found: dict, baseline: Path) -> int:  # type: ignore[type-arg]
    from perf.suite import comparing, running  # noqa: PLC0415  # as above

    if not baseline.exists():
        print(f"There is no baseline for this Python: {baseline}. Nothing is judged.")
        return _NOT_JUDGED
    comparison = comparing.compare(running.read(baseline), found, only_new=True)
    print(comparing.table(comparison))
    return comparison.status


def _line(result) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001  # imported late
    from statistics import median  # noqa: PLC0415  # as above

    from measuring.ratios import kib, seconds  # noqa: PLC0415  # as above

    from perf.suite.comparing import noise_of, spread  # noqa: PLC0415  # as above

    unit = kib if result.unit == "byte" else seconds
    ratio = median(result.ratios)
    noise = noise_of(result)
    return (
        f"{result.name:<18} {unit(result.value):>10}  {ratio:7.3f} x "
        f"+- {spread(result.ratios):.1%}" + (f"  ({noise})" if noise else "")
    )


def _new(given: Path | None, kind: str) -> Path:
    """Return the file for results; one that is there is not written over.

    Raises:
        FileExistsError: before anything is measured.
    """
    if given is not None and given.exists():
        raise FileExistsError(f"{given} is there already; choose another name")
    return given or _unused(kind)


def _unused(kind: str) -> Path:
    names = (_RESULTS / f"{kind}-{number}.json" for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def _compare(options: argparse.Namespace) -> int:
    from perf.suite import comparing, running  # noqa: PLC0415  # as above

    found = comparing.compare(running.read(options.base), running.read(options.new))
    print(comparing.table(found))
    return found.status


def _baseline(options: argparse.Namespace) -> int:
    from perf.suite import comparing, running  # noqa: PLC0415  # as above

    found = running.read(options.run)
    if noise := comparing.noise_of_machine(list(found.values())):
        print(f"Not kept, the machine was too noisy: {noise}.")
        return _NOT_JUDGED
    running.baseline().parent.mkdir(exist_ok=True)
    running.baseline().write_bytes(options.run.read_bytes())
    print(f"written: {running.baseline()}")
    return 0


def _bisect_like(options: argparse.Namespace) -> int:
    from perf.suite import commits, comparing  # noqa: PLC0415  # as above

    both = commits.measure(options.base, options.new, options.cases, _RESULTS)
    comparison = comparing.compare(*both)
    print(comparing.table(comparison))
    return comparison.status


def _flame(options: argparse.Namespace) -> int:
    from perf.suite.cases import chosen  # noqa: PLC0415  # as above
    from perf.suite.flames import sample, svg  # noqa: PLC0415  # as above
    from perf.suite.timing import alone  # noqa: PLC0415  # as above

    _RESULTS.mkdir(parents=True, exist_ok=True)
    for case in chosen(options.cases):
        output = _RESULTS / f"flame-{case.name.replace('/', '-')}.svg"
        stacks = sample(lambda case=case: alone(case, options.seconds))
        output.write_text(svg(f"{case.name}, {case.what}", stacks), "utf-8")
        print(f"written: {output}")
    return 0


def _memory(options: argparse.Namespace) -> int:
    from perf.suite.cases import CASES  # noqa: PLC0415  # as above
    from perf.suite.memory import breakdown  # noqa: PLC0415  # as above

    print(breakdown(CASES[f"idle-bytes/{options.kind}"], options.count))
    return 0


def _page(options: argparse.Namespace) -> int:
    from perf.suite import page, rows  # noqa: PLC0415  # as above

    given = {name: path for name in rows.PARTS if (path := getattr(options, name))}
    with tempfile.TemporaryDirectory() as directory:
        tried = Path(directory, "results")
        shutil.copytree(rows.RESULTS, tried)
        for name, path in given.items():
            shutil.copyfile(path, tried / f"{name}.json")
        try:
            made = rows.generated(tried)
        except (rows.TooNoisy, page.Unexplained) as error:
            print(f"Not written: {error}.")
            return _NOT_JUDGED
    for name, path in given.items():
        shutil.copyfile(path, rows.RESULTS / f"{name}.json")
    _PAGE.write_text(page.replaced(_PAGE.read_text("utf-8"), made.text), "utf-8")
    for name, drawn in made.charts.items():
        _PAGE.with_name(name).write_text(drawn, "utf-8")
    print(f"written: {_PAGE} and what it was made from, in {rows.RESULTS}")
    return 0


def _scale(options: argparse.Namespace) -> int:
    from perf.growth import keeping, steps  # noqa: PLC0415  # as above
    from perf.growth.populations import POPULATIONS  # noqa: PLC0415  # as above

    wanted = list(options.populations or POPULATIONS)
    if unknown := set(wanted) - POPULATIONS.keys():
        raise ValueError(f"no population is named {', '.join(sorted(unknown))}")
    output = _new(options.output, "scale")
    found: steps.Found = {}
    for name in wanted:
        for size in steps.sizes(max(1, round(POPULATIONS[name][0] * options.part))):
            print(f"{size:,} {name} ...", flush=True)
            found.setdefault(name, {})[size] = steps.measure(name, size)
    keeping.dump(found, output)
    print(f"{steps.markdown(found)}\nwritten: {output}")
    return 1 if steps.unflat(found) else 0


def _population(options: argparse.Namespace) -> int:
    import json  # noqa: PLC0415  # as above

    import trio  # noqa: PLC0415  # as above

    from perf.growth.populations import POPULATIONS  # noqa: PLC0415  # as above

    print(json.dumps(trio.run(POPULATIONS[options.population][1], options.size)))
    return 0


def _peers(options: argparse.Namespace) -> int:
    from perf.peers import interleaving  # noqa: PLC0415  # as above

    wanted = list(options.cases or interleaving.COUNTS)
    if unknown := set(wanted) - set(interleaving.COUNTS):
        raise ValueError(f"no case of peers is named {', '.join(sorted(unknown))}")
    output = _new(options.output, "peers")
    found, about = interleaving.run(wanted, quick=options.quick)
    interleaving.dump(found, about, output)
    for name, version in about.items():
        print(f"{name:<20} {version}")
    print(f"written: {output}")
    return _stand(output)


def _stand(path: Path) -> int:
    import json  # noqa: PLC0415  # as above

    from perf.peers import standing  # noqa: PLC0415  # as above
    from perf.peers.environments import OURS, PEERS, TRIO  # noqa: PLC0415  # as above
    from perf.peers.wanted import WANTED  # noqa: PLC0415  # as above

    found = standing.parse(json.loads(path.read_text("utf-8")))
    print(standing.markdown(found, [peer.name for peer in PEERS]))
    lines = standing.standing(found, OURS, TRIO, WANTED)
    for line in lines:
        print(f"{line.case:<16} {line.ours:<18} {line.verdict}")
    return standing.status(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m perf", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "list", _list, "show all cases")
    run = _add(commands, "run", _run, "run cases, all by default")
    run.add_argument("cases", nargs="*", metavar="CASE", help="ask, ask/plain, */async")
    run.add_argument("--quick", action="store_true", help="5 processes for each case")
    run.add_argument("--output", "-o", type=Path, help="a new file for the results")
    run.add_argument("--guard", action="store_true", help="compare with the baseline")
    compare = _add(
        commands,
        "compare",
        _compare,
        "compare two runs: exits with 1 if a case is slower, 3 if nothing was judged",
    )
    compare.add_argument("base", type=Path, metavar="BASE")
    compare.add_argument("new", type=Path, metavar="NEW")
    peers = _add(
        commands,
        "peers",
        _peers,
        "compare with other frameworks, each in an environment that is made for it: exits "
        "with 1 if a line falls short, 3 if nothing was judged",
    )
    peers.add_argument("cases", nargs="*", metavar="CASE", help="ask, ring; all")
    peers.add_argument("--quick", action="store_true", help="3 rounds")
    peers.add_argument("--output", "-o", type=Path, help="a new file for the results")
    baseline = _add(commands, "baseline", _baseline, "keep a quiet run for --guard")
    baseline.add_argument("run", type=Path, metavar="RUN")
    bisect = _add(commands, "bisect-like", _bisect_like, "measure and compare commits")
    bisect.add_argument("base", metavar="A")
    bisect.add_argument("new", metavar="B")
    bisect.add_argument("cases", nargs="*", metavar="CASE")
    page = _add(
        commands,
        "page",
        _page,
        "write the figures into the documentation, and keep the files that are given: "
        "exits with 3 if one was made on a noisy machine or lacks an explanation",
    )
    for name in ("run", "peers", "scale"):
        text = f"what `python -m perf {name}` wrote; by default the one that was kept"
        page.add_argument(f"--{name}", type=Path, metavar="FILE", help=text)
    scale = _add(
        commands,
        "scale",
        _scale,
        "time and memory of each, by how many there are: exits with 1 if one is not flat",
    )
    scale.add_argument(
        "populations", nargs="*", metavar="POPULATION", help="actors; all"
    )
    scale.add_argument("--part", type=float, default=1.0, help="of the largest size")
    scale.add_argument("--output", "-o", type=Path, help="a new file for the results")
    population = _add(commands, "population", _population, "one size, for `scale`")
    population.add_argument("population")
    population.add_argument("size", type=int)
    flame = _add(commands, "flame", _flame, "draw where cases spend their time")
    flame.add_argument("cases", nargs="*", metavar="CASE")
    flame.add_argument("--seconds", type=float, default=3, help="of each case")
    memory = _add(commands, "memory", _memory, "show what an idle actor is made of")
    memory.add_argument("kind", choices=["plain", "async"], nargs="?", default="plain")
    memory.add_argument("--count", type=int, default=2000, help="actors")
    return parser


def _add(commands, name: str, act, text: str) -> argparse.ArgumentParser:  # type: ignore[no-untyped-def]  # noqa: ANN001  # argparse has no public type
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(act=act)
    return parser


def main() -> int:
    """Do what the command line asks for."""
    if sys.argv[1:2] == ["worker"]:
        from perf.suite import running  # noqa: PLC0415  # as above

        running.work(sys.argv[2:])
        return 0
    options = _parser().parse_args()
    try:
        status: int = options.act(options)
    except (OSError, ValueError) as error:
        print(f"python -m perf: {error}", file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
