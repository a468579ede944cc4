/* The world airssys:core/runtime-host@1.0.0 for C guests (wasm32,
 * without a library; or with wasi-libc, by `airssys build --wasi`).
 *
 * Include this in the one file of your guest and write the six functions below, whose
 * names begin with guest_. `airssys build guest.c` does the rest.
 *
 * Memory: whatever the host hands in, and whatever airssys_alloc gives, lives until the
 * end of the call in hand; copy to static variables what must last. A text need not end
 * in a zero byte. Every struct that crosses to the host is laid out as the canonical
 * ABI wants it, by C's own rules: do not reorder or pack.
 */
#ifndef AIRSSYS_GUEST_H
#define AIRSSYS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- values */

typedef struct { const char *data; size_t size; } airssys_string;
typedef struct { const uint8_t *data; size_t size; } airssys_bytes;
typedef struct { airssys_string ns, name, instance; } airssys_component_id;
typedef struct { uint64_t seconds; uint32_t nanoseconds; } airssys_timestamp;
typedef struct { airssys_string name, value; } airssys_pair;

typedef struct { bool is_some; airssys_string value; } airssys_optional_string;
typedef struct { bool is_some; airssys_bytes value; } airssys_optional_bytes;
typedef struct { bool is_some; uint64_t value; } airssys_optional_u64;
typedef struct { bool is_some; airssys_component_id value; } airssys_optional_component_id;

typedef struct { const airssys_string *items; size_t count; } airssys_strings;
typedef struct { const airssys_pair *items; size_t count; } airssys_pairs;
typedef struct { const airssys_component_id *items; size_t count; } airssys_component_ids;

typedef struct {
    airssys_optional_string correlation_id;
    airssys_optional_component_id reply_to;
    airssys_timestamp timestamp;
    airssys_optional_string content_type;
} airssys_message_metadata;

typedef struct {
    airssys_component_id sender;
    airssys_bytes payload;
    airssys_message_metadata metadata;
} airssys_message;

typedef struct {
    airssys_pairs env;
    airssys_optional_bytes data;
    uint64_t max_memory_bytes;
    uint64_t max_execution_time_ms;
    airssys_optional_u64 max_fuel;
} airssys_config;

typedef struct {
    airssys_string name, version, description, author, license;
    airssys_strings operations;
    bool stateful;
} airssys_metadata;

typedef struct {
    airssys_component_id id;
    airssys_string name, version, health;
} airssys_component_info;

typedef struct { uint64_t used_bytes, quota_bytes, key_count; } airssys_storage_usage;

enum { AIRSSYS_TRACE, AIRSSYS_DEBUG, AIRSSYS_INFO, AIRSSYS_WARN, AIRSSYS_ERROR };
enum { AIRSSYS_HEALTHY, AIRSSYS_DEGRADED, AIRSSYS_UNHEALTHY, AIRSSYS_UNKNOWN };

/* ---------------------------------------------------------------- results */

/* The kinds of errors, by the error's name in WIT. */
enum {
    AIRSSYS_COMPONENT_NOT_FOUND, AIRSSYS_INSTANTIATION_FAILED, AIRSSYS_EXPORT_NOT_FOUND,
    AIRSSYS_TIMEOUT, AIRSSYS_RESOURCE_LIMIT_EXCEEDED, AIRSSYS_INVALID_COMPONENT,
    AIRSSYS_RUNTIME_ERROR
}; /* wasm-error */
enum {
    AIRSSYS_INITIALIZATION_FAILED, AIRSSYS_ALREADY_INITIALIZED, AIRSSYS_NOT_INITIALIZED,
    AIRSSYS_SHUTDOWN_FAILED, AIRSSYS_INVALID_STATE
}; /* component-error */
enum {
    AIRSSYS_DELIVERY_FAILED, AIRSSYS_CORRELATION_TIMEOUT, AIRSSYS_INVALID_MESSAGE,
    AIRSSYS_QUEUE_FULL, AIRSSYS_TARGET_NOT_FOUND
}; /* messaging-error */
enum {
    AIRSSYS_NOT_FOUND, AIRSSYS_ALREADY_EXISTS, AIRSSYS_QUOTA_EXCEEDED,
    AIRSSYS_INVALID_KEY, AIRSSYS_IO_ERROR
}; /* storage-error */

