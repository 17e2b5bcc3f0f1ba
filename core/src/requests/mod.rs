//! From what Teleport says of requests to posts that are true.

pub mod changed;
pub(crate) mod deliver;
pub mod digest;
pub mod expiry;
pub(crate) mod footing;
pub(crate) mod open;
pub mod resting;
