//! `Layers`: all sources of settings, in the order of their precedence.

use std::path::PathBuf;

use reqwest::header::HeaderValue;

use super::layer::{Layer, Values};
use super::origin::Origin;
use super::profile::{self, Profile};
use super::sources::Sources;
use super::value::Raw;
use super::{dotenv, toml_file};
use crate::error::Result;

pub(super) const KEY: &str = "PREFECT_API_KEY";
pub(super) const AUTH_STRING: &str = "PREFECT_API_AUTH_STRING";
pub(super) const EXTRA_CODES: &str = "PREFECT_CLIENT_RETRY_EXTRA_CODES";
pub(super) const HEADERS: &str = "PREFECT_CLIENT_CUSTOM_HEADERS";

/// The variables that are credentials, or may contain one, as any header may.
const CREDENTIALS: [&str; 3] = [KEY, AUTH_STRING, HEADERS];

/// All sources of settings.
pub(super) struct Layers {
    /// The first layer that has a value wins.
    pub layers: Vec<Layer>,
    pub profile: Option<String>,
    pub profiles_path: Option<PathBuf>,
    /// Headers that identify the flow, deployment and worker that this process runs for.
    pub attribution: Vec<(&'static str, String)>,
    pub warnings: Vec<String>,
}

/// The variables that a worker sets for the processes that it starts, and the headers that pass them on.
const ATTRIBUTION: [(&str, &str); 6] = [
    ("PREFECT__WORKER_ID", "X-Prefect-Worker-Id"),
    ("PREFECT__WORKER_NAME", "X-Prefect-Worker-Name"),
    ("PREFECT__FLOW_ID", "X-Prefect-Flow-Id"),
    ("PREFECT__FLOW_NAME", "X-Prefect-Flow-Name"),
    ("PREFECT__DEPLOYMENT_ID", "X-Prefect-Deployment-Id"),
    ("PREFECT__DEPLOYMENT_NAME", "X-Prefect-Deployment-Name"),
];

impl Layers {
    /// Reads all sources; a profile that is requested by name takes precedence over all others.
    pub(super) fn read(sources: &Sources, requested: Option<&str>) -> Result<Self> {
        let pyproject = toml_file::read(sources, "pyproject.toml", &["tool", "prefect"])?;
        let mut layers = vec![
            Layer::new(Origin::Environment, without_nulls(environment(sources))),
            Layer::new(Origin::DotEnv, without_nulls(dotenv::read(sources)?)),
            Layer::new(
                Origin::PrefectToml,
                toml_file::read(sources, "prefect.toml", &[])?,
            ),
            Layer::new(Origin::PyprojectToml, pyproject),
        ];
        let Profile {
            name,
            path,
            values,
            warning,
        } = profile::read(sources, &layers, requested)?;
        // By default, Prefect trusts the same certificates as other programs.
        let certificates = sources.get("SSL_CERT_FILE").map(|path| {
            let name = "PREFECT_API_SSL_CERT_FILE".to_owned();
            (name, Raw::Text(path.to_owned()))
        });
        if let Some(name) = &name {
            let profile = Layer::new(Origin::Profile(name.clone()), values);
            if requested.is_some() {
                // Credentials for another server must not be sent to the profile's server.
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
            // It only identifies: what no header can carry is left out.
            let is_sent = !value.is_empty() && HeaderValue::try_from(value).is_ok();
            is_sent.then(|| (*header, value.to_owned()))
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

/// Removes what is null in JSON, which counts as not set.
fn without_nulls(mut values: Values) -> Values {
    for name in [EXTRA_CODES, HEADERS] {
        if let Some(Raw::Text(text)) = values.get(name)
            && text.trim() == "null"
        {
            values.remove(name);
        }
    }
    values
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