/* wasm-error, component-error, storage-error: kinds without a text leave it alone. */
typedef struct { uint8_t kind; airssys_string text; } airssys_error;
typedef struct {
    uint8_t kind;
    union {
        airssys_string text; /* all kinds but these: */
        airssys_component_id target; /* AIRSSYS_TARGET_NOT_FOUND; AIRSSYS_QUEUE_FULL has none */
    };
} airssys_messaging_error;

/* What guest_ functions return: make them with airssys_ok(), airssys_fail() and so on. */
typedef struct { bool is_error; airssys_error error; } airssys_done;
typedef struct {
    bool is_error;
    union { airssys_optional_bytes ok; airssys_error error; };
} airssys_answer;

/* What host functions return. Look at is_error first. */
#define AIRSSYS_RESULT(name, ok_type, error_type) \
    typedef struct { bool is_error; union { ok_type ok; error_type error; }; } name

typedef struct { bool is_error; airssys_messaging_error error; } airssys_sent;
AIRSSYS_RESULT(airssys_requested, airssys_string, airssys_messaging_error);
AIRSSYS_RESULT(airssys_asked, airssys_bytes, airssys_messaging_error);
AIRSSYS_RESULT(airssys_looked_up, airssys_component_info, airssys_error);
typedef struct { bool is_error; airssys_error error; } airssys_stored;
AIRSSYS_RESULT(airssys_got, airssys_optional_bytes, airssys_error);
AIRSSYS_RESULT(airssys_existing, bool, airssys_error);
AIRSSYS_RESULT(airssys_keys, airssys_strings, airssys_error);
AIRSSYS_RESULT(airssys_used, airssys_storage_usage, airssys_error);

/* ---------------------------------------------------------------- yours to write */

static airssys_done guest_initialize(const airssys_config *config);
static airssys_answer guest_handle_message(const airssys_message *message);
static airssys_done guest_handle_callback(const airssys_message *message);
static airssys_metadata guest_metadata(void);
static int guest_health(void); /* AIRSSYS_HEALTHY and so on */
static airssys_done guest_shutdown(void);

/* State that is to outlive the replacement of the code: define AIRSSYS_STATE before this
 * is included, and write these two besides. */
#ifdef AIRSSYS_STATE
typedef struct {
    bool is_error;
    union { airssys_bytes ok; airssys_error error; };
} airssys_state;
static airssys_state guest_export_state(void);
static airssys_done guest_import_state(airssys_bytes state);
#endif

/* ---------------------------------------------------------------- memory */

#ifdef __wasi__

/* With wasi-libc (`airssys build --wasi`) the heap belongs to malloc. */
#include <stdlib.h>
#include <string.h>

typedef struct airssys_chunk { struct airssys_chunk *before; } airssys_chunk;
static airssys_chunk *airssys_chunks;

/* Memory until the end of the call. Traps when the guest may have no more. */
static void *airssys_alloc_aligned(size_t size, size_t align) {
    (void)align; /* malloc aligns to 16 bytes, and no value of the world needs more */
    airssys_chunk *chunk = size > SIZE_MAX - 16 ? NULL : malloc(size + 16);
    if (!chunk) __builtin_trap();
    chunk->before = airssys_chunks;
    airssys_chunks = chunk;
    return (char *)chunk + 16;
}
static inline void airssys_end_call(void) {
    while (airssys_chunks) {
        airssys_chunk *chunk = airssys_chunks;
        airssys_chunks = chunk->before;
        free(chunk);
    }
}

/* What the adapter takes lasts as long as the instance. */
__attribute__((export_name("cabi_realloc_adapter")))
void *cabi_realloc_adapter(void *old, size_t old_size, size_t align, size_t size) {
    (void)old_size, (void)align;
    void *found = realloc(old, size);
    if (!found) __builtin_trap();
    return found;
}

