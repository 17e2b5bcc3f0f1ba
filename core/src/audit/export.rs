//! The trail as files and tables.

use std::fmt::Write as _;
use std::time::Duration;

use super::chain::{self, Head, Link};
use super::entry::{Entry, Result as EntryResult};
use super::index::Reader;
use super::verify::{Against, Report, Verifier};
use super::{index, oldest};
use crate::app::App;
use crate::mattermost::HostError;
use crate::messages::code;
use crate::time::Time;
use crate::world::{World, within};

/// How long a command may take to verify the trail: Mattermost waits half a minute for its answer.
const VERIFY_TIMEOUT: Duration = Duration::from_secs(20);

/// How a trail is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One row an entry, with a header line (RFC 4180).
    Csv,
    /// One JSON object a line, exactly as it is stored: what can be verified.
    JsonLines,
}

impl Format {
    /// MIME type and the end of a file's name.
    #[must_use]
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Csv => ("text/csv; charset=utf-8", "csv"),
            Self::JsonLines => ("application/jsonl", "jsonl"),
        }
    }
}

/// Hands a period over piece by piece, oldest first: from a moment on and before another; 0: without such a bound. Ends
/// early where `take` is false.
///
/// # Errors
/// Where the store cannot be read any more.
pub async fn export<W: World>(
    app: &App<W>,
    format: Format,
    from: i64,
    to: i64,
    mut take: impl AsyncFnMut(Vec<u8>) -> bool,
) -> Result<(), HostError> {
    // Nothing that is older is kept, and no clock is ahead by more than that.
    let (first, last) = (with_spare(oldest(app)), app.world.now().plus(Duration::from_secs(86_400)));
    let first = Time(first.0.max(from));
    let last = if to == 0 { last } else { Time(last.0.min(to)) };
    let mut reader = Reader::new(app.world.mattermost(), first, last);
    if format == Format::Csv && !take(csv_header().into_bytes()).await {
        return Ok(());
    }
    while let Some(lines) = reader.next().await? {
        let piece: String = match format {
            Format::JsonLines => lines.iter().map(|line| format!("{}\n", line.trim_end())).collect(),
            Format::Csv => lines.iter().filter_map(|line| csv_row(line)).collect(),
        };
        if !take(piece.into_bytes()).await {
            return Ok(());
        }
    }
    Ok(())
}

/// Some days earlier: with what must be shown goes the checkpoint that stands for what is gone before.
fn with_spare(oldest: Time) -> Time {
    oldest.minus(Duration::from_secs(2 * 86_400))
}

/// Verifies the whole trail, against heads that were noted elsewhere too.
///
/// # Errors
/// Where the store cannot be read, or it takes too long.
pub(crate) async fn verify<W: World>(app: &App<W>, heads: Vec<Head>) -> Result<Report, HostError> {
    let mut verifier = Verifier::new(Against { heads, ..Default::default() });
    let now = app.world.now();
    let (first, last) = (with_spare(oldest(app)), now.plus(Duration::from_secs(86_400)));
    let mut reader = Reader::new(app.world.mattermost(), first, last);
    let read = async {
        while let Some(lines) = reader.next().await? {
            lines.iter().for_each(|line| verifier.read(line));
        }
        Ok(())
    };
    match within(&app.world, VERIFY_TIMEOUT, read).await {
        Some(read) => read.map(|()| verifier.finish(now)),
        None => Err(HostError::Unavailable(
            "there is too much of it. Export it as JSON lines and verify the file with `verify-audit`".to_owned(),
        )),
    }
}

/// Names of the columns. Those of earlier versions come first.
const COLUMNS: [&str; 31] = [
    "time",
    "time_utc",
    "result",
    "verdict",
    "username",
    "email",
    "user_id",
    "teleport_user",
    "authority",
    "cluster",
    "request_id",
    "requester",
    "roles",
    "reason",
    "cause",
    "id",
    "session",
    "address",
    "granted_roles",
    "refused_roles",
    "starts",
    "digest",
    "voters",
    "what",
    "detail",
    "count",
    "first",
    "chain",
    "seq",
    "written",
    "heads",
];

fn csv_header() -> String {
    row(COLUMNS.iter().map(|column| (*column).to_owned()))
}

