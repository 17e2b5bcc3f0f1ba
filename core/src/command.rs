//! The slash command `/teleport`.

use std::rc::Rc;

use crate::app::App;
use crate::mattermost::{Mattermost as _, UserBy};
use crate::status;
use crate::world::World;

/// Shown for `help`, and for what is not known.
const HELP: &str = "#### /teleport
- `/teleport status`: whether everything works, and what to do where it does not (system admins)
- `/teleport help`: this text

Access requests are approved and denied with the buttons in their posts.";

/// Answers a command line for the user who typed it.
pub async fn run<W: World>(app: &Rc<App<W>>, user_id: &str, line: &str) -> String {
    let mut words = line.split_whitespace().skip(1);
    match words.next() {
        None | Some("help") => HELP.to_owned(),
        Some("status") => match is_system_admin(app, user_id).await {
            Ok(true) => {
                let version = app.host.borrow().version.clone();
                status::in_markdown(&version, &status::checks(app).await)
            }
            Ok(false) => "Only system admins may see the status: ask one of them.".to_owned(),
            Err(error) => format!("Mattermost could not be asked who you are: {error}. Try again."),
        },
        Some(other) => format!("There is no `/teleport {}`.\n\n{HELP}", other.replace('`', "'")),
    }
}

/// Whether the user is a system admin of Mattermost.
pub(crate) async fn is_system_admin<W: World>(
    app: &App<W>,
    user_id: &str,
) -> Result<bool, crate::mattermost::HostError> {
    if user_id.is_empty() {
        return Ok(false);
    }
    let user = app.world.mattermost().get_user(UserBy::Id(user_id.to_owned())).await?;
    Ok(user.is_system_admin && user.delete_at == 0)
}
