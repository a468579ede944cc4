/* An actor with wasi-libc: answers with the content of a file, and counts what it answered.
 *
 *     airssys build --wasi tests/building/guests/reader.c
 *
 * reader.wasm is this, built, for machines without the toolchain.
 */
#include "airssys_guest.h"
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static uint8_t kept[65536]; /* more than the adapter has for itself */
static char line[] = "0 read\n";

static airssys_done guest_initialize(const airssys_config *config) {
    (void)config;
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now))
        return airssys_fail(AIRSSYS_INITIALIZATION_FAILED, AIRSSYS_TEXT("no clock"));
    const char *greeting = getenv("GREETING");
    if (greeting) write(1, greeting, strlen(greeting));
    return airssys_ok();
}

static airssys_answer guest_handle_message(const airssys_message *message) {
    char *path = airssys_alloc(message->payload.size + 1);
    memcpy(path, message->payload.data, message->payload.size);
    path[message->payload.size] = 0;
    int file = open(path, O_RDONLY);
    if (file < 0)
        return airssys_answer_error(AIRSSYS_RUNTIME_ERROR, AIRSSYS_TEXT("it cannot be opened"));
    ssize_t size = read(file, kept, sizeof kept);
    close(file);
    if (size < 0)
        return airssys_answer_error(AIRSSYS_RUNTIME_ERROR, AIRSSYS_TEXT("it cannot be read"));
    line[0]++;
    write(1, line, sizeof line - 1);
    return airssys_answer_bytes((airssys_bytes){kept, (size_t)size});
}

static airssys_done guest_handle_callback(const airssys_message *message) {
    (void)message;
    return airssys_ok();
}

static airssys_metadata guest_metadata(void) {
    return (airssys_metadata){
        AIRSSYS_TEXT("reader"), AIRSSYS_TEXT("1.0.0"), AIRSSYS_TEXT("reads files"),
        AIRSSYS_TEXT("airssys"), AIRSSYS_TEXT("MIT"), {0, 0}, false};
}

static int guest_health(void) { return AIRSSYS_HEALTHY; }

static airssys_done guest_shutdown(void) { return airssys_ok(); }
