//! What helps whoever supports this plugin: files for Mattermost's support packet, without secrets.

use std::rc::Rc;

use crate::app::App;
use crate::metrics::{self, HostFigures};
use crate::save;
use crate::status;
use crate::world::World;

/// The files by their names.
pub async fn files<W: World>(app: &Rc<App<W>>, host: HostFigures) -> Vec<(String, Vec<u8>)> {
    let (version, mattermost, node) = {
        let host = app.host.borrow();
        (host.version.clone(), host.mattermost_version.clone(), host.node.clone())
    };
    let state = status::in_markdown(&version, &status::checks(app).await);
    let state = format!("{state}\nNode {node}, Mattermost {mattermost}\n");
    let settings = save::without_secrets(&app.raw.borrow());
    let settings = serde_json::to_string_pretty(&settings).unwrap_or_default();
    let name = |file: &str| format!("teleport-access/{file}");
    vec![
        (name("status.md"), state.into_bytes()),
        (name("settings.json"), settings.into_bytes()),
        (name("metrics.txt"), metrics::in_text(app, host).into_bytes()),
    ]
}
