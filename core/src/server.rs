//! The services that the host and the browser call, on top of [`App`].
//!
//! Handlers of tonic must be able to move between threads, the core must not: so each call goes through a channel to
//! the core's own tasks and its answer comes back through another.

use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::channel::{mpsc, oneshot};
use futures::future::{FutureExt, LocalBoxFuture};
use futures::{SinkExt, StreamExt};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::{App, Host};
use crate::audit;
use crate::audit::export::{self, Format};
use crate::authority;
use crate::bridge::WallBridge;
use crate::command;
use crate::config::{self, Problem};
use crate::confirmations::{self, NotConfirmed};
use crate::decision::{self, Click, Submission};
use crate::mattermost::{HostError, LogLevel, WallMattermost};
use crate::metrics::{self, HostFigures};
use crate::proto::panel::panel_server::{Panel, PanelServer};
use crate::proto::panel::{
    AuditFormat, Check, CheckCredentialsRequest, CheckCredentialsResponse, ConfirmRequest, ConfirmResponse,
    CredentialsProblem, ExportAuditRequest, ExportAuditResponse, ListConfirmationsRequest, ListConfirmationsResponse,
    SelfTestRequest, StatusRequest, StatusResponse,
};
use crate::proto::plugin::plugin_server::{Plugin, PluginServer};
use crate::proto::plugin::{
    CheckConfigurationRequest, CheckConfigurationResponse, ClickRequest, ClickResponse, CommandRequest,
    CommandResponse, ConfigureRequest, ConfigureResponse, LeadRequest, LeadResponse, MetricsRequest, MetricsResponse,
    PostChangedRequest, PostChangedResponse, SettingProblem, Severity, SubmitDialogRequest, SubmitDialogResponse,
    SupportDataRequest, SupportDataResponse, SupportFile,
};
use crate::requests::changed::{self, Change};
use crate::save;
use crate::selftest;
use crate::status;
use crate::support;
use crate::teleport::WallTeleport;
use crate::time::Time;
use crate::wall;
use crate::world::{World, within};

/// How long sealing what was stored as it was pasted may take, when settings are heard. What was not sealed by then is said in
/// the status, and sealed when they are heard again. The host waits five seconds for all of it.
const SEALING_TIMEOUT: Duration = Duration::from_secs(3);

/// The world behind the wall.
struct Wall {
    mattermost: WallMattermost,
    bridge: WallBridge,
}

impl World for Wall {
    type Mattermost = WallMattermost;
    type Teleport = WallTeleport;
    type Bridge = WallBridge;

    fn mattermost(&self) -> &WallMattermost {
        &self.mattermost
    }

    fn bridge(&self) -> &WallBridge {
        &self.bridge
    }

    fn teleport(&self, cluster: &str) -> WallTeleport {
        WallTeleport::new(cluster)
    }

    fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep(&self, span: Duration) -> LocalBoxFuture<'static, ()> {
        wall::sleep(span).boxed_local()
    }

    fn random(&self) -> u64 {
        getrandom::u64().unwrap_or_else(|_| self.now().0.unsigned_abs())
    }

    fn secret(&self) -> Option<u64> {
        getrandom::u64().ok()
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        wall::spawn(task);
    }
}

type Core = Rc<App<Wall>>;
type Job = Box<dyn FnOnce(Core) -> LocalBoxFuture<'static, ()> + Send>;

/// Hands calls to the core.
#[derive(Clone)]
struct Desk(mpsc::UnboundedSender<Job>);

/// Starts the core and answers with its services.
pub(crate) fn start() -> Routes {
    let (sender, mut jobs) = mpsc::unbounded::<Job>();
    wall::spawn(async move {
        let core = App::new(Wall { mattermost: WallMattermost::new(), bridge: WallBridge::new() });
        while let Some(job) = jobs.next().await {
            wall::spawn(job(Rc::clone(&core)));
        }
    });
    let desk = Desk(sender);
    Routes::new(PluginServer::new(desk.clone())).add_service(PanelServer::new(desk))
}

