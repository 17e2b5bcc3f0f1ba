//! The core for browsers. Bindings only: what settings mean and what is said about them is decided in the core, and asked
//! of the plugin through its panel.
//!
//! Everything goes in and comes out as JSON, because it crosses from a worker to the page as messages anyway.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod panel;

use serde::Serialize;
use teleport_access_core::config::{self, Severity};
use wasm_bindgen::prelude::wasm_bindgen;

#[cfg(feature = "wee_alloc")]
#[global_allocator]
static ALLOCATOR: wee_alloc::WeeAlloc<'_> = wee_alloc::WeeAlloc::INIT;

/// A problem as the page reads it.
#[derive(Serialize)]
struct Problem<'a> {
    setting: &'a str,
    message: &'a str,
    severity: &'static str,
}

impl<'a> From<&'a config::Problem> for Problem<'a> {
    fn from(problem: &'a config::Problem) -> Self {
        let severity = match problem.severity {
            Severity::Wrong => "wrong",
            Severity::Missing => "missing",
            Severity::Warning => "warning",
        };
        Self { setting: &problem.setting, message: &problem.message, severity }
    }
}

/// The core's version.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// What is wrong with settings: a JSON list of `{setting, message, severity}`.
#[wasm_bindgen]
#[must_use]
pub fn check(settings_json: &str) -> String {
    let (_, problems) = config::parse(settings_json.as_bytes());
    json(&problems.iter().map(Problem::from).collect::<Vec<_>>())
}

/// What is made here of texts always has a JSON form; `null` stands for the impossible rest.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