#else

#define AIRSSYS_WEAK __attribute__((weak))

/* What the compiler calls to copy structs; there is no libc. */
AIRSSYS_WEAK void *memcpy(void *to, const void *from, size_t size) {
    for (size_t i = 0; i < size; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    return to;
}
AIRSSYS_WEAK void *memset(void *to, int byte, size_t size) {
    for (size_t i = 0; i < size; i++) ((uint8_t *)to)[i] = (uint8_t)byte;
    return to;
}
AIRSSYS_WEAK void *memmove(void *to, const void *from, size_t size) {
    if ((uintptr_t)to <= (uintptr_t)from) return memcpy(to, from, size);
    while (size--) ((uint8_t *)to)[size] = ((const uint8_t *)from)[size];
    return to;
}
AIRSSYS_WEAK int memcmp(const void *a, const void *b, size_t size) {
    const uint8_t *left = a, *right = b;
    for (size_t i = 0; i < size; i++)
        if (left[i] != right[i]) return left[i] - right[i];
    return 0;
}

extern unsigned char __heap_base;
static uintptr_t airssys_top; /* 0: nothing is taken */

/* Memory until the end of the call. Traps when the guest may have no more. */
static void *airssys_alloc_aligned(size_t size, size_t align) {
    uintptr_t at = airssys_top ? airssys_top : (uintptr_t)&__heap_base;
    at = (at + align - 1) & ~(uintptr_t)(align - 1);
    uint64_t end = (uint64_t)at + size, have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
    if (end > have &&
        (end >> 32 ||
         (size_t)__builtin_wasm_memory_grow(0, (size_t)((end - have + 65535) >> 16)) == (size_t)-1))
        __builtin_trap();
    airssys_top = (uintptr_t)end;
    return (void *)at;
}
static inline void airssys_end_call(void) { airssys_top = 0; }

#endif

static inline void *airssys_alloc(size_t size) { return airssys_alloc_aligned(size, 8); }

/* ---------------------------------------------------------------- small helpers */

/* A string literal as a text, a bytes, or an answer. */
#define AIRSSYS_TEXT(literal) ((airssys_string){(literal), sizeof(literal) - 1})
#define AIRSSYS_BYTES(literal) ((airssys_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline bool airssys_is(airssys_bytes bytes, airssys_string text) {
    return bytes.size == text.size && !memcmp(bytes.data, text.data, text.size);
}
static inline airssys_done airssys_ok(void) {
    return (airssys_done){.is_error = false};
}
static inline airssys_done airssys_fail(uint8_t kind, airssys_string text) {
    return (airssys_done){.is_error = true, .error = {kind, text}};
}
static inline airssys_answer airssys_answer_bytes(airssys_bytes bytes) {
    return (airssys_answer){.is_error = false, .ok = {true, bytes}};
}
static inline airssys_answer airssys_answer_nothing(void) {
    return (airssys_answer){.is_error = false, .ok = {.is_some = false}};
}
static inline airssys_answer airssys_answer_error(uint8_t kind, airssys_string text) {
    return (airssys_answer){.is_error = true, .error = {kind, text}};
}

/* ---------------------------------------------------------------- host functions */

/* As the canonical ABI flattens them; use the functions below instead. */
#define AIRSSYS_IMPORT(interface, name) \
    __attribute__((import_module("airssys:core/" interface "@1.0.0"), import_name(name)))
#define AIRSSYS_S const char *, size_t
#define AIRSSYS_B const uint8_t *, size_t
#define AIRSSYS_ID AIRSSYS_S, AIRSSYS_S, AIRSSYS_S

