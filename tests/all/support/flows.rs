//! A real flow whose runs are executed: a Python process that serves a deployment.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use prefect_sdk::LocalServer;
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::unique;

const FLOW: &str = include_str!("flow.py");

/// How long to wait for the deployment to be served: it takes about a second, longer on a loaded machine.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// A process that executes the runs of a deployment, starting each within some 0.3 s of being due, until
/// this is dropped. The parameters of a run are how many `lines` it logs, how many `seconds` it sleeps in
/// all, and whether it is to `fail`.
///
/// It needs a server of its own: two such processes on one server take runs from each other, and runs that
/// one has taken do not end when it is dropped. Many runs at once make even such a server answer 503 now
/// and then, and occasionally freeze for a minute, so use timeouts longer than that.
pub struct Flows {
    process: Child,
    home: PathBuf,
    pub deployment: Uuid,
}

impl Flows {
    /// The deployment's name.
    pub const NAME: &str = "rust-test-flow/rust-test";

    pub async fn serve(server: &LocalServer) -> Self {
        let home = std::env::temp_dir().join(unique("flows"));
        fs::create_dir_all(&home).expect("a folder");
        fs::write(home.join("flow.py"), FLOW).expect("written");
        let log = File::create(home.join("flow.log")).expect("created");
        let mut command = Command::new(server.python());
        command.arg("flow.py").arg(&home);
        // The variables of this shell are for another server, and so are the settings in this folder.
        for (name, _) in std::env::vars_os() {
            let upper = name.to_string_lossy().to_uppercase();
            if upper.starts_with("PREFECT_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(&home)
            .env("PREFECT_API_URL", server.api_url())
            .env("PREFECT_HOME", &home)
            .env("PREFECT_LOGGING_TO_API_BATCH_INTERVAL", "0.1")
            .env("DO_NOT_TRACK", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut flows = Self {
            process: command.spawn().expect("Python"),
            home,
            deployment: Uuid::nil(),
        };
        let (started, ready) = oneshot::channel();
        let stdout = flows.process.stdout.take().expect("piped");
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            let id = lines.find_map(|line| line.strip_prefix("READY ")?.parse::<Uuid>().ok());
            let _ = started.send(id);
            lines.for_each(drop);
        });
        match timeout(READY_TIMEOUT, ready).await {
            Ok(Ok(Some(id))) => flows.deployment = id,
            _ => panic!("{} is not served: {}", Self::NAME, flows.log()),
        }
        flows
    }

    /// The log of the process.
    fn log(&self) -> String {
        let bytes = fs::read(self.home.join("flow.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Flows {
    fn drop(&mut self) {
        // These fail if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            // The log is shown with the failed test.
            eprintln!("the flow's log:\n{}", self.log());
        }
        let _ = fs::remove_dir_all(&self.home);
    }
}
