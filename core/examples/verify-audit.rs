//! Reads an audit trail as it was exported (`/audit.jsonl`) from standard input, and says whether anything is missing or was
//! changed.
//!
//! `--head HEAD`, as often as there are any: an end of the trail that was noted elsewhere, as it was posted. `--key KEY`: the
//! key that the ends must be signed with. `--part`: the file is the export of a period.

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use teleport_access_core::audit::verify::{Against, Verifier};
use teleport_access_core::time::Time;

/// What is to be compared, or what is wrong with the command line.
fn against(mut words: impl Iterator<Item = String>) -> Result<Against, String> {
    let mut against = Against::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--part" => against.is_part = true,
            "--head" => against.heads.push(words.next().unwrap_or_default().parse()?),
            "--key" => match words.next() {
                Some(key) if key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()) => against.key = key,
                _ => return Err("After --key stands a key: 64 hex digits.".to_owned()),
            },
            other => return Err(format!("{other:?} is not known. Give --head HEAD, --key KEY or --part.")),
        }
    }
    Ok(against)
}

fn main() -> ExitCode {
    let against = match against(std::env::args().skip(1)) {
        Ok(against) => against,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            return ExitCode::from(2);
        }
    };
    let mut verifier = Verifier::new(against);
    for line in std::io::stdin().lock().lines() {
        match line {
            Ok(line) => verifier.read(&line),
            Err(error) => {
                let _ =
                    writeln!(std::io::stderr(), "Standard input cannot be read: {error}. Give the file with `< file`.");
                return ExitCode::from(2);
            }
        }
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let report = verifier.finish(Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)));
    let mut out = std::io::stdout();
    // Whoever reads may have left; the exit code says it too.
    let _ = write!(out, "{report}");
    for head in &report.heads {
        let _ = writeln!(out, "Head: {head}");
    }
    if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
