//! `Sources`: the environment and the folders that settings are read from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The environment and the folders that [`Settings`](crate::Settings) are read from.
///
/// [`Sources::system`] returns those of this process; a test can define its own:
///
/// ```
/// use prefect_sdk::settings::Sources;
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
    /// Returns sources without any variable or folder.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Returns the sources of this process: its environment, its working directory, the user's home.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when one of Prefect's variables is
    /// not UTF-8.
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

    /// Sets an environment variable.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Sets the working directory, where `.env`, `prefect.toml` and `pyproject.toml` are read.
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directory = Some(path.into());
        self
    }

    /// Sets the user's home, where `.prefect/profiles.toml` is read.
    pub fn home(mut self, path: impl Into<PathBuf>) -> Self {
        self.home = Some(path.into());
        self
    }

    /// The value of a variable, whose name may be in any case; an exact match wins.
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

    /// Resolves a path against the working directory; without one, a relative path is `None`.
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

/// The values of the variables are left out: they may be secrets.
impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources")
            .field("variables", &self.variables.keys())
            .field("directory", &self.directory)
            .field("home", &self.home)
            .finish()
    }
}