AIRSSYS_IMPORT("host-messaging", "send")
void airssys_host_send(AIRSSYS_ID, AIRSSYS_B, airssys_sent *);
AIRSSYS_IMPORT("host-messaging", "request")
void airssys_host_request(AIRSSYS_ID, AIRSSYS_B, uint64_t, airssys_requested *);
AIRSSYS_IMPORT("host-messaging", "cancel-request")
void airssys_host_cancel_request(AIRSSYS_S, airssys_sent *);
AIRSSYS_IMPORT("host-messaging", "broadcast")
void airssys_host_broadcast(const airssys_component_id *, size_t, AIRSSYS_B, airssys_sent *);
AIRSSYS_IMPORT("host-messaging", "self-id")
void airssys_host_self_id(airssys_component_id *);
AIRSSYS_IMPORT("host-messaging", "ask")
void airssys_host_ask(AIRSSYS_ID, AIRSSYS_B, uint64_t, airssys_asked *);
AIRSSYS_IMPORT("host-messaging", "publish")
void airssys_host_publish(AIRSSYS_S, AIRSSYS_B, airssys_sent *);
AIRSSYS_IMPORT("host-messaging", "subscribe")
void airssys_host_subscribe(AIRSSYS_S, airssys_sent *);
AIRSSYS_IMPORT("host-messaging", "unsubscribe")
void airssys_host_unsubscribe(AIRSSYS_S, airssys_sent *);

AIRSSYS_IMPORT("host-services", "log")
void airssys_host_log(int32_t, AIRSSYS_S, int32_t, const airssys_pair *, size_t);
AIRSSYS_IMPORT("host-services", "current-time")
void airssys_host_current_time(airssys_timestamp *);
AIRSSYS_IMPORT("host-services", "current-time-millis")
uint64_t airssys_current_time_millis(void);
AIRSSYS_IMPORT("host-services", "sleep-millis")
void airssys_sleep_millis(uint64_t);
AIRSSYS_IMPORT("host-services", "list-components")
void airssys_host_list_components(airssys_component_ids *);
AIRSSYS_IMPORT("host-services", "get-component-metadata")
void airssys_host_get_component_metadata(AIRSSYS_ID, airssys_looked_up *);

AIRSSYS_IMPORT("storage", "get")
void airssys_host_get(AIRSSYS_S, airssys_got *);
AIRSSYS_IMPORT("storage", "set")
void airssys_host_set(AIRSSYS_S, AIRSSYS_B, airssys_stored *);
AIRSSYS_IMPORT("storage", "delete")
void airssys_host_delete(AIRSSYS_S, airssys_stored *);
AIRSSYS_IMPORT("storage", "exists")
void airssys_host_exists(AIRSSYS_S, airssys_existing *);
AIRSSYS_IMPORT("storage", "list-keys")
void airssys_host_list_keys(int32_t, AIRSSYS_S, airssys_keys *);
AIRSSYS_IMPORT("storage", "usage")
void airssys_host_usage(airssys_used *);

#define AIRSSYS_FLAT(text) (text).data, (text).size
#define AIRSSYS_FLAT_ID(id) AIRSSYS_FLAT((id).ns), AIRSSYS_FLAT((id).name), AIRSSYS_FLAT((id).instance)

