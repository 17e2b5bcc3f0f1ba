//! What is asked of the plugin.

use std::collections::HashMap;

use futures::future::{Either, select};
use js_sys::{Error, Function, JsString, Promise, Reflect};
use serde::Serialize;
use teleport_access_core::proto::panel;
use teleport_access_core::proto::panel::panel_client::PanelClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};
use tonic_web_wasm_client::Client;
use tonic_web_wasm_client::options::{Cache, Credentials, FetchOptions, Mode, Redirect};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;

use crate::json;

/// What Mattermost wants to see on a call that a page makes with its session.
#[derive(Clone)]
struct Headers {
    csrf: MetadataValue<Ascii>,
}

impl Interceptor for Headers {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert("x-csrf-token", self.csrf.clone());
        metadata.insert("x-requested-with", MetadataValue::from_static("XMLHttpRequest"));
        Ok(request)
    }
}

/// The plugin, as one page's session reaches it.
#[wasm_bindgen]
pub struct Panel {
    client: PanelClient<InterceptedService<Client, Headers>>,
}

#[wasm_bindgen]
impl Panel {
    /// `base` is the URL of the plugin's route; `csrf` is the value of the session's cookie `MMCSRF`.
    ///
    /// # Errors
    ///
    /// If the token has letters that no header can have.
    #[wasm_bindgen(constructor)]
    pub fn new(base: String, csrf: &str) -> Result<Self, JsValue> {
        let csrf = csrf.parse().map_err(|_| Error::new("The session's CSRF token cannot be sent. Sign in again."))?;
        let options = FetchOptions::new()
            .mode(Mode::SameOrigin)
            .credentials(Credentials::SameOrigin)
            .redirect(Redirect::Error)
            .cache(Cache::NoStore);
        let client = Client::new_with_options(base, options);
        Ok(Self { client: PanelClient::with_interceptor(client, Headers { csrf }) })
    }

    /// The plugin's state: `{checks, version, teleportVersion, authority}`.
    ///
    /// # Errors
    ///
    /// What the call failed with, as an `Error` with a `code`.
    pub async fn status(&self) -> Result<String, JsValue> {
        let answer = self.client.clone().status(panel::StatusRequest {}).await.map_err(failure)?.into_inner();
        Ok(json(&State {
            checks: answer.checks.iter().map(Check::from).collect(),
            version: &answer.version,
            teleport_version: &answer.teleport_version,
            authority: &answer.authority,
        }))
    }

    /// Tries settings out that need not be saved. `on_check` gets each check as JSON: `{name, outcome, message, command,
    /// cluster}`. It ends early when `cancelled` resolves.
    ///
    /// # Errors
    ///
    /// What the call failed with, as an `Error` with a `code`, or what `on_check` threw.
    #[wasm_bindgen(js_name = selfTest)]
    pub async fn self_test(
        &self,
        settings_json: String,
        on_check: Function,
        cancelled: Promise,
    ) -> Result<(), JsValue> {
        let request = panel::SelfTestRequest { settings_json: settings_json.into_bytes() };
        let test = async {
            let mut checks = self.client.clone().self_test(request).await.map_err(failure)?.into_inner();
            while let Some(check) = checks.message().await.map_err(failure)? {
                on_check.call1(&JsValue::NULL, &JsString::from(json(&Check::from(&check))))?;
            }
            Ok(())
        };
        // Dropping the call aborts its exchange.
        match select(Box::pin(test), JsFuture::from(cancelled)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Ok(()),
        }
    }

    /// Reads credentials, says what they are, and seals them. Takes a JSON object by the keys of `plugin.json`; answers
    /// `{sealed, problems, user, cluster, notAfter, validUntil, warning}`.
    ///
    /// # Errors
    ///
    /// What the call failed with, as an `Error` with a `code`.
    #[wasm_bindgen(js_name = checkCredentials)]
    pub async fn check_credentials(&self, values_json: String, cluster: u32) -> Result<String, JsValue> {
        let values: HashMap<String, String> =
            serde_json::from_str(&values_json).map_err(|error| Error::new(&error.to_string()))?;
        let request = panel::CheckCredentialsRequest { values, cluster };
        let answer = self.client.clone().check_credentials(request).await.map_err(failure)?.into_inner();
        Ok(json(&Facts {
            sealed: &answer.sealed,
            problems: answer
                .problems
                .iter()
                .map(|problem| crate::Problem {
                    setting: &problem.setting,
                    message: &problem.message,
                    severity: "wrong",
                })
                .collect(),
            user: &answer.user,
            cluster: &answer.cluster,
            not_after: answer.not_after,
            valid_until: &answer.valid_until,
            warning: &answer.warning,
        }))
    }

    /// What waits for a system admin's word: a JSON list of `{id, setting, message, action, urgent}`.
    ///
    /// # Errors
    ///
    /// What the call failed with, as an `Error` with a `code`.
    #[wasm_bindgen(js_name = listConfirmations)]
    pub async fn list_confirmations(&self) -> Result<String, JsValue> {
        let request = panel::ListConfirmationsRequest {};
        let answer = self.client.clone().list_confirmations(request).await.map_err(failure)?.into_inner();
        Ok(json(&answer.confirmations.iter().map(Confirmation::from).collect::<Vec<_>>()))
    }

    /// Gives that word for what was listed with this id. Answers what was done, as Markdown.
    ///
    /// # Errors
    ///
    /// What the call failed with, as an `Error` with a `code`: `FailedPrecondition` where the thing has changed since.
    pub async fn confirm(&self, id: String) -> Result<String, JsValue> {
        let answer = self.client.clone().confirm(panel::ConfirmRequest { id }).await.map_err(failure)?;
        Ok(answer.into_inner().message)
    }
}

/// A failed call as an `Error`.
fn failure(status: Status) -> JsValue {
    let error = Error::new(status.message());
    // Of an object just made, so it cannot fail.
    let _ = Reflect::set(&error, &"code".into(), &format!("{:?}", status.code()).into());
    error.into()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct State<'a> {
    checks: Vec<Check<'a>>,
    version: &'a str,
    teleport_version: &'a str,
    authority: &'a str,
}

#[derive(Serialize)]
struct Check<'a> {
    name: &'a str,
    outcome: &'static str,
    message: &'a str,
    command: &'a str,
    cluster: &'a str,
}

impl<'a> From<&'a panel::Check> for Check<'a> {
    fn from(check: &'a panel::Check) -> Self {
        let outcome = match check.outcome() {
            panel::Outcome::Ok => "ok",
            panel::Outcome::Warning => "warning",
            panel::Outcome::Failed => "failed",
            panel::Outcome::Pending | panel::Outcome::Unspecified => "pending",
        };
        Self { name: &check.name, outcome, message: &check.message, command: &check.command, cluster: &check.cluster }
    }
}

#[derive(Serialize)]
struct Confirmation<'a> {
    id: &'a str,
    setting: &'a str,
    message: &'a str,
    action: &'a str,
    urgent: bool,
}

impl<'a> From<&'a panel::Confirmation> for Confirmation<'a> {
    fn from(confirmation: &'a panel::Confirmation) -> Self {
        Self {
            id: &confirmation.id,
            setting: &confirmation.setting,
            message: &confirmation.message,
            action: &confirmation.action,
            urgent: confirmation.urgent,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Facts<'a> {
    sealed: &'a HashMap<String, String>,
    problems: Vec<crate::Problem<'a>>,
    user: &'a str,
    cluster: &'a str,
    not_after: i64,
    valid_until: &'a str,
    warning: &'a str,
}
