//! The programs that are built: one by hand, and one with the SDK that uses the feature that is measured.

use std::path::Path;

/// The features that are on by default.
pub(super) const DEFAULTS: &[&str] = &["rustls", "websocket"];

/// Each other feature, and what a program does with it: what is not used is not in the program.
pub(super) const FEATURES: &[(&str, &str)] = &[
    ("http2", "let _ = &client;"),
    (
        "flows",
        "let flow = prefect_sdk::flow::Flow::new(\"etl\", async |run: prefect_sdk::flow::Run, day: String| \
         { run.task(\"read\").run(|_| async { Ok::<_, prefect_sdk::flow::BoxError>(1) }).await?; Ok::<_, prefect_sdk::flow::BoxError>(day.len()) }); \
         client.attempt(&flow).await?;",
    ),
    (
        "logs",
        "let lines = prefect_sdk::logs::layer(&client); \
         let _ = tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), lines);",
    ),
    (
        "local-server",
        "let _server = prefect_sdk::LocalServer::start().await?;",
    ),
    (
        "schedules",
        "println!(\"{:?}\", prefect_sdk::deployments::Schedule::cron(\"0 6 * * *\")?.timezone(\"Europe/Berlin\")?);",
    ),
    (
        "schema",
        "let flow = prefect_sdk::flow::Flow::new(\"etl\", async |_: prefect_sdk::flow::Run, day: String| \
         Ok::<_, prefect_sdk::flow::BoxError>(day.len())); \
         client.serve().add(flow.deployment(\"nightly\").schema()?).start().await?;",
    ),
    (
        "worker",
        "client.worker(\"batch\", prefect_sdk::worker::ProcessInfrastructure::new()).start().await?.run().await?;",
    ),
    (
        "testing",
        "let kit = prefect_sdk::testing::TestServer::start(); println!(\"{}\", kit.client().api_url());",
    ),
];

const USE: &str = "\
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let client = prefect_sdk::Client::from_env()?;
    let limit = client.concurrency_limits().create(\"database\", 10).await?;
    println!(\"at most {} task runs tagged {:?}\", limit.concurrency_limit, limit.tag);
    // the feature
    Ok(())
}
";

const BY_HAND: &str = "\
#[derive(serde::Serialize)]
struct Create<'a> {
    tag: &'a str,
    concurrency_limit: i64,
}

#[derive(serde::Deserialize)]
struct Limit {
    tag: String,
    concurrency_limit: i64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // the provider
    let url = format!(\"{}/concurrency_limits/\", std::env::var(\"PREFECT_API_URL\")?);
    let create = Create { tag: \"database\", concurrency_limit: 10 };
    let reply = reqwest::Client::new().post(url).json(&create).send().await?;
    let limit: Limit = reply.error_for_status()?.json().await?;
    println!(\"at most {} task runs tagged {:?}\", limit.concurrency_limit, limit.tag);
    Ok(())
}
";

/// A program to be built.
pub(super) struct Program {
    pub name: String,
    dependencies: String,
    source: String,
}

/// The program by hand: reqwest with its default features, serde and tokio. With `ring`, it has the same features but for the
/// crypto library, which is what the SDK uses, and hardly anybody chooses.
pub(super) fn by_hand(crypto: &str) -> Program {
    let (reqwest, provider) = match crypto {
        "ring" => (
            "reqwest = { version = \"0.13\", default-features = false, features = [\"charset\", \"http2\", \"json\", \
             \"rustls-no-provider\", \"system-proxy\"] }\n\
             rustls = { version = \"0.23\", default-features = false, features = [\"ring\", \"std\", \"tls12\"] }",
            "rustls::crypto::ring::default_provider().install_default().ok();",
        ),
        _ => (
            "reqwest = { version = \"0.13\", features = [\"json\"] }",
            "",
        ),
    };
    Program {
        name: format!("floor-{crypto}"),
        dependencies: format!("{reqwest}\nserde = {{ version = \"1\", features = [\"derive\"] }}"),
        source: BY_HAND.replace("// the provider", provider),
    }
}

/// The program with the SDK and its default features.
pub(super) fn with_defaults(root: &Path) -> Result<Program, String> {
    sdk(root, "sdk", "", "")
}

/// The program with the SDK, its default features, and one more, which it uses.
pub(super) fn with(root: &Path, feature: &str, used: &str) -> Result<Program, String> {
    let mut program = sdk(
        root,
        &format!("sdk-with-{feature}"),
        &format!(", features = [{feature:?}]"),
        used,
    )?;
    // A layer is of use in a program only beside a subscriber.
    if feature == "logs" {
        program.dependencies += "\ntracing-subscriber = { version = \"0.3\", default-features = false, features = [\"registry\", \"std\"] }";
    }
    Ok(program)
}

/// The program with the SDK and all of its default features but one.
pub(super) fn without(root: &Path, feature: &str) -> Result<Program, String> {
    let others: Vec<_> = DEFAULTS.iter().filter(|other| **other != feature).collect();
    sdk(
        root,
        &format!("sdk-without-{feature}"),
        &format!(", default-features = false, features = {others:?}"),
        "",
    )
}

fn sdk(root: &Path, name: &str, features: &str, used: &str) -> Result<Program, String> {
    let root = root.canonicalize().map_err(|error| error.to_string())?;
    Ok(Program {
        name: name.to_owned(),
        dependencies: format!("prefect-sdk = {{ path = {root:?}{features} }}"),
        source: USE.replace("// the feature", used),
    })
}

impl Program {
    /// Writes the program into a folder of its own, and downloads what it needs.
    pub fn write(&self, root: &Path, folder: &Path) -> Result<(), String> {
        let folder = folder.join(&self.name);
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        std::fs::create_dir_all(folder.join("src")).map_err(failed)?;
        let manifest = format!(
            "[package]\nname = \"program\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [profile.release]\nstrip = true\n\n[dependencies]\n{}\n\
             tokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}\n",
            self.dependencies
        );
        std::fs::write(folder.join("Cargo.toml"), manifest).map_err(failed)?;
        std::fs::write(folder.join("src/main.rs"), &self.source).map_err(failed)?;
        std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(failed)?;
        crate::check::run(&folder, "cargo fetch --quiet")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{DEFAULTS, FEATURES};
    use crate::check::toml_table;

    #[test]
    fn every_feature_is_measured() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let declared = toml_table(&root.join("Cargo.toml")).expect("a manifest");
        let declared = declared["features"].as_table().expect("features");
        let defaults = declared["default"].as_array().expect("a list").iter();
        assert!(
            defaults
                .filter_map(|it| it.as_str())
                .eq(DEFAULTS.iter().copied())
        );
        let mut measured: Vec<_> = FEATURES.iter().map(|(feature, _)| *feature).collect();
        measured.extend(DEFAULTS.iter().chain(["default"].iter()));
        measured.sort_unstable();
        assert_eq!(
            declared.keys().map(String::as_str).collect::<Vec<_>>(),
            measured
        );
    }
}
