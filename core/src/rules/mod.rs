//! The rules of who may decide, as far as they need more than the settings' words.

pub mod pins;
pub mod seen;
