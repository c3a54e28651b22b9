//! How to reach Prefect: the settings of the environment, files and profiles, read as in Prefect's own tools.
//!
//! ```
//! use prefect_sdk::Settings;
//!
//! let settings = Settings::load()?;
//! println!("{settings}"); // PREFECT_API_KEY='[redacted]' (from the profile "cloud") …
//! # Ok::<(), prefect_sdk::Error>(())
//! ```

pub(crate) mod api_url;
mod dotenv;
pub(crate) mod file;
mod layer;
mod layers;
mod number;
mod origin;
#[cfg(test)]
mod parity;
mod participant;
mod profile;
mod resolve;
#[allow(
    clippy::module_inception,
    reason = "the file holds the type that the module is named after"
)]
mod settings;
mod sources;
mod toml_file;
mod value;

pub use origin::Origin;
pub(crate) use participant::ParticipantSettings;
pub use settings::{ServerType, Settings};
pub use sources::Sources;