fn row(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.map(|cell| csv_cell(&cell)).collect();
    format!("{}\r\n", cells.join(","))
}

/// A line of the trail as a row; none where it cannot be read.
fn csv_row(line: &str) -> Option<String> {
    let (text, link) = match chain::split(line) {
        Some((text, link)) => (text, Some(link)),
        None => (line.to_owned(), None),
    };
    serde_json::from_str::<Entry>(&text).ok().map(|entry| entry_row(&entry, link.as_ref()))
}

fn entry_row(entry: &Entry, link: Option<&Link>) -> String {
    let moment = |time: Option<Time>| time.map(|time| time.to_string()).unwrap_or_default();
    let voters: Vec<String> =
        entry.voters.iter().map(|voter| format!("{} ({})", voter.username, voter.user_id)).collect();
    let heads: Vec<String> = entry.heads.iter().map(Head::to_string).collect();
    let fields = [
        entry.time.0.to_string(),
        entry.time.to_string(),
        entry.result.name().to_owned(),
        entry.verdict_name(),
        entry.username.clone(),
        entry.email.clone(),
        entry.user_id.clone(),
        entry.teleport_user.clone(),
        entry.authority.clone(),
        entry.cluster.clone(),
        entry.request_id.clone(),
        entry.requester.clone(),
        entry.roles.join(" "),
        entry.reason.clone(),
        entry.cause.clone(),
        entry.id.clone(),
        entry.session.clone(),
        entry.address.clone(),
        entry.granted_roles.join(" "),
        entry.refused_roles.join(" "),
        moment(entry.starts),
        entry.digest.clone(),
        voters.join(" "),
        entry.what.clone(),
        entry.detail.clone(),
        if entry.count == 0 { String::new() } else { entry.count.to_string() },
        moment(entry.first),
        link.map(|link| link.chain.clone()).unwrap_or_default(),
        link.map(|link| link.seq.to_string()).unwrap_or_default(),
        link.map(|link| link.at.0.to_string()).unwrap_or_default(),
        heads.join(" "),
    ];
    row(fields.into_iter())
}

/// Entries as CSV, with a header line and times in milliseconds since 1970 (UTC).
#[must_use]
pub fn in_csv(entries: &[Entry]) -> String {
    csv_header() + &entries.iter().map(|entry| entry_row(entry, None)).collect::<String>()
}

/// What begins a formula in a spreadsheet, in any script.
fn begins_formula(letter: char) -> bool {
    matches!(letter, '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}' | '\u{2212}')
}

/// What ends a cell in some locale, or a line.
fn is_separator(letter: char) -> bool {
    matches!(
        letter,
        ',' | ';'
            | '|'
            | '\t'
            | '\n'
            | '\r'
            | '\u{b}'
            | '\u{c}'
            | '\u{85}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{ff0c}'
            | '\u{ff1b}'
    )
}

/// A cell that no spreadsheet takes for a formula, nor any part of it: where another separator is usual than the comma,
/// what is between quotation marks may be cut.
fn csv_cell(text: &str) -> String {
    let mut cell = String::from("\"");
    if text.starts_with(['\t', '\r']) {
        cell.push('\'');
    }
    let mut at_start = true;
    for letter in text.chars() {
        if at_start && begins_formula(letter) {
            cell.push('\'');
        }
        // Blanks and quotation marks do not keep what follows from being the first.
        at_start = is_separator(letter) || (at_start && (letter.is_whitespace() || letter == '"'));
        if letter == '"' {
            cell.push('"');
        }
        cell.push(letter);
    }
    cell.push('"');
    cell
}

/// Entries as a table in Markdown.
#[must_use]
pub fn in_markdown(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "The audit trail is empty.".to_owned();
    }
    let mut text = String::from("| Time | Who | Request of | Roles | Verdict | Result |\n|---|---|---|---|---|---|\n");
    for entry in entries {
        let who = if entry.username.is_empty() { &entry.user_id } else { &entry.username };
        let roles: Vec<String> = entry.roles.iter().map(|role| cell(role)).collect();
        let times = if entry.count > 1 { format!(" ({} times)", entry.count) } else { String::new() };
        let verdict = entry.verdict_name();
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {}{times}{} |",
            entry.time,
            cell(who),
            cell(&entry.requester),
            roles.join(", "),
            if entry.result == EntryResult::Settled { &entry.what } else { &verdict },
            entry.result.name(),
            more(entry),
        );
    }
    text
}

