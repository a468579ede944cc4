/* Answers in capital letters.
 *
 *     airssys build examples/guests/shout.c
 */
#include "airssys_guest.h"

static airssys_done guest_initialize(const airssys_config *config) {
    (void)config;
    airssys_log(AIRSSYS_INFO, AIRSSYS_TEXT("ready"));
    return airssys_ok();
}

static airssys_answer guest_handle_message(const airssys_message *message) {
    airssys_bytes payload = message->payload;
    if (!payload.size)
        return airssys_answer_error(AIRSSYS_RUNTIME_ERROR, AIRSSYS_TEXT("nothing to shout"));
    uint8_t *loud = airssys_alloc(payload.size);
    for (size_t i = 0; i < payload.size; i++) {
        uint8_t letter = payload.data[i];
        loud[i] = letter >= 'a' && letter <= 'z' ? letter - 32 : letter;
    }

    return airssys_answer_bytes((airssys_bytes){loud, payload.size});
}

static airssys_done guest_handle_callback(const airssys_message *message) {
    (void)message;
    return airssys_ok();
}

static airssys_metadata guest_metadata(void) {
    static const airssys_string operations[] = {{"shout", 5}};
    return (airssys_metadata){
        AIRSSYS_TEXT("shout"), AIRSSYS_TEXT("1.0.0"), AIRSSYS_TEXT("answers in capital letters"),
        AIRSSYS_TEXT("airssys"), AIRSSYS_TEXT("MIT"), {operations, 1}, false};
}

static int guest_health(void) { return AIRSSYS_HEALTHY; }

static airssys_done guest_shutdown(void) { return airssys_ok(); }
