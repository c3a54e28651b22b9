//! `Origin`: the source of a setting.

use std::fmt;

/// The source of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// An environment variable.
    Environment,
    /// The environment variable `SSL_CERT_FILE`, which other programs read, too.
    SslCertFile,
    /// `.env` in the working directory.
    DotEnv,
    /// `prefect.toml` in the working directory.
    PrefectToml,
    /// `[tool.prefect]` of `pyproject.toml` in the working directory.
    PyprojectToml,
    /// The profile of this name.
    Profile(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("the environment"),
            Self::SslCertFile => f.write_str("SSL_CERT_FILE of the environment"),
            Self::DotEnv => f.write_str(".env"),
            Self::PrefectToml => f.write_str("prefect.toml"),
            Self::PyprojectToml => f.write_str("pyproject.toml"),
            Self::Profile(name) => write!(f, "the profile {name:?}"),
        }
    }
}
