//! The template database, migrated once for each installation: a server that starts from a copy of it
//! needs no migrations.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::install::{self, Lock};
use super::launch::Launch;
use super::process::Process;
use super::task::{blocking, error};
use crate::error::Result;

/// Returns the template database beside an installation, and creates it if there is none.
pub(super) async fn ensure(python: &Path) -> Result<PathBuf> {
    let folder = install::folder_of(python);
    let template = folder.join("template.db");
    if template.exists() {
        return Ok(template);
    }
    let _lock = blocking(move || Lock::take(&folder)).await?;
    if template.exists() {
        return Ok(template);
    }
    install::progress("migrating a database (once)");
    let env = BTreeMap::new();
    let launch = Launch {
        python,
        template: None,
        env: &env,
        auth_string: None,
        has_ui: false,
        has_services: true,
    };
    // The server registers its blocks before it answers, so they are in the database by then.
    let (process, ..) = launch.start(None).await?;
    let (python, kept) = (python.to_owned(), template.clone());
    blocking(move || keep(&python, process, &kept)).await?;
    Ok(template)
}

/// Copies the database of a running server, and stops the server.
fn keep(python: &Path, process: Process, template: &Path) -> Result<()> {
    // SQLite itself makes the copy, because it includes what is still in the write-ahead log.
    const COPY: &str = "import sqlite3, sys; \
        sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))";
    let partial = template.with_extension("partial");
    let _ = fs::remove_file(&partial);
    let copied = Command::new(python)
        .args(["-I", "-c", COPY])
        .arg(process.home().join("prefect.db"))
        .arg(&partial)
        .output()
        .map_err(|cause| error("the template database cannot be copied").with_source(cause))?;
    if !copied.status.success() {
        let said = String::from_utf8_lossy(&copied.stderr);
        let said = said.trim();
        return Err(error(format!(
            "the template database cannot be copied: {said}"
        )));
    }
    process.stop()?;
    fs::rename(&partial, template)
        .map_err(|cause| error("the template database cannot be saved").with_source(cause))
}
