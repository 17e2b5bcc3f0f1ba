//! The core for browsers. Bindings only: what settings mean and what is said about them is decided in the core, and asked
//! of the plugin through its panel.
//!
//! Everything goes in and comes out as JSON, because it crosses from a worker to the page as messages anyway.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod panel;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use teleport_access_core::config::{self, Authority, Severity};
use teleport_access_core::{import, setup};
use wasm_bindgen::JsError;
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
            Severity::Outdated | Severity::Warning => "warning",
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

/// What a configuration file says: a JSON object of `settings`, `notes` and `errors`. With errors there are no settings.
#[wasm_bindgen(js_name = importToml)]
#[must_use]
pub fn import_toml(text: &str) -> String {
    #[derive(Default, Serialize)]
    struct Answer {
        settings: Map<String, Value>,
        notes: Vec<import::Note>,
        errors: Vec<import::ImportError>,
    }
    json(&match import::import(text) {
        Ok(import::Imported { settings, notes }) => Answer { settings, notes, ..Answer::default() },
        Err(errors) => Answer { errors, ..Answer::default() },
    })
}

/// Settings (a JSON object) as a configuration file, without secrets.
///
/// # Errors
///
/// If this is no JSON object.
#[wasm_bindgen(js_name = exportToml)]
pub fn export_toml(settings_json: &str) -> Result<String, JsError> {
    let settings: Map<String, Value> = serde_json::from_str(settings_json)?;
    Ok(import::export(&settings))
}

/// What to do on the Teleport side: a JSON list of `{title, text, command}`. Takes `{teleportVersion, authority, userTrait,
/// teleportAddress}`, the authority by its name in the settings.
///
/// # Errors
///
/// If this is no such JSON object.
#[wasm_bindgen]
pub fn guide(wish_json: &str) -> Result<String, JsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wish {
        teleport_version: String,
        authority: String,
        user_trait: bool,
        teleport_address: String,
    }
    #[derive(Serialize)]
    struct Step<'a> {
        title: &'a str,
        text: &'a str,
        command: &'a str,
    }
    let wish: Wish = serde_json::from_str(wish_json)?;
    let authority = Authority::ALL.iter().find(|(name, _)| *name == wish.authority);
    let steps = setup::guide(&setup::Wish {
        teleport_version: &wish.teleport_version,
        authority: authority.map_or(Authority::Auto, |(_, authority)| *authority),
        user_trait: wish.user_trait,
        teleport_address: &wish.teleport_address,
    });
    let steps = steps.iter().map(|setup::Step { title, text, command }| Step { title, text, command });
    Ok(json(&steps.collect::<Vec<_>>()))
}

/// What is made here of texts always has a JSON form; `null` stands for the impossible rest.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
