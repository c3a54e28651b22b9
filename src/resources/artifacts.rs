//! `Artifacts`: results that runs publish, in the forms that Prefect's UI shows.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! use prefect_sdk::artifacts::Artifact;
//!
//! let report = Artifact::markdown("# Sales\n\nUp **12 %**.").key("sales");
//! client.artifacts().create(&report.into()).await?;
//! # Ok(())
//! # }
//! ```

generated!("artifacts");

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

pub use generated::Artifacts;

use crate::error::{Error, Result};
use crate::types::{ArtifactCreate, ArtifactUpdate, Field, Json};

/// An artifact in one of the forms that Prefect's UI shows: markdown, a link, a table, progress or an
/// image.
///
/// An artifact with a key (lower-case letters, digits and dashes) can be found in the UI, and the next one
/// with that key is its next version; one without a key can be found only through the run that it belongs
/// to.
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client, run: uuid::Uuid) -> prefect_sdk::Result<()> {
/// use prefect_sdk::artifacts::Artifact;
///
/// let report = Artifact::markdown("# Sales\n\nUp **12 %**.").key("sales").flow_run_id(run);
/// client.artifacts().create(&report.into()).await?;
///
/// let progress = Artifact::progress(0.0).key("import").flow_run_id(run);
/// let progress = client.artifacts().create(&progress.into()).await?;
/// if let Some(id) = progress.id {
///     client.artifacts().update(id, &Artifact::progress(50.0).into()).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an artifact is published by `client.artifacts().create(..)`"]
pub struct Artifact(ArtifactCreate);

impl Artifact {
    /// Text in Markdown.
    pub fn markdown(text: impl Into<String>) -> Self {
        Self::new("markdown", text.into())
    }

    /// A link with a text; the UI shows it as Markdown.
    pub fn link(url: &str, text: &str) -> Self {
        Self::new("markdown", format!("[{text}]({url})"))
    }

    /// A table: a list of rows (maps from column to value, or structs), a list of lists, or a map from
    /// column to values. It is sent as JSON text, which is what the UI reads.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when the rows cannot be serialized as JSON.
    ///
    /// ```
    /// use prefect_sdk::artifacts::Artifact;
    /// use serde_json::json;
    ///
    /// Artifact::table(&json!([{ "region": "eu", "sales": 7 }, { "region": "us", "sales": 9 }]))?;
    /// # Ok::<(), prefect_sdk::Error>(())
    /// ```
    pub fn table(rows: &(impl Serialize + ?Sized)) -> Result<Self> {
        let text = serde_json::to_string(rows).map_err(|error| {
            Error::invalid_request("the rows of the table cannot be serialized as JSON")
                .with_source(error)
        })?;
        Ok(Self::new("table", text))
    }

    /// Progress in percent. Values below 0 or above 100 are clamped; NaN counts as 0.
    pub fn progress(percent: f64) -> Self {
        let percent = if percent.is_nan() { 0.0 } else { percent };
        Self::new("progress", percent.clamp(0.0, 100.0))
    }

    /// An image that browsers load from this URL.
    pub fn image(url: impl Into<String>) -> Self {
        Self::new("image", url.into())
    }

    fn new(kind: &str, data: impl Into<Json>) -> Self {
        Self(ArtifactCreate::new().type_(kind.to_owned()).data(data))
    }

    /// Sets the key: lower-case letters, digits and dashes.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.0.key = Field::value(key.into());
        self
    }

    /// Sets the description, in Markdown.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.0.description = Field::value(text.into());
        self
    }

    /// Sets the flow run that the artifact belongs to.
    pub fn flow_run_id(mut self, id: Uuid) -> Self {
        self.0.flow_run_id = Field::value(id);
        self
    }

    /// Sets the task run that the artifact belongs to.
    pub fn task_run_id(mut self, id: Uuid) -> Self {
        self.0.task_run_id = Field::value(id);
        self
    }

    /// Adds an entry to the metadata.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let metadata: &mut BTreeMap<_, _> = self.0.metadata_.get_or_default();
        metadata.insert(key.into(), value.into());
        self
    }
}

/// For `client.artifacts().create(..)`.
impl From<Artifact> for ArtifactCreate {
    fn from(artifact: Artifact) -> Self {
        artifact.0
    }
}

/// For `client.artifacts().update(..)`: the data, and the description and metadata if they are set.
impl From<Artifact> for ArtifactUpdate {
    fn from(Artifact(artifact): Artifact) -> Self {
        let mut update = Self::new();
        update.data = artifact.data;
        update.description = artifact.description;
        update.metadata_ = artifact.metadata_;
        update
    }
}
