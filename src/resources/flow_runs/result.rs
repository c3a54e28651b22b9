//! Reading what a run has returned.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::generated::FlowRuns;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Json, StateType};

/// How a state refers to a result that is stored elsewhere; Python writes it.
#[derive(Deserialize)]
struct StoredResult {
    storage_key: String,
    #[serde(default)]
    storage_block_id: Option<Uuid>,
    #[serde(default)]
    serializer: Option<Serializer>,
}

#[derive(Deserialize)]
struct Serializer {
    #[serde(rename = "type")]
    type_: String,
}

/// What data says that has no value: it was not stored.
#[derive(Deserialize)]
struct Unpersisted {
    #[serde(rename = "type")]
    type_: String,
}

impl FlowRuns<'_> {
    /// Reads what a completed run has returned: `GET /flow_runs/{id}`. That is the JSON in its state, as a
    /// [`Flow`](https://docs.rs/prefect-sdk/latest/prefect_sdk/flow/struct.Flow.html) of Rust leaves it; or, of a run of
    /// Python's, the file that it was stored in as JSON, if that is on this machine.
    ///
    /// # Errors
    ///
    /// [`RunFailed`](crate::ErrorKind::RunFailed) when the run is not COMPLETED;
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run, when it has stored no result, or when the file is
    /// not there; [`Unsupported`](crate::ErrorKind::Unsupported), which names the storage and the format, when the result is in
    /// other storage or was not written as JSON (Python's default is pickle);
    /// [`Decode`](crate::ErrorKind::Decode) when it is not a `T`; or any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let run = client.deployments().run("etl/nightly").send().await?;
    /// run.wait().success().await?;
    /// let rows: u64 = client.flow_runs().result(run.id()).await?;
    /// println!("{rows} rows");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn result<T: DeserializeOwned>(self, id: Uuid) -> Result<T> {
        let run = self.get(id).await?;
        let state = run.state.into_option();
        let Some(state) = state.filter(|state| state.type_ == StateType::Completed) else {
            let name = run.state_name.as_deref().unwrap_or("in no state");
            let what = format!("the flow run {id} has no result: it is {name}");
            return Err(Error::new(ErrorKind::RunFailed, what));
        };
        let data = state.data.filter(|data| !data.is_null());
        let Some(data) = data.filter(|data| !is_unpersisted(data)) else {
            let mut what = format!("the flow run {id} has stored no result");
            if let Some(message) = state.message.as_ref().filter(|it| !it.is_empty()) {
                what += &format!(": {message}");
            }
            return Err(Error::new(ErrorKind::NotFound, what));
        };
        let value = match data.parse::<StoredResult>() {
            Ok(stored) => read(id, &stored)?,
            Err(_) => data,
        };
        value.parse().map_err(|error| {
            let what = format!("the result of the flow run {id} is of another type");
            Error::new(ErrorKind::Decode, what).with_source(error)
        })
    }
}

fn is_unpersisted(data: &Json) -> bool {
    let unpersisted = data.parse::<Unpersisted>();
    unpersisted.is_ok_and(|it| it.type_ == "unpersisted")
}

/// Reads a result from the file that it is stored in.
fn read(id: Uuid, stored: &StoredResult) -> Result<Json> {
    let StoredResult {
        storage_key: key, ..
    } = stored;
    let format = stored.serializer.as_ref().map_or("pickle", |it| &it.type_);
    let unsupported = |why: String| {
        let what = format!("the result of the flow run {id} cannot be read: {why}");
        Error::new(ErrorKind::Unsupported, what)
    };
    if format != "json" {
        return Err(unsupported(format!(
            "it was written as {format} (to {key}), which only Python reads; there, use `result_serializer=\"json\"`"
        )));
    }
    if let Some(block) = stored.storage_block_id {
        return Err(unsupported(format!(
            "it is in the storage of the block {block}, as {key}"
        )));
    }
    let path = Path::new(key);
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("the result of the flow run {id} is not here: {key}");
        Error::new(ErrorKind::NotFound, what).with_source(error)
    })?;
    Json::from_text(text).map_err(|error| unsupported(format!("{key} is no JSON: {error}")))
}
