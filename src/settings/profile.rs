//! Profiles: named groups of settings in a file of the user's.

use std::path::PathBuf;

use toml::{Table, Value};

use super::Sources;
use super::layer::{Layer, Values, said};
use super::value::Raw;
use crate::error::{Error, Result};
use crate::file;

/// Where the profiles are.
pub(super) const PATH: &str = "PREFECT_PROFILES_PATH";

/// Profiles that Prefect has without a file; none says how to reach a server.
const BUILT_IN: [&str; 4] = ["cloud", "ephemeral", "local", "test"];

/// The profile to use, and where it was looked for.
#[derive(Default)]
pub(super) struct Profile {
    pub name: Option<String>,
    pub path: Option<PathBuf>,
    pub values: Values,
    pub warning: Option<String>,
}

/// The profile that is asked for, or that `PREFECT_PROFILE` names, or the active one.
///
/// What somebody has asked for by its name must be there; otherwise trouble is a warning.
pub(super) fn read(sources: &Sources, layers: &[Layer], asked: Option<&str>) -> Result<Profile> {
    let path = path(sources, layers);
    let named = sources
        .get("PREFECT_PROFILE")
        .filter(|name| !name.is_empty());
    let wanted = asked.or(named);
    let found = find(path.clone(), wanted);
    match found {
        Ok(profile) => Ok(profile),
        // Prefect's own tools take such a name even if there is no file.
        Err(_) if asked.is_none() && wanted.is_some_and(|name| BUILT_IN.contains(&name)) => {
            Ok(Profile {
                path,
                ..Profile::default()
            })
        }
        Err(wrong) if wanted.is_some() => Err(Error::configuration(wrong)),
        Err(wrong) => Ok(Profile {
            path,
            warning: Some(wrong),
            ..Profile::default()
        }),
    }
}

/// Where the profiles are: what the layers say, or below Prefect's home, which is the environment's
/// alone to say.
fn path(sources: &Sources, layers: &[Layer]) -> Option<PathBuf> {
    let said = layers.iter().find_map(|layer| layer.values.get(PATH));
    if let Some(path) = said
        .filter(|raw| !raw.is_blank())
        .and_then(|raw| raw.text().ok())
    {
        return sources.resolve(path);
    }
    let home = sources.get("PREFECT_HOME").filter(|home| !home.is_empty());
    match home {
        Some(home) => sources.resolve(home),
        None => Some(sources.home_directory()?.join(".prefect")),
    }
    .map(|home| home.join("profiles.toml"))
}

/// The profile of this name, or the active one. What is wrong is told in a sentence.
fn find(path: Option<PathBuf>, wanted: Option<&str>) -> Result<Profile, String> {
    let Some(file_path) = &path else {
        return match wanted {
            Some(name) => Err(format!(
                "there is no file to look for the profile {name:?} in"
            )),
            None => Ok(Profile::default()),
        };
    };
    let wrong = |what: &str| format!("{}: {what}", file_path.display());
    let text = file::read(file_path).map_err(|error| wrong(&error.to_string()))?;
    let Some(text) = text else {
        return match wanted {
            Some(name) => Err(wrong(&format!("no such file, and so no profile {name:?}"))),
            None => Ok(Profile {
                path,
                ..Profile::default()
            }),
        };
    };
    let mut document: Table = toml::from_str(&text).map_err(|error| wrong(&said(&error, &text)))?;
    let active = document
        .get("active")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let Some(name) = wanted
        .map(str::to_owned)
        .or(active)
        .filter(|name| !name.is_empty())
    else {
        return Ok(Profile {
            path,
            ..Profile::default()
        });
    };
    let mut profiles = match document.remove("profiles") {
        Some(Value::Table(profiles)) => profiles,
        _ => Table::new(),
    };
    match profiles.remove(&name) {
        Some(Value::Table(profile)) => Ok(Profile {
            name: Some(name),
            path,
            values: profile
                .into_iter()
                .map(|(name, value)| (name, Raw::Toml(value)))
                .collect(),
            warning: None,
        }),
        // It is active by default, and need not be written down.
        None if wanted.is_none() && BUILT_IN.contains(&name.as_str()) => Ok(Profile {
            path,
            ..Profile::default()
        }),
        _ => {
            let known: Vec<_> = profiles.keys().map(String::as_str).collect();
            let known = match known.is_empty() {
                true => "there is none".to_owned(),
                false => format!("there are {}", known.join(", ")),
            };
            Err(wrong(&format!("no profile {name:?}: {known}")))
        }
    }
}
