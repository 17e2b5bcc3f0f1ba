//! The connection to one Teleport cluster.

pub(crate) mod route;
