//! Reads a TOML configuration file, ours or one of Teleport's own Mattermost plugin, from standard input. Prints the settings and
//! notes as JSON, or what is wrong, a line each.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use teleport_access_core::import::import_bytes;

fn main() -> ExitCode {
    let mut bytes = Vec::new();
    if let Err(error) = std::io::stdin().read_to_end(&mut bytes) {
        let _ = writeln!(std::io::stderr(), "Standard input cannot be read: {error}. Give the file with `< file`.");
        return ExitCode::FAILURE;
    }
    let printed = match import_bytes(&bytes) {
        Ok(imported) => serde_json::to_string_pretty(&imported).map_err(|error| error.to_string()),
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    };
    match printed {
        // Whoever reads may have left; that is no failure of the import.
        Ok(json) => {
            let _ = writeln!(std::io::stdout(), "{json}");
            ExitCode::SUCCESS
        }
        Err(errors) => {
            let _ = writeln!(std::io::stderr(), "{errors}");
            ExitCode::FAILURE
        }
    }
}
