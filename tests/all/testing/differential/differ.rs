//! `Differ`: executes operations on both servers, and notes where their replies differ.

use std::time::Duration;

use serde_json::Value;

use super::compare::{Comparison, Difference, Found};
use super::ids::{Ids, Side};
use super::model::Model;
use super::operation::Operation;
use super::report::{Divergence, Report};
use super::servers::{Reply, Servers};

/// How often a reading request is sent: the real server does some things after its reply. The pauses between them grow; together
/// they are a minute, as long as its database may be locked.
const MAX_READS: u32 = 35;

/// The first of these pauses, and by how much each is longer than the one before.
const PAUSE: Duration = Duration::from_millis(100);

/// Executes operations on both servers.
pub struct Differ {
    pub servers: Servers,
    pub ids: Ids,
    pub report: Report,
}

impl Differ {
    pub async fn start() -> Self {
        Self {
            servers: Servers::start().await,
            ids: Ids::default(),
            report: Report::default(),
        }
    }

    /// Executes one operation on both servers, and compares what they say.
    pub async fn execute(&mut self, model: &mut Model, mut operation: Operation) {
        let mut fake = self.servers.send(Side::Fake, &self.ids, &operation).await;
        if fake.status == 501 {
            self.report.refuse(&operation, &fake);
            return;
        }
        let mut reads = 1;
        let known = self.report.knows(&operation);
        loop {
            let real = self.servers.send(Side::Real, &self.ids, &operation).await;
            match self.compare(&operation, &fake, &real) {
                Ok(found) => {
                    self.agree(model, &mut operation, &real, found);
                    break;
                }
                Err(_) if operation.only_reads() && reads < if known { 2 } else { MAX_READS } => {
                    tokio::time::sleep(PAUSE * reads).await;
                    reads += 1;
                    // What depends on the time of the request is to be the same.
                    fake = self.servers.send(Side::Fake, &self.ids, &operation).await;
                }
                Err(difference) => {
                    self.disagree(model, &operation, &fake, &real, difference)
                        .await;
                    break;
                }
            }
        }
        if !operation.settles.is_zero() {
            tokio::time::sleep(operation.settles).await;
        }
    }

    /// Compares two replies, as far as they are comparable.
    fn compare(
        &self,
        operation: &Operation,
        fake: &Reply,
        real: &Reply,
    ) -> Result<Found, Difference> {
        let different = |place: &str, fake: String, real: String| {
            Err(Difference {
                place: place.to_owned(),
                fake,
                real,
                object: None,
            })
        };
        if fake.status != real.status {
            return different("status", fake.status.to_string(), real.status.to_string());
        }
        if fake.content_type != real.content_type {
            return different(
                "content-type",
                fake.content_type.clone(),
                real.content_type.clone(),
            );
        }
        if fake.retry_after != real.retry_after {
            return different(
                "retry-after",
                fake.retry_after.to_string(),
                real.retry_after.to_string(),
            );
        }
        // The fake does not copy what the server's validation says.
        if real.status == 422 && !real.body["detail"].is_string() {
            return Ok(Found::default());
        }
        let mut comparison = Comparison {
            order: operation.order,
            limit: operation.limit(),
            skips: operation.skips(),
            open: operation.open,
            ignored: operation.ignored,
            ..Comparison::new(&self.ids)
        };
        comparison.values("$", &fake.body, &real.body)?;
        Ok(comparison.found)
    }

    fn agree(&mut self, model: &mut Model, operation: &mut Operation, real: &Reply, found: Found) {
        for [fake, real] in &found.ids {
            self.ids.add(fake, real);
        }
        self.report.note(&self.ids, operation, real);
        if real.status == 404 {
            model.forget(&operation.path);
        }
        if real.status < 300 {
            let body = self.ids.read(Side::Real, &real.body.to_string());
            let body = serde_json::from_str(&body).unwrap_or(Value::Null);
            for [fake, _] in &found.unnamed {
                model.name_at_random(&self.ids.read(Side::Fake, fake), &operation.path);
            }
            if let Some(learn) = operation.learn.take() {
                learn(model, &body);
            }
        }
    }

    /// Notes the divergence, and takes the object out of both servers, so that it is not found again and again.
    async fn disagree(
        &mut self,
        model: &mut Model,
        operation: &Operation,
        fake: &Reply,
        real: &Reply,
        difference: Difference,
    ) {
        self.report.note(&self.ids, operation, real);
        let divergence = Divergence::new(&self.ids, operation, fake, real, difference);
        self.report.diverge(operation, divergence);
        if operation.only_reads() && operation.body.is_some() {
            return;
        }
        model.forget(&operation.path);
        let table = operation.path.split('/').nth(1).unwrap_or_default();
        let deletable = [
            "artifacts",
            "deployments",
            "flow_runs",
            "flows",
            "task_runs",
            "variables",
        ];
        if !deletable.contains(&table) {
            return;
        }
        let id = operation
            .path
            .split('/')
            .nth(2)
            .filter(|id| id.starts_with('<'))
            .map(str::to_owned);
        let made = |reply: &Reply| reply.body["id"].as_str().map(str::to_owned);
        for (side, reply) in [(Side::Fake, fake), (Side::Real, real)] {
            if let Some(id) = id.clone().or_else(|| made(reply)) {
                let delete = Operation::delete(format!("/{table}/{id}"));
                self.servers.send(side, &self.ids, &delete).await;
            }
        }
    }
}
