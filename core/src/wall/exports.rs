//! What the host may call. Each call delivers one thing and then runs whatever can go on.

use bytes::Bytes;

use super::{exchange, executor, timer};

/// A buffer of `length` bytes; the `wall_begin` or `wall_body` that names it next takes it over.
#[unsafe(no_mangle)]
extern "C" fn wall_alloc(length: u32) -> *mut u8 {
    let buffer = vec![0_u8; length as usize].into_boxed_slice();
    Box::into_raw(buffer).cast()
}

/// Takes over a buffer of `wall_alloc`.
fn take(pointer: *mut u8, length: u32) -> Bytes {
    // SAFETY: the host hands back pointer and length of a buffer that `wall_alloc` leaked, exactly once.
    let buffer = unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(pointer, length as usize)) };
    Bytes::from(buffer)
}

/// The head of an exchange.
#[unsafe(no_mangle)]
extern "C" fn wall_begin(id: u32, pointer: *mut u8, length: u32) {
    exchange::begin(id, take(pointer, length));
    executor::run();
}

/// A piece of an exchange's body.
#[unsafe(no_mangle)]
extern "C" fn wall_body(id: u32, pointer: *mut u8, length: u32) {
    exchange::body(id, take(pointer, length));
    executor::run();
}

/// The host's side of an exchange is complete.
#[unsafe(no_mangle)]
extern "C" fn wall_end(id: u32) {
    exchange::end(id);
    executor::run();
}

/// The host gave an exchange up.
#[unsafe(no_mangle)]
extern "C" fn wall_cancel(id: u32) {
    exchange::cancel(id);
    executor::run();
}

/// The time asked for has come.
#[unsafe(no_mangle)]
extern "C" fn wall_wake() {
    timer::fire();
    executor::run();
}
