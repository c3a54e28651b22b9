//! `Sources`: the environment and the folders that settings are read from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Settings;
use super::layer::Layers;
use crate::error::{Error, Result};

/// The environment and the folders that [`Settings`] are read from.
///
/// [`Sources::system`] is this process; a test can make up its own:
///
/// ```
/// use prefect_sdk::Sources;
///
/// let settings = Sources::empty()
///     .variable("PREFECT_API_URL", "https://api.prefect.cloud/api/accounts/a/workspaces/w")
///     .variable("PREFECT_API_KEY", "pnu_…")
///     .load()?;
/// assert!(!settings.to_string().contains("pnu_"));
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Sources {
    variables: BTreeMap<String, String>,
    directory: Option<PathBuf>,
    home: Option<PathBuf>,
}

impl Sources {
    /// Nothing: no variable, no folder.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Those of this process: its environment, its working directory, the user's home.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when a variable of Prefect's is
    /// no UTF-8.
    pub fn system() -> Result<Self> {
        let mut sources = Self {
            variables: BTreeMap::new(),
            directory: std::env::current_dir().ok(),
            home: std::env::home_dir(),
        };
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => sources = sources.variable(name, value),
                Err(_) if name.to_ascii_uppercase().starts_with("PREFECT_") => {
                    let message = format!("the environment variable {name} is not UTF-8");
                    return Err(Error::configuration(message));
                }
                Err(_) => {}
            }
        }
        Ok(sources)
    }

    /// Sets a variable of the environment.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The working directory: where `.env`, `prefect.toml` and `pyproject.toml` are looked for.
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directory = Some(path.into());
        self
    }

    /// The user's home, where `.prefect/profiles.toml` is looked for.
    pub fn home(mut self, path: impl Into<PathBuf>) -> Self {
        self.home = Some(path.into());
        self
    }

    /// The settings that they make.
    ///
    /// # Errors
    ///
    /// See [`Settings::load`].
    pub fn load(&self) -> Result<Settings> {
        Layers::read(self, None)?.resolve(self)
    }

    /// The settings that they make with this profile; see [`Settings::load_profile`].
    ///
    /// # Errors
    ///
    /// See [`Settings::load_profile`].
    pub fn load_profile(&self, name: &str) -> Result<Settings> {
        Layers::read(self, Some(name))?.resolve(self)
    }

    /// The value of a variable, whose name may be in any case; the usual one wins.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let exact = self.variables.get(name);
        let any = || {
            let mut variables = self.variables.iter();
            let found = variables.find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value)
        };
        exact.or_else(any).map(String::as_str)
    }

    pub(super) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// A path as it is meant in the working directory; `None` if there is no such directory.
    pub(super) fn resolve(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        let path = path.as_ref();
        match &self.directory {
            Some(directory) => Some(directory.join(path)),
            None => path.is_absolute().then(|| path.to_owned()),
        }
    }

    pub(super) fn home_directory(&self) -> Option<&Path> {
        self.home.as_deref()
    }
}

/// The names of the variables, but not what they hold.
impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources")
            .field("variables", &self.variables.keys())
            .field("directory", &self.directory)
            .field("home", &self.home)
            .finish()
    }
}
