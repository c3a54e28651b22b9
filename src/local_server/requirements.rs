//! What pip installs for a version of Prefect. `cargo xtask update` makes the document of a version with the same.

/// The packages to install for a version, with bounds where newer releases of other libraries break it.
pub(super) fn requirements(version: &str) -> Vec<String> {
    let mut parts = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(u32::MAX));
    let mut part = || parts.next().unwrap_or(u32::MAX);
    let (_, minor, patch) = (part(), part(), part());
    let pins: &[&str] = match (minor, patch) {
        (0, _) => &["pydantic<2.10", "fastapi<0.116", "sqlalchemy<2.1"],
        // Their workers import `importlib_metadata` without requiring it.
        (1..=6, _) => &["fastapi<0.137", "sqlalchemy<2.1", "importlib_metadata"],
        (7..=8, _) => &["fastapi>=0.139,<0.151", "sqlalchemy<2.1"],
        // With SQLAlchemy 2.1 it answers 503 when runs of a deployment are scheduled.
        (9, 0) => &["sqlalchemy<2.1"],
        // These bound the libraries themselves.
        _ => &[],
    };
    let prefect = format!("prefect=={version}");
    std::iter::once(prefect)
        .chain(pins.iter().map(|pin| (*pin).to_owned()))
        .collect()
}