/// What is said after the result.
fn more(entry: &Entry) -> String {
    let cause = entry.cause.replace(['|', '\n', '\r'], " ");
    match entry.result {
        EntryResult::Noted => format!(": {} {}", entry.what, cell(&entry.detail)),
        EntryResult::Settled | EntryResult::Reconciled if !entry.detail.is_empty() => {
            format!(": {}", entry.detail.replace(['|', '\n', '\r'], " "))
        }
        _ if cause.is_empty() => String::new(),
        _ => format!(": {cause}"),
    }
}

fn cell(text: &str) -> String {
    if text.is_empty() { String::new() } else { code(text).replace('|', "/") }
}

/// The name of an export's file.
#[must_use]
pub fn file_name(format: Format, from: i64, to: i64) -> String {
    let day = |time: i64| index::day_name(index::day_of(Time(time)));
    let from = if from == 0 { String::new() } else { format!("-from-{}", day(from)) };
    let to = if to == 0 { String::new() } else { format!("-to-{}", day(to - 1)) };
    format!("teleport-audit{from}{to}.{}", format.names().1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::teleport::State;

    fn entry() -> Entry {
        Entry {
            username: "bob".into(),
            roles: vec!["dba".into(), "ops".into()],
            verdict: Some(State::Denied),
            reason: "=1+1, \"no\"".into(),
            ..Entry::new(Time(60_000), "b0b", EntryResult::Decided)
        }
    }

    #[test]
    fn csv_quotes_everything_and_keeps_the_columns_of_earlier_versions_first() {
        let csv = in_csv(&[entry()]);
        let line = csv.lines().nth(1).unwrap_or_default();
        let begin = "\"60000\",\"1970-01-01 00:01 UTC\",\"decided\",\"denied\",\"bob\",\"\",\"b0b\",\"\",\"\",\"\",\"\",\"\",\"dba ops\",\"'=1+1, \"\"no\"\"\",\"\",";
        assert!(line.starts_with(begin), "{line}");
        assert_eq!(csv.lines().next().map(|line| line.matches(',').count()), Some(COLUMNS.len() - 1));
        assert_eq!(line.matches("\",\"").count(), COLUMNS.len() - 1);
    }

    #[test]
    fn no_cell_and_no_part_of_one_is_a_formula_in_any_locale() {
        for (text, cell) in [
            ("=1", "'=1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@a", "'@a"),
            ("＝1", "'＝1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠a", "'＠a"),
            ("\t=1", "'\t'=1"),
            ("\rx", "'\rx"),
            (" =1", " '=1"),
            ("\"=1", "\"\"'=1"),
            ("a;=1", "a;'=1"),
            ("a; \"=1", "a; \"\"'=1"),
            ("a,=1", "a,'=1"),
            ("a\t@b", "a\t'@b"),
            ("a\n-1\r\n+1", "a\n'-1\r\n'+1"),
            ("a|＝1", "a|'＝1"),
            ("a\u{2028}=1", "a\u{2028}'=1"),
            ("a=1 - b@c", "a=1 - b@c"),
            ("bob@example.com", "bob@example.com"),
        ] {
            assert_eq!(csv_cell(text), format!("\"{cell}\""), "{text:?}");
        }
    }

    #[test]
    fn a_table_is_not_broken_by_what_people_write() {
        let hostile = Entry { cause: "a|b\nc".into(), requester: "x|y".into(), ..entry() };
        let noted =
            Entry { what: "confirmed".into(), detail: "x|\ny".into(), ..Entry::new(Time(0), "a", EntryResult::Noted) };
        let table = in_markdown(&[hostile, noted]);
        for row in table.lines().skip(2) {
            assert_eq!(row.matches('|').count(), 7, "{row}");
        }
        assert_eq!(table.lines().count(), 4);
    }

    #[test]
    fn a_file_says_which_period_it_is_of() {
        assert_eq!(file_name(Format::Csv, 0, 0), "teleport-audit.csv");
        let name = file_name(Format::JsonLines, 86_400_000, 3 * 86_400_000);
        assert_eq!(name, "teleport-audit-from-1970-01-02-to-1970-01-03.jsonl");
    }
}
