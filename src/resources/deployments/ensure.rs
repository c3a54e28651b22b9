//! Deployments that are as they are wanted; schedules that are so already keep their ids.

use uuid::Uuid;

use super::generated::Deployments;
use crate::error::{Error, Result};
use crate::resources::ensure::{self, Changes, Ensured, Matching, Plan, Wanted, compare};
use crate::types::{
    DeploymentCreate, DeploymentResponse, DeploymentSchedule, DeploymentScheduleCreate,
    DeploymentScheduleUpdate, DeploymentUpdate, Field, Json,
};

const SCHEDULES: &str = "schedules";
const LIMIT: &str = "concurrency_limit";
const LIMIT_ID: &str = "global_concurrency_limit_id";

impl Deployments<'_> {
    /// Creates the deployment of this name and flow, changes it where it differs, or leaves it alone:
    /// `POST /deployments/filter`, then `POST /deployments/` or `PATCH /deployments/{id}`, requests for single schedules,
    /// and `POST /deployments/filter` again, if need be.
    ///
    /// Fields that are not set are left as they are. Labels and `version_info` are set at creation only. If schedules are
    /// set, the deployment has these and no others afterwards: one with a slug is the one that has this slug, another one
    /// is the one that is equal; both keep their ids and what is not set (but a `schedule` that differs is replaced as a whole,
    /// its time zone included). All others are created, or deleted:
    /// `POST`, `PATCH` and `DELETE` of `/deployments/{id}/schedules`.
    ///
    /// A limit that is shared (`global_concurrency_limit_id`) is never changed or deleted.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a `concurrency_limit` when the deployment shares a limit and
    /// `global_concurrency_limit_id` is not set, [`Validation`](crate::ErrorKind::Validation) for values that the server rejects, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, flow_id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::DeploymentCreate;
    ///
    /// let nightly = DeploymentCreate::new("nightly", flow_id).work_pool_name("batch").tags(["etl"]);
    /// println!("{}", client.deployments().plan(&nightly).await?);
    /// let nightly = client.deployments().ensure(&nightly).await?;
    /// println!("{}", nightly.id);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ensure(
        self,
        deployment: &DeploymentCreate,
    ) -> Result<Ensured<DeploymentResponse>> {
        ensure::ensure(&WantedDeployment {
            deployments: self,
            deployment,
        })
        .await
    }

    /// Returns what [`ensure`](Self::ensure) would do, and changes nothing: `POST /deployments/filter`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    pub async fn plan(self, deployment: &DeploymentCreate) -> Result<Plan> {
        ensure::plan(&WantedDeployment {
            deployments: self,
            deployment,
        })
        .await
    }
}

/// A deployment that is wanted.
struct WantedDeployment<'a> {
    deployments: Deployments<'a>,
    deployment: &'a DeploymentCreate,
}

impl Wanted for WantedDeployment<'_> {
    type Found = DeploymentResponse;

    fn title(&self) -> String {
        format!("the deployment {:?}", self.deployment.name)
    }

    async fn read(&self) -> Result<Option<Self::Found>> {
        let wanted = self.deployment;
        let of_flow = self.deployments.list().flow_id(wanted.flow_id);
        of_flow.name(&*wanted.name).first().await
    }

    #[inline]
    fn differences(&self, found: &Self::Found) -> Result<Changes> {
        let wanted = self.deployment;
        let mut changes = compare(wanted, found, |field| match field {
            "name" | "flow_id" | "labels" | "version_info" | SCHEDULES => None,
            // A reply has the limit itself.
            LIMIT | LIMIT_ID => None,
            "work_queue_name" => Some(Matching::ExactUnlessNull),
            "concurrency_options" => Some(Matching::UpToDefaults),
            _ => Some(Matching::Exact),
        })?;
        self.compare_limit(found, &mut changes)?;
        let schedules = self.schedules(found)?;
        if !schedules.is_empty() {
            let now = Json::new(&found.schedules).ok();
            changes.add(SCHEDULES, now, Json::new(&wanted.schedules).ok());
        }
        Ok(changes)
    }

    async fn create(&self) -> Result<()> {
        let mut wanted = self.deployment.clone();
        if wanted.global_concurrency_limit_id.is_some() && wanted.concurrency_limit.is_null() {
            // The server would delete the shared limit.
            wanted.concurrency_limit = Field::UNSET;
        }
        self.deployments.create(&wanted).await.map(drop)
    }

    async fn update(&self, found: &Self::Found, changes: &Changes) -> Result<()> {
        let mut update: DeploymentUpdate = changes.update()?;
        update.schedules = None;
        if changes.has("work_pool_name") || changes.has("work_queue_name") {
            // The server looks for a queue in the pool of the same request, or else in a default pool.
            let wanted = self.deployment;
            update.work_pool_name = match wanted.work_pool_name.is_unset() {
                true => found.work_pool_name.clone(),
                false => wanted.work_pool_name.clone(),
            };
            update.work_queue_name = wanted.work_queue_name.clone();
        }
        if update != DeploymentUpdate::new() {
            self.deployments.update(found.id, &update).await?;
        }
        self.schedules(found)?
            .make(self.deployments, found.id)
            .await
    }
}

