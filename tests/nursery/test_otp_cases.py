"""The suite is whole: each of OTP's 93 cases is there by name, and hardly any is skipped."""

import ast
import re
from pathlib import Path

SUITE = Path(__file__).with_name("test_otp_suite.py")
MAY_BE_SKIPPED = 8
NEVER_SKIPPED = ("code_change", "hanging_restart_loop", "significant_")
OTP = """
sup_start_normal sup_start_ignore_init sup_start_ignore_child
sup_start_ignore_temporary_child sup_start_ignore_temporary_child_start_child
sup_start_ignore_temporary_child_start_child_simple
sup_start_ignore_permanent_child_start_child_simple sup_start_error_return
sup_start_fail sup_start_child_returns_error sup_start_restart_child_returns_error
sup_start_child_returns_error_simple sup_start_map sup_start_map_simple
sup_start_map_faulty_specs sup_stop_infinity sup_stop_timeout
sup_stop_timeout_dynamic sup_stop_brutal_kill sup_stop_brutal_kill_dynamic
sup_stop_race sup_stop_non_shutdown_exit_dynamic child_adm child_adm_simple
extra_return child_specs child_specs_map sup_flags multiple_restarts one_for_one
one_for_one_escalation one_for_all one_for_all_escalation
one_for_all_other_child_fails_restart simple_one_for_one simple_one_for_one_shutdown
simple_one_for_one_extra simple_one_for_one_escalation simple_one_for_one_corruption
simple_one_for_one_restart_ignore rest_for_one rest_for_one_escalation
rest_for_one_other_child_fails_restart external_start_no_progress_log
permanent_normal transient_normal temporary_normal permanent_shutdown
transient_shutdown temporary_shutdown faulty_application_shutdown permanent_abnormal
transient_abnormal temporary_abnormal temporary_bystander child_unlink tree
simple_global_supervisor nonsignificant_temporary nonsignificant_transient
significant_temporary significant_transient significant_simple significant_bystander
significant_escalation significant_upgrade_never_any significant_upgrade_any_never
significant_upgrade_never_all significant_upgrade_all_never
significant_upgrade_any_all significant_upgrade_all_any significant_upgrade_child
count_children count_children_supervisor count_restarting_children
get_callback_module do_not_save_start_parameters_for_temporary_children
do_not_save_child_specs_for_temporary_children
simple_one_for_one_scale_many_temporary_children scale_start_stop_many_children
order_of_children which_children which_children_simple_one_for_one
already_started_outside_supervisor hanging_restart_loop
hanging_restart_loop_rest_for_one hanging_restart_loop_simple code_change
code_change_map code_change_simple code_change_simple_map format_log_1 format_log_2
"""
ELIXIR = """
elixir_max_children elixir_max_children_counts_restarting_children
elixir_child_is_restarted_with_different_values elixir_throw_error_and_exit_at_start
elixir_terminates_restarting_child elixir_expired_timeouts_and_mixed_children
"""
SUTURE = """
suture_stopping_still_works_with_hung_services suture_removing_hung_service
suture_ever_multistarted suture_add_after_stopping suture_issue_77
"""


def functions():
    """Return the tests of the suite with the source of their decorators, in order."""
    tree = ast.parse(SUITE.read_text("utf-8"))
    return [
        (node.name.removeprefix("test_"), list(map(ast.unparse, node.decorator_list)))
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]


def skips():
    return {
        name: decorator
        for name, decorators in functions()
        for decorator in decorators
        if "skip" in decorator or "xfail" in decorator
    }


def test_every_case_is_there_once_and_otps_are_in_its_order():
    names = [name for name, _ in functions()]
    cases = OTP.split()
    assert len(cases) == len(set(cases)) == 93
    assert len(set(names)) == len(names)
    assert [name for name in names if name in cases] == cases
    assert {*ELIXIR.split(), *SUTURE.split()} <= set(names)


def test_hardly_any_case_is_skipped_and_each_says_why_in_a_sentence():
    assert len(skips()) <= MAY_BE_SKIPPED
    for name, decorator in skips().items():
        assert not name.startswith(NEVER_SKIPPED), name
        reason = re.fullmatch(r"pytest\.mark\.skip\('([^']+)'\)", decorator)
        assert reason is not None, decorator
        assert len(reason[1].split()) > 5, decorator


def test_no_case_skips_itself_while_it_runs():
    source = SUITE.read_text("utf-8")
    assert not re.search(r"pytest\.(skip|xfail|importorskip)\(", source)