impl Desk {
    /// Runs `work` in the core and brings its answer back.
    async fn ask<T, F>(&self, work: impl FnOnce(Core) -> F + Send + 'static) -> Result<Response<T>, Status>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Status>> + 'static,
    {
        let (answer, arrives) = oneshot::channel();
        let job: Job = Box::new(move |core| {
            async move {
                let _ = answer.send(work(core).await);
            }
            .boxed_local()
        });
        self.0.unbounded_send(job).map_err(|_| Status::unavailable("the core has stopped"))?;
        arrives.await.map_err(|_| Status::unavailable("the core has stopped"))?.map(Response::new)
    }
}

#[tonic::async_trait]
impl Plugin for Desk {
    async fn configure(&self, request: Request<ConfigureRequest>) -> Result<Response<ConfigureResponse>, Status> {
        let request = request.into_inner();
        self.ask(move |core| async move {
            let version = match request.build.as_str() {
                "" => request.plugin_version,
                build => format!("{} ({build})", request.plugin_version),
            };
            let host = Host {
                plugin_id: request.plugin_id,
                bot_user_id: request.bot_user_id,
                version,
                mattermost_version: request.server_version,
                site_url: request.site_url,
                node: request.node,
                notes: request.notes,
                failures: request.failures,
                multi_factor_off: request.multi_factor_off,
            };
            let problems = core.configure(host, &request.settings_json);
            let problems = problems.into_iter().map(on_wire).collect();
            // The host waits for this answer, and gives up a core that does not take note, with all that people wait for: a
            // store that takes its time is no reason for that.
            let raw = save::read(&request.settings_json);
            let sealing = save::sealed_at_rest(core.world.bridge(), &raw);
            let settings_json = match within(&core.world, SEALING_TIMEOUT, sealing).await.unwrap_or(Ok(None)) {
                Ok(sealed) => sealed.and_then(|sealed| serde_json::to_vec(&sealed).ok()).unwrap_or_default(),
                Err(problem) => {
                    core.log(LogLevel::Error, &problem.message, &[("setting", &problem.setting)]);
                    Vec::new()
                }
            };
            Ok(ConfigureResponse { problems, settings_json })
        })
        .await
    }

    async fn lead(&self, request: Request<LeadRequest>) -> Result<Response<LeadResponse>, Status> {
        let leader = request.into_inner().leader;
        self.ask(move |core| async move {
            core.lead(leader);
            Ok(LeadResponse {})
        })
        .await
    }

    async fn click(&self, request: Request<ClickRequest>) -> Result<Response<ClickResponse>, Status> {
        let request = request.into_inner();
        self.ask(|core| async move {
            let click = Click {
                user_id: request.user_id,
                session_id: request.session_id,
                ip_address: request.ip_address,
                post_id: request.post_id,
                context: request.context.into_iter().collect(),
                trigger_id: request.trigger_id,
            };
            Ok(ClickResponse { ephemeral_text: decision::click(&core, click).await })
        })
        .await
    }

    async fn submit_dialog(
        &self,
        request: Request<SubmitDialogRequest>,
    ) -> Result<Response<SubmitDialogResponse>, Status> {
        let request = request.into_inner();
        self.ask(move |core| async move {
            let submission = Submission {
                user_id: request.user_id,
                session_id: request.session_id,
                ip_address: request.ip_address,
                state: request.state,
                cancelled: request.cancelled,
                values: request.submission.into_iter().collect(),
            };
            let answer = decision::submit_dialog(&core, submission).await;
            Ok(SubmitDialogResponse { error: answer.error, errors: answer.errors.into_iter().collect() })
        })
        .await
    }

    async fn command(&self, request: Request<CommandRequest>) -> Result<Response<CommandResponse>, Status> {
        let request = request.into_inner();
        self.ask(|core| async move {
            Ok(CommandResponse { text: command::run(&core, &request.user_id, &request.command).await })
        })
        .await
    }

    async fn check_configuration(
        &self,
        request: Request<CheckConfigurationRequest>,
    ) -> Result<Response<CheckConfigurationResponse>, Status> {
        let request = request.into_inner();
        self.ask(move |core| async move {
            let (new, old) = (save::read(&request.new_settings_json), save::read(&request.old_settings_json));
            let (now, mfa_off) = (core.world.now(), request.multi_factor_off);
            let names = save::unmasked(&new, &old);
            let mut answer = save::check(core.world.bridge(), new, &old, now).await;
            if answer.is_ok()
                && let Err(problems) = save::check_names(core.world.mattermost(), &names, &old, mfa_off, now).await
            {
                answer = Err(problems);
            }
            Ok(match answer {
                Ok(values) => CheckConfigurationResponse {
                    problems: Vec::new(),
                    settings_json: serde_json::to_vec(&values).unwrap_or_default(),
                },
                Err(problems) => CheckConfigurationResponse {
                    problems: problems.into_iter().map(on_wire).collect(),
                    settings_json: Vec::new(),
                },
            })
        })
        .await
    }