impl WantedDeployment<'_> {
    /// Compares the limit, which is the deployment's own or shared with others, and of which a reply has only one.
    #[inline]
    fn compare_limit(&self, found: &DeploymentResponse, changes: &mut Changes) -> Result<()> {
        let wanted = self.deployment;
        let limit = found.global_concurrency_limit.as_ref();
        let is_shared = limit.is_some_and(|limit| limit.name != format!("deployment:{}", found.id));
        let id = |id: Uuid| Json::from(id.to_string());
        let now = limit.map(|limit| limit.id);
        match *wanted.global_concurrency_limit_id {
            Some(wanted) if now != Some(wanted) => {
                changes.add(LIMIT_ID, now.map(id), Some(id(wanted)));
            }
            None if wanted.global_concurrency_limit_id.is_null() && is_shared => {
                changes.add(LIMIT_ID, now.map(id), Some(Json::null()));
            }
            _ => {}
        }
        let slots = limit.map(|limit| limit.limit);
        match *wanted.concurrency_limit {
            Some(_) if is_shared && wanted.global_concurrency_limit_id.is_unset() => {
                return Err(Error::invalid_request(
                    "the deployment shares a limit, which `concurrency_limit` would change for all: set `global_concurrency_limit_id`, too",
                ));
            }
            Some(wanted) if slots != Some(wanted) => {
                changes.add(LIMIT, slots.map(Json::from), Some(Json::from(wanted)));
            }
            None if wanted.concurrency_limit.is_null()
                && wanted.global_concurrency_limit_id.is_none()
                && limit.is_some() =>
            {
                if is_shared {
                    // Without this null the server would delete the shared limit.
                    changes.add(LIMIT_ID, now.map(id), Some(Json::null()));
                }
                changes.add(LIMIT, slots.map(Json::from), Some(Json::null()));
            }
            _ => {}
        }
        Ok(())
    }

    /// How the schedules differ.
    #[inline]
    fn schedules(&self, found: &DeploymentResponse) -> Result<ScheduleChanges> {
        let mut changes = ScheduleChanges::default();
        let Some(wanted) = &self.deployment.schedules else {
            return Ok(changes);
        };
        let mut left: Vec<_> = found.schedules.iter().flatten().collect();
        for schedule in wanted {
            let mut place = None;
            for (index, candidate) in left.iter().enumerate() {
                if is_counterpart(schedule, candidate)? {
                    place = Some(index);
                    break;
                }
            }
            let Some(place) = place else {
                changes.created.push(schedule.clone());
                continue;
            };
            let counterpart = left.remove(place);
            let differences = schedule_differences(schedule, counterpart)?;
            if !differences.is_empty() {
                changes
                    .updated
                    .push((counterpart.id, differences.update()?));
            }
        }
        changes.deleted = left.iter().map(|schedule| schedule.id).collect();
        Ok(changes)
    }
}

/// Whether a schedule is the one that is wanted, perhaps with other details.
#[inline]
fn is_counterpart(wanted: &DeploymentScheduleCreate, found: &DeploymentSchedule) -> Result<bool> {
    match wanted.slug.as_option() {
        Some(slug) => Ok(found.slug == *slug),
        None => Ok(found.slug.is_none() && !schedule_differences(wanted, found)?.has("schedule")),
    }
}

#[inline]
fn schedule_differences(
    wanted: &DeploymentScheduleCreate,
    found: &DeploymentSchedule,
) -> Result<Changes> {
    compare(wanted, found, |field| match field {
        "slug" | "replaces" => None,
        // The server adds the anchor of an interval, and its own defaults.
        "schedule" => Some(Matching::AtLeast),
        "max_scheduled_runs" => Some(Matching::ExactUnlessNull),
        _ => Some(Matching::Exact),
    })
}

/// What is to be done with the schedules of a deployment.
#[derive(Default)]
struct ScheduleChanges {
    created: Vec<DeploymentScheduleCreate>,
    updated: Vec<(Uuid, DeploymentScheduleUpdate)>,
    deleted: Vec<Uuid>,
}

impl ScheduleChanges {
    fn is_empty(&self) -> bool {
        self.created.is_empty() && self.updated.is_empty() && self.deleted.is_empty()
    }

    /// New ones come last: their slugs may be those of deleted ones.
    async fn make(self, deployments: Deployments<'_>, deployment: Uuid) -> Result<()> {
        let schedules = || deployments.schedules(deployment);
        for id in self.deleted {
            schedules().delete(id).await?;
        }
        for (id, update) in self.updated {
            schedules().update(id, &update).await?;
        }
        if !self.created.is_empty() {
            schedules().create(self.created).await?;
        }
        Ok(())
    }
}
