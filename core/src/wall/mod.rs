//! The wall: how the module and its host exchange HTTP. Only here does the core touch raw memory or the outside.
//!
//! `proto/wall/wall.proto` describes the functions. Everything runs on one thread: the host calls in, the
//! executor runs until nothing can go on, the host gets control back.

mod channel;
mod exchange;
mod executor;
mod exports;
mod imports;
mod server;
mod timer;

pub(crate) use channel::WallChannel;
pub(crate) use executor::spawn;
pub(crate) use timer::sleep;
