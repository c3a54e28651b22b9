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

/// Profiles that Prefect has without a file. All but `local` say nothing about a server.
const BUILT_IN: [&str; 4] = ["cloud", "ephemeral", "local", "test"];

const LOCAL_URL: &str = "http://127.0.0.1:4200/api";

/// The profile to use, and where it was looked for.
#[derive(Default)]
pub(super) struct Profile {
    pub name: Option<String>,
    pub path: Option<PathBuf>,
    pub values: Values,
    pub warning: Option<String>,
}

/// Why there is no such profile.
enum Wrong {
    /// The file has none of this name, or there is no file.
    Missing(String),
    /// The file cannot be read.
    Broken(String),
}

/// The profile that is asked for, or that `PREFECT_PROFILE` names, or the active one.
///
/// What somebody has asked for by its name must be there; otherwise trouble is a warning.
pub(super) fn read(sources: &Sources, layers: &[Layer], asked: Option<&str>) -> Result<Profile> {
    let path = path(sources, layers)?;
    let named = sources
        .get("PREFECT_PROFILE")
        .filter(|name| !name.is_empty());
    let wanted = asked.or(named);
    let none = |warning| Profile {
        path: path.clone(),
        warning,
        ..Profile::default()
    };
    match find(path.clone(), wanted) {
        Ok(profile) => Ok(profile),
        Err(Wrong::Missing(_))
            if wanted == Some("local") && is_default(sources, layers, &path)? =>
        {
            Ok(local(path))
        }
        // Prefect's own tools take such a name even if the file has none of it.
        Err(Wrong::Missing(_)) if asked.is_none() && wanted.is_some_and(is_built_in) => {
            Ok(none(None))
        }
        Err(Wrong::Missing(wrong) | Wrong::Broken(wrong)) => match (asked, named) {
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

/// Whether Prefect's own file of profiles counts: nobody has said where another is, and there is none
/// where it would be.
fn is_default(sources: &Sources, layers: &[Layer], path: &Option<PathBuf>) -> Result<bool> {
    let is_there = path.as_ref().is_some_and(|path| path.exists());
    Ok(!is_there && said_path(layers)?.is_none() && prefect_home(sources).is_none())
}

/// The profile of this name that Prefect has built in.
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

/// Where the profiles are: what the layers say, or below Prefect's home, which is the environment's
/// alone to say.
fn path(sources: &Sources, layers: &[Layer]) -> Result<Option<PathBuf>> {
    if let Some(path) = said_path(layers)? {
        return Ok(sources.resolve(path));
    }
    let home = match prefect_home(sources) {
        Some(home) => sources.resolve(home),
        None => sources.home_directory().map(|home| home.join(".prefect")),
    };
    Ok(home.map(|home| home.join("profiles.toml")))
}

fn said_path(layers: &[Layer]) -> Result<Option<String>> {
    let said = layers.iter().find_map(|layer| {
        let raw = layer.values.get(PATH).filter(|raw| !raw.is_blank())?;
        Some((&layer.origin, raw))
    });
    let path = said.map(|(origin, raw)| {
        raw.text()
            .map_err(|wrong| Error::configuration(format!("{PATH} in {origin} {wrong}")))
    });
    path.transpose()
}

fn prefect_home(sources: &Sources) -> Option<&str> {
    sources.get("PREFECT_HOME").filter(|home| !home.is_empty())
}

/// The profile of this name, or the active one.
fn find(path: Option<PathBuf>, wanted: Option<&str>) -> Result<Profile, Wrong> {
    let none = Profile {
        path: path.clone(),
        ..Profile::default()
    };
    let Some(path) = path else {
        return match wanted {
            Some(name) => Err(Wrong::Missing(format!(
                "there is no file to look for the profile {name:?} in"
            ))),
            None => Ok(none),
        };
    };
    let in_file = |what: &str| format!("{}: {what}", path.display());
    let text = file::read(&path).map_err(|error| Wrong::Broken(in_file(&error.to_string())))?;
    let Some(text) = text else {
        return match wanted {
            Some(_) => Err(Wrong::Missing(in_file("there is no such file"))),
            None => Ok(none),
        };
    };
    let mut document: Table =
        toml::from_str(&text).map_err(|error| Wrong::Broken(in_file(&said(&error, &text))))?;
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
        // It is active by default, and need not be written down.
        None if wanted.is_none() && is_built_in(&name) => Ok(none),
        _ => {
            let known: Vec<_> = profiles.keys().map(String::as_str).collect();
            let known = match known.is_empty() {
                true => "there is none".to_owned(),
                false => format!("there are {}", known.join(", ")),
            };
            Err(Wrong::Missing(in_file(&format!(
                "no profile {name:?}: {known}"
            ))))
        }
    }
}
