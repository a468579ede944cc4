"""What may never happen: a signal, a hang, or memory of C that is never given back.

Each scenario runs in a process of its own, because there is nothing to assert after a
crash. A script says what it tries next, so that its last words name the culprit.
"""

import os
import signal
import sys
from pathlib import Path

import pytest

from airssys.contracts import EngineSettings
from pace import finished, unmeasured

SCRIPTS = Path(__file__).with_name("torture")


def torture(script, *arguments, status=0, flags=(), seconds=60, noise=False):
    """Run a script to its end and return what it printed.

    Unless `noise` is expected nothing may have been raised where it cannot be caught.
    Its coverage is not measured: what a signal interrupts would be the measuring, too,
    which then keeps its lock for ever.
    """
    path = os.pathsep.join(filter(None, [str(SCRIPTS), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, *flags, str(SCRIPTS / f"{script}.py"), *arguments]
    env = unmeasured() | {
        "PYTHONPATH": path,
        "AIRSSYS_TORTURE_LANE": EngineSettings().lane,
    }
    done = finished(command, seconds=seconds, env=env)
    story = f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    assert done.returncode == status, f"status {done.returncode}\n{story}"
    assert noise or "Exception ignored" not in done.stderr, story
    if status == 0 and not noise:
        assert done.stdout.endswith("survived\n"), story
    return done


def test_references_dropped_in_every_order_at_every_suspension_point():
    torture("closing_order")


@pytest.mark.parametrize("scenario", ["in_trio", "by_hand", "at_each_step"])
def test_callbacks_raise_every_kind_of_exception(scenario):
    torture("callbacks_raise", scenario)


def test_sigint_at_each_step_of_each_callback_ends_as_keyboard_interrupt():
    torture("interrupts", "each-step")


def test_sigint_in_the_keeper_of_the_runtime_is_raised_in_the_main_task():
    torture("interrupts", "keeper")


def test_sigint_at_random_moments_ends_as_keyboard_interrupt():
    torture("interrupts", "at-random", "30")


@pytest.mark.parametrize(
    "scenario",
    [
        "from_a_callback",
        "while_another_thread_is_in",
        "by_a_stranger",
        "after_closing",
        "an_old_call_has_no_say",
    ],
)
def test_a_store_is_entered_by_one_at_a_time(scenario):
    torture("misuse", scenario)


@pytest.mark.parametrize(
    "scenario",
    [
        "used_in_the_child",
        "dropped_in_the_child",
        "left_alone_in_the_child",
        "a_new_engine_in_the_child",
        "while_the_ticker_is_inside_its_lock",
        "while_a_thread_polls",
    ],
)
def test_after_fork_an_engine_is_refused_and_can_be_dropped(scenario):
    torture("forks", scenario)


def test_faulthandler_enabled_after_the_first_engine_leaves_traps_alone():
    torture("late_faulthandler")


@pytest.mark.parametrize("times", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_cancelled_calls_leave_nothing_behind(times):
    torture("cancels", str(times))


@pytest.mark.parametrize(
    ("end", "status"), [("end", 0), ("exit_with_7", 7), ("fail", 1)]
)
@pytest.mark.parametrize(
    "state",
    [
        "calls_suspended",
        "calls_in_a_cycle",
        "polls_in_threads",
        "compiles_in_threads",
        "loop_abandoned",
    ],
)
def test_the_interpreter_exits_with_calls_in_flight(state, end, status):
    done = torture("exits", state, end, status=status, noise=True)
    assert "survived" in done.stdout


@pytest.mark.parametrize("flag", ["keep", "drop"])
@pytest.mark.parametrize("crash", ["break_a_system_task", "break_the_scheduler"])
def test_trio_breaks_with_calls_in_flight(crash, flag):
    done = torture("internal_errors", crash, flag, status=1, noise=True)
    assert "trio.TrioInternalError" in done.stderr


@pytest.mark.parametrize(
    "hazard",
    [
        "garbage_collected_inside_a_callback",
        "garbage_collected_at_every_allocation",
        "finalisers_of_users_inside_a_callback",
        "polled_at_the_limit_of_recursion",
        "answers_that_wasmtime_frees_twice_if_slots_are_stale",
        "arguments_are_read_once",
        "arguments_never_taken",
        "memory_of_a_call_stays_put",
        "a_parked_ticker_wakes_for_an_endless_loop",
        "a_guest_stack_above_the_fiber_stack",
        "settings_at_their_limits",
        "host_functions_at_the_bottom_of_the_guests_stack",
        "failures_in_threads_stay_with_their_own_call",
        "warnings_that_are_errors",
        "two_large_messages_to_one_guest_at_once",
        "the_runtime_is_left_while_guests_run_elsewhere",
    ],
)
def test_a_hazard_stays_harmless(hazard):
    torture("hazards", hazard)


@pytest.mark.parametrize("where", ["start", "realloc", "function", "post"])
def test_a_guest_that_spins_gives_way_and_leaves_the_interpreter_lock(where):
    torture("spinning", where)


def test_deep_recursion_on_a_guests_stack_ends_no_process():
    """Where Python does not see the end of a fiber, finalisers are kept off it."""
    torture("deep_stacks")


def test_a_thread_dies_in_a_callback_while_the_interpreter_exits():
    torture("exits", "a_thread_in_a_callback", "end", noise=True)


def test_an_uncaught_sigint_ends_as_python_documents_it():
    """Python says what happened, and then ends by the signal for the shell's sake."""
    done = torture("interrupts", "uncaught", status=-signal.SIGINT, noise=True)
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")


SUSPENSION_POINTS = (
    "at_instantiation",
    "in_instantiation",
    "before_first_poll",
    "after_a_slice",
    "in_a_host_call",
    "in_a_host_call_with_arguments_taken",
    "in_a_host_call_answered",
    "finished",
    "finished_with_result_taken",
    "trapped",
    "failed_in_a_callback",
    "call_closed",
    "store_closed",
    "engine_closed",
)


@pytest.mark.slow
@pytest.mark.parametrize("point", SUSPENSION_POINTS)
def test_every_order_of_dropping_every_handle(point):
    torture("closing_order", point, seconds=110)


@pytest.mark.slow
@pytest.mark.parametrize(
    "way",
    [
        "before the first poll",
        "in its instantiation",
        "after a slice",
        "in a host call",
        "in a host call at once",
        "in a thread poll",
        "by its deadline",
    ],
)
def test_ten_thousand_cancelled_calls_leave_nothing_behind(way):
    torture("cancels", "10000", way, seconds=110)


@pytest.mark.slow
def test_sigint_at_many_random_moments():
    torture("interrupts", "at-random", "500", seconds=110)


@pytest.mark.slow
@pytest.mark.parametrize("script", ["hazards", "misuse", "forks", "callbacks_raise"])
def test_in_development_mode(script):
    torture(script, flags=["-X", "dev"], seconds=110)


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(20))
@pytest.mark.parametrize(
    "state", ["polls_in_threads", "compiles_in_threads", "loop_abandoned"]
)
def test_the_interpreter_exits_many_times_over(state, attempt):
    torture("exits", state, "end", noise=True)


@pytest.mark.parametrize("scenario", ["values_of_the_host", "values_of_a_guest"])
def test_a_few_random_values_never_crash(scenario):
    torture("random_values", scenario, "15")


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["values_of_the_host", "values_of_a_guest"])
def test_random_values_never_crash(scenario):
    torture("random_values", scenario, "600", seconds=110)
