//! The tables beside the document, which `openapi/README.md` lists.

use std::path::Path;

use serde_json::Value;

use super::document::read;
use super::problem::Result;

/// The files of the tables, in `openapi/`.
pub const OVERLAY: &str = "overlay.yaml";
pub const NAMES: &str = "names.yaml";
pub const NULLS: &str = "nulls.yaml";
pub const RESOURCES: &str = "resources.yaml";
pub const SAMPLES: &str = "samples.json";

/// What is said of the document by hand.
pub struct Tables {
    /// Corrections that follow from no general rule.
    pub overlay: Value,
    /// The names of inline types.
    pub names: Value,
    /// What null does to the fields of updates.
    pub nulls: Value,
}

impl Tables {
    /// Reads the tables in `openapi/`.
    pub fn read(folder: &Path) -> Result<Self> {
        Ok(Self {
            overlay: read(&folder.join(OVERLAY))?,
            names: read(&folder.join(NAMES))?,
            nulls: read(&folder.join(NULLS))?,
        })
    }
}
