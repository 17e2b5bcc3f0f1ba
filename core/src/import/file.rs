//! A TOML file as a tree of values that know their lines.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ImportError;

/// Longest file that is read: some hundred times a usual one.
const MAX_BYTES: usize = 256 << 10;
/// Longest file of which all errors of form are looked for: each takes much more memory than what it is about.
const MAX_BYTES_RECOVERED: usize = 32 << 10;
/// Most errors of form that are told at once.
const MAX_FORM_ERRORS: usize = 20;

/// A value and the line it starts in.
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// What a value may be.
pub(super) enum Value {
    Text(String),
    Flag(bool),
    /// None: a number that is none of 64 bits, or not whole.
    Number(Option<i64>),
    Date,
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key of a table, and its value.
pub(super) struct Entry {
    pub(super) key: String,
    /// The line of the key.
    pub(super) line: usize,
    pub(super) node: Node,
}

impl Value {
    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Flag(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Date => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Reads a file into the entries of its outermost table, in the file's order.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, Vec<ImportError>> {
    let error = |line, message: String| ImportError { line, key: String::new(), message };
    if text.len() > MAX_BYTES {
        return Err(vec![error(
            None,
            format!(
                "This file has {} bytes, more than any configuration. Give the plugin's own file, such as teleport-mattermost.toml.",
                text.len()
            ),
        )]);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::new(text);
    let parsed = DeTable::parse(text).map_err(|error| match text.len() {
        ..=MAX_BYTES_RECOVERED => DeTable::parse_recoverable(text).1,
        _ => vec![error],
    });
    parsed.map(|table| entries(table.into_inner(), &lines)).map_err(|errors| {
        let errors = errors.iter().map(|wrong| {
            let line = wrong.span().map(|span| lines.of(span.start));
            error(line, format!("This is no TOML: {}. Correct this line, or take it out.", wrong.message().trim()))
        });
        let mut errors: Vec<ImportError> = errors.collect();
        errors.sort_by_key(|error| error.line);
        errors.dedup();
        errors.truncate(MAX_FORM_ERRORS);
        errors
    })
}

fn entries(table: DeTable<'_>, lines: &Lines) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| Entry {
            line: lines.of(key.span().start),
            key: key.into_inner().into_owned(),
            node: node(value, lines),
        })
        .collect();
    entries.sort_by_key(|entry| entry.line);
    entries
}

fn node(value: Spanned<DeValue<'_>>, lines: &Lines) -> Node {
    let line = lines.of(value.span().start);
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Integer(number) => Value::Number(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Float(_) => Value::Number(None),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(list) => Value::List(list.into_iter().map(|value| node(value, lines)).collect()),
        DeValue::Table(table) => Value::Table(entries(table, lines)),
    };
    Node { line, value }
}

/// Where the lines of a text start.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    /// The line of a byte, counted from 1.
    fn of(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at) + 1
    }
}
