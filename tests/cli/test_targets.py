"""What a command line may name, and what is reported when that is wrong."""

import pytest

HELLO = """
    from airssys import blueprint
    from {there} import hello

    App = blueprint()
"""


@pytest.mark.parametrize(
    "target", ["app:App", "app.py:App", "./app.py:App", "app:built", "app:outer.App"]
)
def test_topologies_and_blueprints_are_found(airssys, target):
    done = airssys("check", target)
    assert (done.exit_code, done.stderr) == (0, "")


def test_modules_in_packages_and_beside_a_file_are_found(airssys, write):
    write("package/inner.py", HELLO.format(there=".there"))
    write("package/there.py", "hello = 1")
    write("place/inner2.py", HELLO.format(there="there2"))
    write("place/there2.py", "hello = 1")
    assert airssys("check", "package.inner:App").exit_code == 0
    assert airssys("check", "place/inner2.py:App").exit_code == 0


def test_a_file_called_like_a_module_does_not_replace_it(airssys, write):
    import trio

    path = write("trio.py", "from airssys import blueprint\nApp = blueprint()\n")
    assert airssys("check", f"{path}:App").exit_code == 0
    import trio as again

    assert again is trio


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("app", ["'app' is not a valid target", "MODULE:NAME"]),
        (":App", ["is not a valid target"]),
        ("app:", ["is not a valid target"]),
        ("nowhere:App", ["there is no module nowhere", "neither in"]),
        ("app.inner:App", ["there is no module app.inner"]),
        (".app:App", ["is not a module"]),
        ("nowhere.py:App", ["there is no file nowhere.py"]),
        ("app.py.App:x", ["there is no module app.py"]),
        ("app:Ap", ["app has no Ap", "it has App, built"]),
        ("app:App.nothing", ["app has no App.nothing"]),
        (
            "app:greet",
            ["greet is neither a topology nor a blueprint", "it has App, built"],
        ),
        ("app:Workers", ["Workers is neither a topology nor a blueprint"]),
        ("empty:x", ["empty has no x", "decorate a class with @topology"]),
        ("leaving:x", ["SystemExit(3)", "__main__"]),
    ],
)
@pytest.mark.parametrize("command", ["run", "check", "tree"])
def test_a_wrong_target_is_an_error_of_usage(airssys, write, command, target, words):
    write("empty.py", "")
    write("leaving.py", "raise SystemExit(3)")
    done = airssys(command, target)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    # The usage is wrapped to the width of the terminal.
    reported = " ".join(done.stderr.split())
    assert [word for word in words if word not in reported] == []


@pytest.mark.parametrize("target", ["broken:App", "broken.py:App"])
@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("def f():\n    1 / 0\nf()", "ZeroDivisionError: division by zero"),
        ("import nowhere.at_all", "ModuleNotFoundError: No module named 'nowhere'"),
        ("x = (", "SyntaxError: '(' was never closed"),
    ],
)
def test_an_error_of_the_module_is_shown_with_its_own_lines(
    airssys, write, target, text, last
):
    path = write("broken.py", text)
    done = airssys("check", target)
    assert (done.exit_code, done.stdout) == (1, "")
    lines = done.stderr.split("\n")
    assert last in lines
    assert f"{target.partition(':')[0]} could not be imported" in lines
    assert all(str(path) in line for line in lines if line.startswith('  File "'))


def test_ctrl_c_while_importing_ends_as_signals_do(airssys, write):
    write("slow.py", "raise KeyboardInterrupt")
    assert airssys("check", "slow:App").exit_code == 130
