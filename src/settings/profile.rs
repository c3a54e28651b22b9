//! Profiles: named groups of settings in a file of the user.

use std::path::PathBuf;

use toml::{Table, Value};

use super::file;
use super::layer::{Layer, PROFILES_PATH, Values};
use super::sources::Sources;
use super::toml_file;
use super::value::Raw;
use crate::error::{Error, Result};

/// The profiles that Prefect has without a file. Only `local` names a server.
const BUILT_IN: [&str; 4] = ["cloud", "ephemeral", "local", "test"];

/// The API URL of the profile `local`.
const LOCAL_URL: &str = "http://127.0.0.1:4200/api";

/// The profile to use, and the path of the profiles file.
#[derive(Default)]
pub(super) struct Profile {
    pub name: Option<String>,
    pub path: Option<PathBuf>,
    pub values: Values,
    pub warning: Option<String>,
}

/// The reason why a profile cannot be used.
enum ProfileError {
    /// The file has no profile of this name, or there is no file.
    Missing(String),
    /// The file cannot be read or parsed.
    Broken(String),
}

/// Reads the requested profile, or the one that `PREFECT_PROFILE` names, or the active one.
///
/// A profile that is requested by name must exist; otherwise a problem is only a warning.
pub(super) fn read(
    sources: &Sources,
    layers: &[Layer],
    requested: Option<&str>,
) -> Result<Profile> {
    let path = path(sources, layers)?;
    let named = sources
        .get("PREFECT_PROFILE")
        .filter(|name| !name.is_empty());
    let wanted = requested.or(named);
    let none = |warning| Profile {
        path: path.clone(),
        warning,
        ..Profile::default()
    };
    match find(path.clone(), wanted) {
        Ok(profile) => Ok(profile),
        Err(ProfileError::Missing(_))
            if wanted == Some("local") && is_default(sources, layers, &path)? =>
        {
            Ok(local(path))
        }
        // Prefect's own tools accept the name of a built-in profile even if the file does not have it.
        Err(ProfileError::Missing(_)) if requested.is_none() && wanted.is_some_and(is_built_in) => {
            Ok(none(None))
        }
        Err(ProfileError::Missing(wrong) | ProfileError::Broken(wrong)) => match (requested, named)
        {
            (Some(_), _) => Err(Error::configuration(wrong)),
            (None, Some(name)) => Err(Error::configuration(format!(
                "PREFECT_PROFILE names the profile {name:?}: {wrong}"
            ))),
            (None, None) => Ok(none(Some(wrong))),
        },
    }
}

fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name)
}

/// Whether Prefect's own file of profiles applies: no other path is configured, and there is no file at the
/// default path.
fn is_default(sources: &Sources, layers: &[Layer], path: &Option<PathBuf>) -> Result<bool> {
    let is_there = path.as_ref().is_some_and(|path| path.exists());
    Ok(!is_there && configured_path(layers)?.is_none() && prefect_home(sources).is_none())
}

/// Prefect's built-in profile `local`.
fn local(path: Option<PathBuf>) -> Profile {
    let url = (
        "PREFECT_API_URL".to_owned(),
        Raw::Text(LOCAL_URL.to_owned()),
    );
    Profile {
        name: Some("local".to_owned()),
        path,
        values: Values::from([url]),
        warning: None,
    }
}

/// The path of the profiles file: the one that a layer sets, or else the one below Prefect's home, which
/// only the environment can set.
fn path(sources: &Sources, layers: &[Layer]) -> Result<Option<PathBuf>> {
    if let Some(path) = configured_path(layers)? {
        return Ok(sources.resolve(path));
    }
    let home = match prefect_home(sources) {
        Some(home) => sources.resolve(home),
        None => sources.home_directory().map(|home| home.join(".prefect")),
    };
    Ok(home.map(|home| home.join("profiles.toml")))
}

fn configured_path(layers: &[Layer]) -> Result<Option<String>> {
    let said = layers.iter().find_map(|layer| {
        let raw = layer
            .values
            .get(PROFILES_PATH)
            .filter(|raw| !raw.is_blank())?;
        Some((&layer.origin, raw))
    });
    let path = said.map(|(origin, raw)| {
        raw.text()
            .map_err(|wrong| Error::configuration(format!("{PROFILES_PATH} in {origin} {wrong}")))
    });
    path.transpose()
}

fn prefect_home(sources: &Sources) -> Option<&str> {
    sources.get("PREFECT_HOME").filter(|home| !home.is_empty())
}

/// Finds the profile of this name, or the active one.
fn find(path: Option<PathBuf>, wanted: Option<&str>) -> Result<Profile, ProfileError> {
    let none = Profile {
        path: path.clone(),
        ..Profile::default()
    };
    let Some(path) = path else {
        return match wanted {
            Some(name) => Err(ProfileError::Missing(format!(
                "there is no file to look for the profile {name:?} in"
            ))),
            None => Ok(none),
        };
    };
    let in_file = |what: &str| format!("{}: {what}", path.display());
    let text =
        file::read(&path).map_err(|error| ProfileError::Broken(in_file(&error.to_string())))?;
    let Some(text) = text else {
        return match wanted {
            Some(_) => Err(ProfileError::Missing(in_file("there is no such file"))),
            None => Ok(none),
        };
    };
    let mut document: Table = toml::from_str(&text)
        .map_err(|error| ProfileError::Broken(in_file(&toml_file::describe(&error, &text))))?;
    let active = document.get("active").and_then(Value::as_str);
    let name = wanted.or(active).filter(|name| !name.is_empty());
    let Some(name) = name.map(str::to_owned) else {
        return Ok(none);
    };
    let mut profiles = match document.remove("profiles") {
        Some(Value::Table(profiles)) => profiles,
        _ => Table::new(),
    };
    match profiles.remove(&name) {
        Some(Value::Table(profile)) => Ok(Profile {
            name: Some(name),
            path: Some(path),
            values: profile
                .into_iter()
                .map(|(name, value)| (name, Raw::Toml(value)))
                .collect(),
            warning: None,
        }),
        // A built-in profile can be active without being in the file.
        None if wanted.is_none() && is_built_in(&name) => Ok(none),
        _ => {
            let known: Vec<_> = profiles.keys().map(String::as_str).collect();
            let known = match known.is_empty() {
                true => "it has no profiles".to_owned(),
                false => format!("it has {}", known.join(", ")),
            };
            Err(ProfileError::Missing(in_file(&format!(
                "the file has no profile {name:?}: {known}"
            ))))
        }
    }
}