    async fn post_changed(
        &self,
        request: Request<PostChangedRequest>,
    ) -> Result<Response<PostChangedResponse>, Status> {
        let request = request.into_inner();
        self.ask(move |core| async move {
            let change = Change {
                post_id: request.post_id,
                update_at: request.update_at,
                deleted: request.deleted,
                props: request.props.into_iter().collect(),
            };
            changed::hear(&core, change).await;
            Ok(PostChangedResponse {})
        })
        .await
    }

    async fn metrics(&self, request: Request<MetricsRequest>) -> Result<Response<MetricsResponse>, Status> {
        let host = figures(&request.into_inner());
        self.ask(move |core| async move {
            let text = metrics::in_text(&core, host);
            Ok(MetricsResponse { text, content_type: metrics::CONTENT_TYPE.to_owned() })
        })
        .await
    }

    async fn support_data(
        &self,
        request: Request<SupportDataRequest>,
    ) -> Result<Response<SupportDataResponse>, Status> {
        let host = figures(&request.into_inner().host.unwrap_or_default());
        self.ask(move |core| async move {
            let files = support::files(&core, host).await;
            let files = files.into_iter().map(|(name, content)| SupportFile { name, content }).collect();
            Ok(SupportDataResponse { files })
        })
        .await
    }
}

#[tonic::async_trait]
impl Panel for Desk {
    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let user_id = caller(&request)?;
        self.ask(|core| async move {
            only_admins(&core, &user_id, "see the status").await?;
            let version = core.host.borrow().version.clone();
            let server =
                core.lanes().first().and_then(|lane| lane.cluster.way.borrow().as_ref().map(|way| way.server.clone()));
            let authority = server.as_ref().map(|server| authority::in_force(core.settings().authority, server));
            Ok(StatusResponse {
                checks: status::checks(&core).await,
                version,
                teleport_version: server.map(|server| server.version).unwrap_or_default(),
                authority: authority
                    .and_then(Result::ok)
                    .map(|authority| authority.name().to_owned())
                    .unwrap_or_default(),
            })
        })
        .await
    }

    type SelfTestStream = mpsc::UnboundedReceiver<Result<Check, Status>>;

    async fn self_test(&self, request: Request<SelfTestRequest>) -> Result<Response<Self::SelfTestStream>, Status> {
        let user_id = caller(&request)?;
        let settings = request.into_inner().settings_json;
        self.ask(|core| async move {
            only_admins(&core, &user_id, "test the settings").await?;
            audit::noted(&core, &user_id, "self-test run", "").await.map_err(not_noted)?;
            let (checks, stream) = mpsc::unbounded();
            wall::spawn(async move {
                // Where nobody listens any more it goes on to its end, which is near.
                let report = |check: Check| drop(checks.unbounded_send(Ok(check)));
                selftest::run(&core, &settings, &report).await;
            });
            Ok(stream)
        })
        .await
    }

    async fn check_credentials(
        &self,
        request: Request<CheckCredentialsRequest>,
    ) -> Result<Response<CheckCredentialsResponse>, Status> {
        let user_id = caller(&request)?;
        let request = request.into_inner();
        self.ask(move |core| async move {
            only_admins(&core, &user_id, "check credentials").await?;
            let pasted = request.values.into_iter().collect();
            let saved = core.raw.borrow().clone();
            let place = usize::try_from(request.cluster).unwrap_or(usize::MAX);
            let now = core.world.now();
            Ok(match save::check_credentials(core.world.bridge(), pasted, &saved, place, now).await {
                Err(problem) => CheckCredentialsResponse {
                    problems: vec![CredentialsProblem {
                        setting: problem.setting.into_owned(),
                        message: problem.message,
                    }],
                    ..Default::default()
                },
                Ok(checked) => CheckCredentialsResponse {
                    sealed: checked.values.into_iter().collect(),
                    problems: Vec::new(),
                    valid_until: checked.usable.not_after.to_string(),
                    warning: checked.usable.warning(now).unwrap_or_default(),
                    not_after: checked.usable.not_after.0,
                    user: checked.usable.user,
                    cluster: checked.usable.cluster,
                },
            })
        })
        .await
    }

