//! The sources as layers of values, each variable under its usual name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use super::profile::{self, Profile};
use super::value::Raw;
use super::{Origin, Sources, dotenv};
use crate::error::{Error, Result};
use crate::file;

/// Values by the usual name of their variable: `PREFECT_API_URL`.
pub(super) type Values = BTreeMap<String, Raw>;

/// One source, and what it says.
pub(super) struct Layer {
    pub origin: Origin,
    pub values: Values,
}

impl Layer {
    fn new(origin: Origin, values: Values) -> Self {
        Self { origin, values }
    }
}

pub(super) const KEY: &str = "PREFECT_API_KEY";
pub(super) const AUTH_STRING: &str = "PREFECT_API_AUTH_STRING";
pub(super) const HEADERS: &str = "PREFECT_CLIENT_CUSTOM_HEADERS";

/// What is a credential, or may hold one, as any header may.
const CREDENTIALS: [&str; 3] = [KEY, AUTH_STRING, HEADERS];

/// All sources.
pub(super) struct Layers {
    /// The first that says something wins.
    pub layers: Vec<Layer>,
    pub profile: Option<String>,
    pub profiles_path: Option<PathBuf>,
    /// Headers that say on whose behalf this process asks.
    pub attribution: Vec<(&'static str, String)>,
    pub warnings: Vec<String>,
}

/// The tables of `prefect.toml`, and the variables that their keys are part of.
const TABLES: [(&str, &str); 3] = [
    ("api", "PREFECT_API_"),
    ("client", "PREFECT_CLIENT_"),
    ("cloud", "PREFECT_CLOUD_"),
];

/// What a worker tells the processes that it starts, and the headers that pass it on.
const ATTRIBUTION: [(&str, &str); 6] = [
    ("PREFECT__WORKER_ID", "X-Prefect-Worker-Id"),
    ("PREFECT__WORKER_NAME", "X-Prefect-Worker-Name"),
    ("PREFECT__FLOW_ID", "X-Prefect-Flow-Id"),
    ("PREFECT__FLOW_NAME", "X-Prefect-Flow-Name"),
    ("PREFECT__DEPLOYMENT_ID", "X-Prefect-Deployment-Id"),
    ("PREFECT__DEPLOYMENT_NAME", "X-Prefect-Deployment-Name"),
];

impl Layers {
    /// Reads all sources; a profile that is asked for goes before all others.
    pub fn read(sources: &Sources, asked: Option<&str>) -> Result<Self> {
        let pyproject = toml_file(sources, "pyproject.toml", &["tool", "prefect"])?;
        let mut layers = vec![
            Layer::new(Origin::Environment, environment(sources)),
            Layer::new(Origin::DotEnv, dotenv::read(sources)?),
            Layer::new(
                Origin::PrefectToml,
                toml_file(sources, "prefect.toml", &[])?,
            ),
            Layer::new(Origin::PyprojectToml, pyproject),
        ];
        let Profile {
            name,
            path,
            values,
            warning,
        } = profile::read(sources, &layers, asked)?;
        // Prefect trusts by default what other programs do.
        let certificates = sources.get("SSL_CERT_FILE").map(|path| {
            let name = "PREFECT_API_SSL_CERT_FILE".to_owned();
            (name, Raw::Text(path.to_owned()))
        });
        if let Some(name) = &name {
            let profile = Layer::new(Origin::Profile(name.clone()), values);
            if asked.is_some() {
                // The key to another server must not be sent to that of the profile.
                if profile.values.contains_key("PREFECT_API_URL") {
                    for layer in &mut layers {
                        layer
                            .values
                            .retain(|name, _| !CREDENTIALS.contains(&name.as_str()));
                    }
                }
                layers.insert(0, profile);
            } else {
                layers.push(profile);
            }
        }
        layers.push(Layer::new(
            Origin::SslCertFile,
            certificates.into_iter().collect(),
        ));
        let attribution = ATTRIBUTION.iter().filter_map(|(variable, header)| {
            let value = sources.get(variable)?.trim_matches([' ', '\t']);
            (!value.is_empty()).then(|| (*header, value.to_owned()))
        });
        Ok(Self {
            layers,
            profile: name,
            profiles_path: path,
            attribution: attribution.collect(),
            warnings: warning.into_iter().collect(),
        })
    }
}

fn environment(sources: &Sources) -> Values {
    let names = sources
        .variables()
        .keys()
        .map(|name| name.to_ascii_uppercase());
    names
        .filter_map(|name| {
            let value = sources.get(&name)?.to_owned();
            Some((name, Raw::Text(value)))
        })
        .collect()
}

/// The settings in a TOML file of the working directory, below this table.
fn toml_file(sources: &Sources, name: &str, below: &[&str]) -> Result<Values> {
    let Some(path) = sources.resolve(name) else {
        return Ok(Values::new());
    };
    let wrong = |what: String| Error::configuration(format!("{}: {what}", path.display()));
    let text = file::read(&path).map_err(|error| wrong(error.to_string()))?;
    let Some(text) = text else {
        return Ok(Values::new());
    };
    let document: Table = toml::from_str(&text).map_err(|error| wrong(said(&error, &text)))?;
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
            values.insert(name, Raw::Toml(value.clone()));
        }
    }
    if let Some(path) = table.get("profiles_path") {
        values.insert(profile::PATH.to_owned(), Raw::Toml(path.clone()));
    }
    Ok(values)
}

/// What is wrong with a TOML text, in one line and without quoting it: it may hold secrets.
pub(super) fn said(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or_default();
        format!("line {}: ", before.matches('\n').count() + 1)
    });
    let message = error.message().lines().next().unwrap_or("malformed");
    format!("not TOML: {}{message}", line.unwrap_or_default())
}
