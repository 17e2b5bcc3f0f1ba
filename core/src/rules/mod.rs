//! The rules of who may decide, as far as they need more than the settings' words.

pub mod addresses;
pub(crate) mod documents;
pub(crate) mod earlier;
pub mod links;
pub mod mapping;
pub mod pins;
pub mod seen;