    async fn list_confirmations(
        &self,
        request: Request<ListConfirmationsRequest>,
    ) -> Result<Response<ListConfirmationsResponse>, Status> {
        let user_id = caller(&request)?;
        self.ask(|core| async move {
            only_admins(&core, &user_id, "see what waits for confirmation").await?;
            let confirmations =
                confirmations::list(&core).await.map_err(|error| Status::unavailable(error.to_string()))?;
            Ok(ListConfirmationsResponse { confirmations })
        })
        .await
    }

    async fn confirm(&self, request: Request<ConfirmRequest>) -> Result<Response<ConfirmResponse>, Status> {
        let user_id = caller(&request)?;
        let id = request.into_inner().id;
        self.ask(|core| async move {
            only_admins(&core, &user_id, "confirm anything").await?;
            match confirmations::confirm(&core, &user_id, &id).await {
                Ok(message) => Ok(ConfirmResponse { message }),
                Err(NotConfirmed::Changed) => Err(Status::failed_precondition(NotConfirmed::Changed.to_string())),
                Err(error) => Err(Status::unavailable(error.to_string())),
            }
        })
        .await
    }

    type ExportAuditStream = mpsc::Receiver<Result<ExportAuditResponse, Status>>;

    async fn export_audit(
        &self,
        request: Request<ExportAuditRequest>,
    ) -> Result<Response<Self::ExportAuditStream>, Status> {
        let user_id = caller(&request)?;
        let request = request.into_inner();
        let format = match request.format() {
            AuditFormat::JsonLines => Format::JsonLines,
            AuditFormat::Csv => Format::Csv,
            AuditFormat::Unspecified => return Err(Status::invalid_argument("say which format")),
        };
        let (from, to) = (request.from, request.to);
        if from < 0 || to < 0 || (to != 0 && to <= from) {
            return Err(Status::invalid_argument("the period must end after it begins"));
        }
        self.ask(move |core| async move {
            only_admins(&core, &user_id, "see the audit trail").await?;
            let file_name = export::file_name(format, from, to);
            audit::noted(&core, &user_id, "audit trail exported", &file_name).await.map_err(not_noted)?;
            // One piece waits at most: what is not fetched is not read.
            let (mut pieces, stream) = mpsc::channel(0);
            let (content_type, _) = format.names();
            let names = ExportAuditResponse { content: Vec::new(), content_type: content_type.to_owned(), file_name };
            wall::spawn(async move {
                if pieces.send(Ok(names)).await.is_err() {
                    return;
                }
                let mut to_client = pieces.clone();
                let take = async |content| {
                    let piece = ExportAuditResponse { content, ..Default::default() };
                    to_client.send(Ok(piece)).await.is_ok()
                };
                if let Err(error) = export::export(&core, format, from, to, take).await {
                    let status = Status::unavailable(format!("the audit trail cannot be read: {error}"));
                    let _ = pieces.send(Err(status)).await;
                }
            });
            Ok(stream)
        })
        .await
    }
}

/// A problem for the host.
fn on_wire(problem: Problem) -> SettingProblem {
    let severity = match problem.severity {
        config::Severity::Wrong => Severity::Wrong,
        config::Severity::Missing => Severity::Missing,
        config::Severity::Outdated | config::Severity::Warning => Severity::Warning,
    };
    SettingProblem { setting: problem.setting.into_owned(), message: problem.message, severity: severity.into() }
}

fn figures(host: &MetricsRequest) -> HostFigures {
    HostFigures {
        memory_bytes: host.wasm_memory_bytes,
        restarts: host.wasm_restarts,
        anonymous: host.anonymous_requests,
        throttled: host.throttled_requests,
        of_plugins: host.plugin_requests,
    }
}

/// Nothing is done that the audit trail does not tell of.
fn not_noted(error: HostError) -> Status {
    Status::unavailable(format!("the audit trail cannot be written, so nothing was done: {error}"))
}

/// Whose session a call of the browser's came with.
fn caller<T>(request: &Request<T>) -> Result<String, Status> {
    let id = request.metadata().get("mattermost-user-id").and_then(|value| value.to_str().ok()).unwrap_or("");
    if id.is_empty() { Err(Status::unauthenticated("sign in to Mattermost first")) } else { Ok(id.to_owned()) }
}

/// Fails for all but system admins.
async fn only_admins(core: &App<Wall>, user_id: &str, what: &str) -> Result<(), Status> {
    match command::is_system_admin(core, user_id).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Status::permission_denied(format!("only system admins may {what}"))),
        Err(error) => Err(Status::unavailable(error.to_string())),
    }
}
