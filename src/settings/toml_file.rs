//! `prefect.toml` and `pyproject.toml`.

use toml::{Table, Value};

use super::file;
use super::layer::{PROFILES_PATH, Values};
use super::sources::Sources;
use super::value::Raw;
use crate::error::{Error, Result};

/// The tables of `prefect.toml`, each with the prefix of the variables that its keys stand for.
const TABLES: [(&str, &str); 6] = [
    ("api", "PREFECT_API_"),
    ("client", "PREFECT_CLIENT_"),
    ("cloud", "PREFECT_CLOUD_"),
    ("flows", "PREFECT_FLOWS_"),
    ("logging", "PREFECT_LOGGING_"),
    ("runner", "PREFECT_RUNNER_"),
];

/// The table in `logging` that has settings of its own.
const TO_API: &str = "to_api";

/// Reads the settings of a TOML file in the working directory, below this table.
pub(super) fn read(sources: &Sources, name: &str, below: &[&str]) -> Result<Values> {
    let Some(path) = sources.resolve(name) else {
        return Ok(Values::new());
    };
    let wrong = |what: String| Error::configuration(format!("{}: {what}", path.display()));
    let text = file::read(&path).map_err(|error| wrong(error.to_string()))?;
    let Some(text) = text else {
        return Ok(Values::new());
    };
    let document: Table = toml::from_str(&text).map_err(|error| wrong(describe(&error, &text)))?;
    let not_a_table = |key: &str| wrong(format!("`{key}` is not a table"));
    let mut table = &document;
    for key in below {
        table = match table.get(*key) {
            Some(Value::Table(table)) => table,
            Some(_) => return Err(not_a_table(key)),
            None => return Ok(Values::new()),
        };
    }
    let mut values = Values::new();
    for (key, prefix) in TABLES {
        let settings = match table.get(key) {
            Some(Value::Table(settings)) => settings,
            Some(_) => return Err(not_a_table(key)),
            None => continue,
        };
        for (key, value) in settings {
            let name = format!("{prefix}{}", key.to_ascii_uppercase());
            match value {
                Value::Table(nested) if key == TO_API => {
                    for (key, value) in nested {
                        let name = format!("{name}_{}", key.to_ascii_uppercase());
                        values.insert(name, Raw::Toml(value.clone()));
                    }
                }
                value => {
                    values.insert(name, Raw::Toml(value.clone()));
                }
            }
        }
    }
    if let Some(path) = table.get("profiles_path") {
        values.insert(PROFILES_PATH.to_owned(), Raw::Toml(path.clone()));
    }
    Ok(values)
}

/// Describes what is wrong with a TOML text, in one line and without quoting it: it may contain secrets.
pub(super) fn describe(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or_default();
        format!("line {}: ", before.matches('\n').count() + 1)
    });
    let message = error.message().lines().next().unwrap_or("malformed");
    format!("not TOML: {}{message}", line.unwrap_or_default())
}
