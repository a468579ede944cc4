//! Answers in capital letters. Plain Rust: no crates, no generated bindings.
//!
//!     airssys build examples/guests/shout.rs
//!
//! The code below the guest is what bindings would generate. It has the part of the world
//! that this guest needs; `wit/` has the rest, and the canonical ABI defines the layout.

use std::alloc::{alloc, dealloc, Layout};

// ---------------------------------------------------------------- the guest

fn initialize() -> Result<(), String> {
    log(INFO, "ready");
    Ok(())
}

fn handle_message(payload: &[u8]) -> Result<Option<Vec<u8>>, String> {
    if payload.is_empty() {
        return Err("nothing to shout".to_string());
    }
    Ok(Some(payload.to_ascii_uppercase()))
}

const METADATA: [&str; 5] = ["shout", "1.0.0", "answers in capital letters", "airssys", "MIT"];

// ---------------------------------------------------------------- host functions

const INFO: i32 = 2;

#[link(wasm_import_module = "airssys:core/host-services@1.0.0")]
extern "C" {
    #[link_name = "log"]
    fn host_log(level: i32, text: *const u8, size: usize, some: i32, pairs: *const u8, n: usize);
}

fn log(level: i32, text: &str) {
    unsafe { host_log(level, text.as_ptr(), text.len(), 0, std::ptr::null(), 0) }
}

// ---------------------------------------------------------------- glue

const RUNTIME_ERROR: u32 = 6; // of wasm-error
const INITIALIZATION_FAILED: u32 = 0; // of component-error

/// A result in memory: an error flag; an answer flag or the error case; bytes.
#[repr(C)]
pub struct Answer {
    is_error: u32,
    tag: u32,
    data: *mut u8,
    size: usize,
}

/// Passes bytes to the host, until it calls `free_answer`.
fn answer(is_error: bool, tag: u32, bytes: Vec<u8>) -> *mut Answer {
    let bytes = Box::leak(bytes.into_boxed_slice());
    let (data, size) = (bytes.as_mut_ptr(), bytes.len());
    Box::into_raw(Box::new(Answer { is_error: is_error as u32, tag, data, size }))
}

unsafe fn free_answer(given: *mut Answer) {
    let given = Box::from_raw(given);
    drop(Box::from_raw(std::slice::from_raw_parts_mut(given.data, given.size)));
}

/// Bytes that the host has put into memory from `cabi_realloc`; we own them from then on.
unsafe fn take(data: *mut u8, size: usize) -> Vec<u8> {
    if size == 0 { Vec::new() } else { Vec::from_raw_parts(data, size, size) }
}

#[repr(C)]
pub struct Message {
    sender: [(*mut u8, usize); 3],
    payload: (*mut u8, usize),
    correlation_id: (u32, *mut u8, usize),
    reply_to: (u32, [(*mut u8, usize); 3]),
    timestamp: (u64, u64),
    content_type: (u32, *mut u8, usize),
}

/// Takes everything that came with a message and returns its payload.
unsafe fn take_message(at: *mut Message) -> Vec<u8> {
    let message = at.read();
    dealloc(at as *mut u8, Layout::new::<Message>());
    for (data, size) in message.sender {
        take(data, size);
    }
    for (some, data, size) in [message.correlation_id, message.content_type] {
        if some & 1 == 1 {
            take(data, size);
        }
    }
    if message.reply_to.0 & 1 == 1 {
        for (data, size) in message.reply_to.1 {
            take(data, size);
        }
    }
    take(message.payload.0, message.payload.1)
}

#[export_name = "cabi_realloc"]
pub unsafe extern "C" fn realloc(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    if old.is_null() {
        if size == 0 { align as *mut u8 } else { alloc(Layout::from_size_align_unchecked(size, align)) }
    } else {
        std::alloc::realloc(old, Layout::from_size_align_unchecked(old_size, align), size)
    }
}

#[export_name = "airssys:core/component-lifecycle@1.0.0#initialize"]
pub extern "C" fn export_initialize(
    _env: i32, _count: i32, _has_data: i32, _data: i32, _size: i32,
    _memory: i64, _time: i64, _has_fuel: i32, _fuel: i64,
) -> *mut Answer {
    match initialize() {
        Ok(()) => answer(false, 0, Vec::new()),
        Err(why) => answer(true, INITIALIZATION_FAILED, why.into_bytes()),
    }
}

#[export_name = "airssys:core/component-lifecycle@1.0.0#handle-message"]
pub unsafe extern "C" fn export_handle_message(message: *mut Message) -> *mut Answer {
    match handle_message(&take_message(message)) {
        Ok(Some(bytes)) => answer(false, 1, bytes),
        Ok(None) => answer(false, 0, Vec::new()),
        Err(why) => answer(true, RUNTIME_ERROR, why.into_bytes()),
    }
}

#[export_name = "airssys:core/component-lifecycle@1.0.0#handle-callback"]
pub unsafe extern "C" fn export_handle_callback(message: *mut Message) -> *mut Answer {
    take_message(message);
    answer(false, 0, Vec::new())
}

#[export_name = "airssys:core/component-lifecycle@1.0.0#health"]
pub extern "C" fn export_health() -> i32 {
    0
}

#[export_name = "airssys:core/component-lifecycle@1.0.0#shutdown"]
pub extern "C" fn export_shutdown() -> *mut Answer {
    answer(false, 0, Vec::new())
}

#[repr(C)]
pub struct Metadata {
    texts: [(*const u8, usize); 5],
    operations: (*const u8, usize),
    stateful: bool,
}

#[export_name = "airssys:core/component-lifecycle@1.0.0#metadata"]
pub extern "C" fn export_metadata() -> *mut Metadata {
    let texts = METADATA.map(|text| (text.as_ptr(), text.len()));
    Box::into_raw(Box::new(Metadata { texts, operations: (4 as *const u8, 0), stateful: false }))
}

#[export_name = "cabi_post_airssys:core/component-lifecycle@1.0.0#initialize"]
pub unsafe extern "C" fn post_initialize(given: *mut Answer) {
    free_answer(given)
}

#[export_name = "cabi_post_airssys:core/component-lifecycle@1.0.0#handle-message"]
pub unsafe extern "C" fn post_handle_message(given: *mut Answer) {
    free_answer(given)
}

#[export_name = "cabi_post_airssys:core/component-lifecycle@1.0.0#handle-callback"]
pub unsafe extern "C" fn post_handle_callback(given: *mut Answer) {
    free_answer(given)
}

#[export_name = "cabi_post_airssys:core/component-lifecycle@1.0.0#shutdown"]
pub unsafe extern "C" fn post_shutdown(given: *mut Answer) {
    free_answer(given)
}

#[export_name = "cabi_post_airssys:core/component-lifecycle@1.0.0#metadata"]
pub unsafe extern "C" fn post_metadata(given: *mut Metadata) {
    drop(Box::from_raw(given))
}
