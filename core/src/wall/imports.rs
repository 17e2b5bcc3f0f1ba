//! What the host offers, in safe words.

use prost::Message;

#[link(wasm_import_module = "wall")]
unsafe extern "C" {
    #[link_name = "begin"]
    fn host_begin(id: u32, pointer: *const u8, length: u32);
    #[link_name = "body"]
    fn host_body(id: u32, pointer: *const u8, length: u32);
    #[link_name = "end"]
    fn host_end(id: u32);
    #[link_name = "cancel"]
    fn host_cancel(id: u32);
    #[link_name = "wake_after"]
    fn host_wake_after(millis: u64);
}

/// Sends the head of an exchange.
pub(super) fn begin(id: u32, head: &impl Message) {
    let bytes = head.encode_to_vec();
    // SAFETY: the host only reads the bytes, and only before it returns.
    unsafe { host_begin(id, bytes.as_ptr(), bytes.len() as u32) }
}

/// Sends a piece of an exchange's body.
pub(super) fn body(id: u32, bytes: &[u8]) {
    // SAFETY: as above.
    unsafe { host_body(id, bytes.as_ptr(), bytes.len() as u32) }
}

/// Says that our body is complete.
pub(super) fn end(id: u32) {
    // SAFETY: passes a number.
    unsafe { host_end(id) }
}

/// Gives an exchange up.
pub(super) fn cancel(id: u32) {
    // SAFETY: passes a number.
    unsafe { host_cancel(id) }
}

/// Asks for one `wall_wake` after so many milliseconds, in place of the wish before.
pub(super) fn wake_after(millis: u64) {
    // SAFETY: passes a number.
    unsafe { host_wake_after(millis) }
}