/* What each does is said in wit/; `airssys wit` prints where that is. */
static inline airssys_sent airssys_send(airssys_component_id target, airssys_bytes payload) {
    airssys_sent result;
    airssys_host_send(AIRSSYS_FLAT_ID(target), AIRSSYS_FLAT(payload), &result);
    return result;
}
static inline airssys_requested airssys_request(
    airssys_component_id target, airssys_bytes payload, uint64_t timeout_ms) {
    airssys_requested result;
    airssys_host_request(AIRSSYS_FLAT_ID(target), AIRSSYS_FLAT(payload), timeout_ms, &result);
    return result;
}
static inline airssys_sent airssys_cancel_request(airssys_string request_id) {
    airssys_sent result;
    airssys_host_cancel_request(AIRSSYS_FLAT(request_id), &result);
    return result;
}
static inline airssys_sent airssys_broadcast(airssys_component_ids targets, airssys_bytes payload) {
    airssys_sent result;
    airssys_host_broadcast(targets.items, targets.count, AIRSSYS_FLAT(payload), &result);
    return result;
}
static inline airssys_component_id airssys_self_id(void) {
    airssys_component_id result;
    airssys_host_self_id(&result);
    return result;
}
static inline airssys_asked airssys_ask(
    airssys_component_id target, airssys_bytes payload, uint64_t timeout_ms) {
    airssys_asked result;
    airssys_host_ask(AIRSSYS_FLAT_ID(target), AIRSSYS_FLAT(payload), timeout_ms, &result);
    return result;
}
static inline airssys_sent airssys_publish(airssys_string topic, airssys_bytes payload) {
    airssys_sent result;
    airssys_host_publish(AIRSSYS_FLAT(topic), AIRSSYS_FLAT(payload), &result);
    return result;
}
static inline airssys_sent airssys_subscribe(airssys_string pattern) {
    airssys_sent result;
    airssys_host_subscribe(AIRSSYS_FLAT(pattern), &result);
    return result;
}
static inline airssys_sent airssys_unsubscribe(airssys_string pattern) {
    airssys_sent result;
    airssys_host_unsubscribe(AIRSSYS_FLAT(pattern), &result);
    return result;
}
static inline void airssys_log(int level, airssys_string message) {
    airssys_host_log(level, AIRSSYS_FLAT(message), 0, 0, 0);
}
static inline void airssys_log_with(int level, airssys_string message, airssys_pairs context) {
    airssys_host_log(level, AIRSSYS_FLAT(message), 1, context.items, context.count);
}
static inline airssys_timestamp airssys_current_time(void) {
    airssys_timestamp result;
    airssys_host_current_time(&result);
    return result;
}
static inline airssys_component_ids airssys_list_components(void) {
    airssys_component_ids result;
    airssys_host_list_components(&result);
    return result;
}
static inline airssys_looked_up airssys_get_component_metadata(airssys_component_id id) {
    airssys_looked_up result;
    airssys_host_get_component_metadata(AIRSSYS_FLAT_ID(id), &result);
    return result;
}
static inline airssys_got airssys_storage_get(airssys_string key) {
    airssys_got result;
    airssys_host_get(AIRSSYS_FLAT(key), &result);
    return result;
}
static inline airssys_stored airssys_storage_set(airssys_string key, airssys_bytes value) {
    airssys_stored result;
    airssys_host_set(AIRSSYS_FLAT(key), AIRSSYS_FLAT(value), &result);
    return result;
}
static inline airssys_stored airssys_storage_delete(airssys_string key) {
    airssys_stored result;
    airssys_host_delete(AIRSSYS_FLAT(key), &result);
    return result;
}
static inline airssys_existing airssys_storage_exists(airssys_string key) {
    airssys_existing result;
    airssys_host_exists(AIRSSYS_FLAT(key), &result);
    return result;
}
static inline airssys_keys airssys_storage_list_keys(airssys_optional_string prefix) {
    airssys_keys result;
    airssys_host_list_keys(prefix.is_some, AIRSSYS_FLAT(prefix.value), &result);
    return result;
}
static inline airssys_used airssys_storage_usage_now(void) {
    airssys_used result;
    airssys_host_usage(&result);
    return result;
}

/* ---------------------------------------------------------------- exports */

#define AIRSSYS_EXPORT(name) __attribute__((export_name(name)))
#define AIRSSYS_LIFECYCLE(name) AIRSSYS_EXPORT("airssys:core/component-lifecycle@1.0.0#" name)
#define AIRSSYS_POST(name) AIRSSYS_EXPORT("cabi_post_airssys:core/component-lifecycle@1.0.0#" name)

AIRSSYS_EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    void *found = airssys_alloc_aligned(size, align ? align : 1);
    return old ? memcpy(found, old, old_size < size ? old_size : size) : found;
}

static airssys_done airssys_done_area;
static airssys_answer airssys_answer_area;
static airssys_metadata airssys_metadata_area;

