//! The core: watches Teleport's access requests, shows them in Mattermost, and decides who may approve or deny.
//!
//! It does no I/O of its own, has no wall clock and keeps no global state: everything comes from a [`world::World`]. On
//! the server that is the wall of the WASM module ([`proto::wall`]); in tests it is a simulated one.

pub mod app;
pub mod audit;
pub mod authority;
pub mod bridge;
mod checks;
mod cluster;
pub mod command;
pub mod config;
pub mod confirmations;
mod connection;
pub mod credentials;
pub mod decision;
pub mod desk;
pub mod identity;
pub mod import;
pub mod ledger;
pub mod mattermost;
pub mod messages;
pub mod metrics;
pub mod notices;
pub mod policy;
pub mod proto;
pub mod recipients;
pub mod requests;
pub mod rules;
pub mod save;
pub mod selftest;
pub mod session;
pub mod setup;
pub mod status;
pub mod support;
pub mod teleport;
pub mod text;
pub mod time;
pub mod world;

#[cfg(target_os = "wasi")]
mod server;
#[cfg(target_os = "wasi")]
mod wall;
