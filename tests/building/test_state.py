"""Guests that hand state over, as their languages write it."""

import shutil

import pytest

from airssys.building.recipes._recipe import run_tool
from airssys.building.toolchains._c_guest import INCLUDE
from airssys.building.toolchains._python_guest import _hands_over
from airssys.contracts import GuestRejected
from wasm_support import envelope

IN_C = """
#define AIRSSYS_STATE
#include "airssys_guest.h"

static uint8_t count;
static airssys_done guest_initialize(const airssys_config *c) { (void)c; return airssys_ok(); }
static airssys_answer guest_handle_message(const airssys_message *m) {
    count++;
    return airssys_answer_bytes(m->payload);
}
static airssys_done guest_handle_callback(const airssys_message *m) { (void)m; return airssys_ok(); }
static airssys_metadata guest_metadata(void) { return (airssys_metadata){.stateful = true}; }
static int guest_health(void) { return AIRSSYS_HEALTHY; }
static airssys_done guest_shutdown(void) { return airssys_ok(); }
static airssys_state guest_export_state(void) {
    return (airssys_state){.is_error = false, .ok = {&count, 1}};
}
static airssys_done guest_import_state(airssys_bytes state) {
    if (state.size != 1) return airssys_fail(AIRSSYS_INVALID_STATE, AIRSSYS_TEXT("one byte"));
    count = state.data[0];
    return airssys_ok();
}
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not here")
def test_the_header_has_the_functions_for_guests_that_want_them(tmp_path):
    (tmp_path / "keeper.c").write_text(IN_C)
    options = "-m32 -malign-double -ffreestanding -fsyntax-only -std=c11 -Wall -Wextra"
    quiet = "-Wno-attributes -Wno-implicit-function-declaration"
    command = ["gcc", *options.split(), *quiet.split(), "-I", str(INCLUDE), "keeper.c"]
    done = run_tool(command, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "hands_over"),
    [
        ("class ComponentLifecycle:\n    def export_state(self): ...", True),
        ("class ComponentLifecycle:\n    async def import_state(self, s): ...", True),
        ("class ComponentLifecycle:\n    export_state = None", False),
        ("class Other:\n    def export_state(self): ...", False),
        ("def export_state(self): ...", False),
        ("class ComponentLifecycle: (", False),
        ("\0", False),
    ],
)
def test_a_python_guest_hands_state_over_if_its_class_says_so(
    tmp_path, text, hands_over
):
    source = tmp_path / "guest.py"
    source.write_text(text)
    assert _hands_over(source) is hands_over
    assert not _hands_over(tmp_path / "absent.py")


@pytest.mark.slow
async def test_a_python_guest_hands_its_state_over(keeper, open_component):
    async with open_component(keeper) as guest:
        assert guest.hands_over
        await guest.handle_message(envelope(b"x"))
        state = await guest.export_state()
        assert state == b"1"
        await guest.handle_message(envelope(b"forget"))
        with pytest.raises(GuestRejected) as refusal:
            await guest.export_state()
        assert (refusal.value.case, refusal.value.detail) == (
            "invalid-state",
            "forgotten",
        )
        with pytest.raises(GuestRejected, match="ValueError: invalid literal"):
            await guest.import_state(b"no number")
        await guest.import_state(b"41")
        assert await guest.handle_message(envelope(b"x")) == b"42"
