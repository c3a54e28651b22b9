//! The job configuration of a run: the template of its pool, filled with job variables, blocks and variables.

use std::collections::BTreeMap;

use super::environment::RunFacts;
use super::template::{BlockRef, Template, Value, render_name};
use crate::client::Client;
use crate::flow::BoxError;
use crate::types::Json;

/// A job configuration, and the name of the job if it has one.
pub(super) struct Configuration {
    pub values: serde_json::Value,
    pub name: Option<String>,
}

/// Renders the job configuration of a run. Blocks are read with their secrets: `GET /block_types/slug/…`,
/// `GET /block_documents/{id}`; variables by `GET /variables/name/{name}`.
pub(super) async fn render(
    client: &Client,
    facts: &RunFacts<'_>,
    default_template: &serde_json::Value,
) -> Result<Configuration, BoxError> {
    let environment = |name: &str| std::env::var(name).ok();
    let template = match facts.pool.base_job_template.as_ref() {
        Some(template) if !is_empty(template) => Template::parse(template.as_str())?,
        _ => Template::parse(&default_template.to_string())?,
    };
    let deployment = facts.deployment.and_then(|it| it.job_variables.as_ref());
    let deployment = deployment.map(parse).transpose()?;
    let run = facts.run.job_variables.as_ref().map(parse).transpose()?;
    let applied = template.apply(deployment.as_ref(), run.as_ref(), &environment)?;
    let mut blocks = BTreeMap::new();
    for block in applied.blocks() {
        if let Some(data) = block_data(client, &block).await? {
            blocks.insert(block, data);
        }
    }
    let filled = applied.put_blocks(&blocks)?;
    let mut variables = BTreeMap::new();
    for name in filled.variables() {
        if let Some(variable) = client.variables().get_by_name_opt(&name).await? {
            variables.insert(name, parse(&variable.value)?);
        }
    }
    let values = filled.put_variables(&variables);
    let (flow, run) = (Json::new(facts.flow)?, Json::new(facts.run)?);
    let name = render_name(
        values.get("name"),
        &parse(&flow)?,
        &parse(&run)?,
        &environment,
    );
    let name = match serde_json::Value::from(name) {
        serde_json::Value::String(name) => Some(name),
        _ => None,
    };
    let values = values.into();
    Ok(Configuration { values, name })
}

async fn block_data(client: &Client, block: &BlockRef) -> Result<Option<Value>, BoxError> {
    let document = match block {
        BlockRef::Named { slug, name } => {
            let types = client.block_types();
            types.get_document_with_secrets_opt(slug, name).await?
        }
        BlockRef::Id(id) => client.block_documents().get_with_secrets_opt(*id).await?,
    };
    let data = document.and_then(|document| document.data);
    Ok(data.as_ref().map(parse).transpose()?)
}

fn parse(json: &Json) -> serde_json::Result<Value> {
    serde_json::from_str(json.as_str())
}

fn is_empty(template: &Json) -> bool {
    matches!(template.as_str().trim(), "{}" | "null")
}
