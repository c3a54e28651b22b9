//! A PostgreSQL server for the tests, in a temporary folder; it ends with this process, however that ends.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Starts a cluster as a user other than root, and ends it when its input is closed.
const SUPERVISOR: &str = r#"
set -eu
dir=$1 port=$2 bin=$3
trap 'rm -rf "$dir"' EXIT
as=""
if [ "$(id -u)" = 0 ]; then
    user=postgres
    id postgres >/dev/null 2>&1 || user=nobody
    chown "$user" "$dir"
    as="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
fi
cd "$dir"
$as "$bin/initdb" -D "$dir/data" -U prefect -A trust -E UTF8 --no-sync >"$dir/initdb.log" 2>&1
$as "$bin/postgres" -D "$dir/data" -p "$port" -h 127.0.0.1 -k "" -c fsync=off -c max_connections=200 \
    >"$dir/postgres.log" 2>&1 &
pid=$!
cat >/dev/null
kill -INT "$pid"
wait "$pid" || true
"#;

/// A running PostgreSQL server.
pub struct Postgres {
    port: u16,
    /// It lives as long as its input is open.
    _supervisor: Child,
}

impl Postgres {
    /// Starts a server with an empty database.
    pub async fn start() -> Self {
        let dir = std::env::temp_dir().join(format!("prefect-sdk-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&dir).expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let mut command = Command::new("bash");
        command.args(["-c", SUPERVISOR, "supervisor"]);
        command.arg(&dir).arg(port.to_string()).arg(binaries());
        let supervisor = command.stdin(Stdio::piped()).spawn().expect("bash");
        let server = Self {
            port,
            _supervisor: supervisor,
        };
        for _ in 0..600 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!(
            "PostgreSQL does not start: see the logs in {}",
            dir.display()
        );
    }

    /// The URL that a Prefect server connects to.
    pub fn url(&self) -> String {
        format!(
            "postgresql+asyncpg://prefect@127.0.0.1:{}/postgres",
            self.port
        )
    }
}

/// The folder of PostgreSQL's programs, which Debian keeps out of the `PATH`.
fn binaries() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut versions: Vec<_> = installed
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    versions.sort();
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    versions.extend(std::env::split_paths(&in_path));
    let found = versions
        .into_iter()
        .find(|folder| folder.join("initdb").is_file());
    found.expect("PostgreSQL is not installed: `apt-get install postgresql`")
}
