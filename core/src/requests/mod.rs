//! From what Teleport says of requests to posts that are true.

pub(crate) mod deliver;
pub mod digest;
pub(crate) mod footing;
