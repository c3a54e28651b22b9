//! A process worker of Python's, which runs the commands of a work pool.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use prefect_sdk::LocalServer;

use super::unique;

/// A worker of this pool, until this is dropped.
pub struct PythonWorker {
    process: Child,
    home: PathBuf,
}

impl PythonWorker {
    /// Starts a worker, which creates the pool if there is none.
    pub fn start(server: &LocalServer, pool: &str) -> Self {
        let home = std::env::temp_dir().join(unique("worker"));
        fs::create_dir_all(&home).expect("a folder");
        let mut command = python(server, &home);
        command.args(["-c", "from prefect.cli import app; app()"]);
        command.args(["worker", "start", "--type", "process", "--pool", pool]);
        let log = File::create(home.join("worker.log")).expect("created");
        let process = command
            .env("PREFECT_WORKER_QUERY_SECONDS", "1")
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("Python");
        Self { process, home }
    }

    /// What the worker and its processes have printed.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.home.join("worker.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for PythonWorker {
    fn drop(&mut self) {
        // It ends its own processes. These fail if it has already ended.
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-INT", &id]).status();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// Python with Prefect, for this server and without the settings of this shell or folder.
pub fn python(server: &LocalServer, home: &PathBuf) -> Command {
    let mut command = Command::new(server.python());
    for (name, _) in std::env::vars_os() {
        if name
            .to_string_lossy()
            .to_uppercase()
            .starts_with("PREFECT_")
        {
            command.env_remove(name);
        }
    }
    command
        .current_dir(home)
        .env("PREFECT_API_URL", server.api_url())
        .env("PREFECT_HOME", home)
        .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        .env("DO_NOT_TRACK", "1")
        .stdin(Stdio::null());
    command
}
