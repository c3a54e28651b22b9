//! A migrated database, made once for each installation: starting from it saves the migrations.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::error;
use super::install::{self, Lock};
use super::options::{free_port, wait_until_ready};
use super::process::ServerProcess;
use crate::client::Client;
use crate::error::Result;

/// The template database beside an installation; made if it is not there yet.
///
/// Blocks, inside a tokio runtime.
pub(super) fn ensure(python: &Path) -> Result<PathBuf> {
    let folder = install::folder_of(python);
    let template = folder.join("template.db");
    if template.exists() {
        return Ok(template);
    }
    let _lock = Lock::take(&folder)?;
    if template.exists() {
        return Ok(template);
    }
    install::progress("migrating a database (once)");
    let port = free_port(None)?;
    let mut process = ServerProcess::spawn(python, port, None, &BTreeMap::new())?;
    // Blocks are registered before the server answers: they are in the database by then.
    let client = Client::builder()
        .api_url(format!("http://127.0.0.1:{port}/api"))
        .build()?;
    tokio::runtime::Handle::current().block_on(wait_until_ready(&mut process, &client))?;
    // Its supervisor removes the folder when the server has ended, so the database is copied by
    // SQLite itself, which also sees what is still in the write-ahead log.
    let partial = folder.join("template.partial");
    let _ = fs::remove_file(&partial);
    let copied = Command::new(python)
        .args(["-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))"])
        .arg(process.home().join("prefect.db"))
        .arg(&partial)
        .output()
        .map_err(|cause| error("the template database cannot be copied").caused_by(cause))?;
    if !copied.status.success() {
        let said = String::from_utf8_lossy(&copied.stderr);
        return Err(error(format!(
            "the template database cannot be copied: {}",
            said.trim()
        )));
    }
    process.stop(Duration::from_secs(15))?;
    fs::rename(&partial, &template)
        .map_err(|cause| error("the template database cannot be kept").caused_by(cause))?;
    Ok(template)
}
