//! From what Teleport says of requests to posts that are true.

pub mod digest;
