"""What the examples of real components print, from beginning to end."""

import sys
from pathlib import Path

import pytest

from airssys.wasm.host.wasi.files import has_openat2
from pace import finished, without_progress

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "components"

PRINTED = {
    "grants": """\
done
not granted: local/trainee/0: messaging send local/shelf/0 is not granted. Add a grant for it to can=, or do without this call
done
not granted: local/trainee/0: messaging ask local/shelf/0 is not granted. Add a grant for it to can=, or do without this call
done
not granted: local/trainee/0: messaging broadcast local/shelf/0 is not granted. Add a grant for it to can=, or do without this call
done
not granted: local/trainee/0: messaging publish news.today is not granted. Add a grant for it to can=, or do without this call
done
not granted: local/trainee/0: messaging subscribe news.* is not granted. Add a grant for it to can=, or do without this call
diary: yyy
blank: nnn
front True
safe False
""",
    "wasi_grants": """\
know a variable: may
know a variable: may not
know its arguments: may
know its arguments: may not
measure time: may
measure time: may not
draw lots: may
draw lots: stopped
find a folder: may
find a folder: may not
make a socket: may
make a socket: may not
ask a server: may
ask a server: may not
write: nothing
write: nothing
""",
    "pipeline": """\
a book, packed, weighed, delivered, from the driver
a pen, packed, weighed, delivered, from the driver
the last one, packed, weighed, delivered, from the driver
""",
    "request_and_crash": """\
12/3 = 4
1/0 = not a number
9/3 = 3
never handled: 1/0, crashed
the divider was restarted 1 time
""",
    "publish_subscribe": """\
orders.fr.paid: a book
orders.it.returned: a pen
orders.fr.paid: a map
french (orders.fr.*): 2
paid (orders.*.paid): 2
all (orders.#): 3
""",
}


@pytest.mark.parametrize("name", PRINTED)
def test_components_that_talk(name):
    if name == "wasi_grants" and not has_openat2():
        pytest.skip("no openat2: no files")
    done = finished([sys.executable, str(EXAMPLES / f"{name}.py")])
    assert done.stdout == PRINTED[name], done.stderr
    assert (done.returncode, without_progress(done.stderr)) == (0, "")


def test_each_example_is_run():
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted(PRINTED)