AIRSSYS_LIFECYCLE("initialize")
airssys_done *airssys_export_initialize(
    const airssys_pair *env, size_t env_count, int32_t has_data, const uint8_t *data,
    size_t data_size, uint64_t max_memory_bytes, uint64_t max_execution_time_ms,
    int32_t has_fuel, uint64_t fuel) {
    airssys_config config = {
        {env, env_count}, {has_data != 0, {data, data_size}}, max_memory_bytes,
        max_execution_time_ms, {has_fuel != 0, fuel}};
    airssys_done_area = guest_initialize(&config);
    return &airssys_done_area;
}
AIRSSYS_LIFECYCLE("handle-message")
airssys_answer *airssys_export_handle_message(const airssys_message *message) {
    airssys_answer_area = guest_handle_message(message);
    return &airssys_answer_area;
}
AIRSSYS_LIFECYCLE("handle-callback")
airssys_done *airssys_export_handle_callback(const airssys_message *message) {
    airssys_done_area = guest_handle_callback(message);
    return &airssys_done_area;
}
AIRSSYS_LIFECYCLE("metadata")
airssys_metadata *airssys_export_metadata(void) {
    airssys_metadata_area = guest_metadata();
    return &airssys_metadata_area;
}
AIRSSYS_LIFECYCLE("health")
int32_t airssys_export_health(void) { return guest_health(); }
AIRSSYS_LIFECYCLE("shutdown")
airssys_done *airssys_export_shutdown(void) {
    airssys_done_area = guest_shutdown();
    return &airssys_done_area;
}

/* After each call, when the host has read what was returned. */
AIRSSYS_POST("initialize") void airssys_post_initialize(void *r) { (void)r; airssys_end_call(); }
AIRSSYS_POST("handle-message") void airssys_post_handle_message(void *r) { (void)r; airssys_end_call(); }
AIRSSYS_POST("handle-callback") void airssys_post_handle_callback(void *r) { (void)r; airssys_end_call(); }
AIRSSYS_POST("metadata") void airssys_post_metadata(void *r) { (void)r; airssys_end_call(); }
AIRSSYS_POST("health") void airssys_post_health(int32_t r) { (void)r; airssys_end_call(); }
AIRSSYS_POST("shutdown") void airssys_post_shutdown(void *r) { (void)r; airssys_end_call(); }

#ifdef AIRSSYS_STATE
#define AIRSSYS_HANDOVER(name) AIRSSYS_EXPORT("airssys:core/state-handover@1.0.0#" name)
#define AIRSSYS_HANDED(name) AIRSSYS_EXPORT("cabi_post_airssys:core/state-handover@1.0.0#" name)
static airssys_state airssys_state_area;
AIRSSYS_HANDOVER("export-state")
airssys_state *airssys_export_state(void) {
    airssys_state_area = guest_export_state();
    return &airssys_state_area;
}
AIRSSYS_HANDOVER("import-state")
airssys_done *airssys_import_state(const uint8_t *data, size_t size) {
    airssys_done_area = guest_import_state((airssys_bytes){data, size});
    return &airssys_done_area;
}
AIRSSYS_HANDED("export-state") void airssys_post_export_state(void *r) { (void)r; airssys_end_call(); }
AIRSSYS_HANDED("import-state") void airssys_post_import_state(void *r) { (void)r; airssys_end_call(); }
_Static_assert(sizeof(airssys_state) == 16 && offsetof(airssys_state, ok) == 4, "");
#endif

/* The sizes and places that the canonical ABI gives. */
_Static_assert(sizeof(airssys_message) == 104 && offsetof(airssys_message, metadata) == 32, "");
_Static_assert(offsetof(airssys_message_metadata, timestamp) == 40, "");
_Static_assert(offsetof(airssys_message_metadata, content_type) == 56, "");
_Static_assert(sizeof(airssys_done) == 16 && sizeof(airssys_answer) == 16, "");
_Static_assert(sizeof(airssys_sent) == 32 && sizeof(airssys_requested) == 32, "");
_Static_assert(sizeof(airssys_metadata) == 52, "");
_Static_assert(sizeof(airssys_used) == 32 && offsetof(airssys_used, ok) == 8, "");
_Static_assert(sizeof(airssys_looked_up) == 52 && sizeof(airssys_keys) == 16, "");

#endif
