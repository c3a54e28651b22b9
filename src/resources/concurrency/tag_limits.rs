//! Tag-based concurrency limits: how many task runs with a tag may run at once. A limit on the tag
//! `database` with 10 slots lets at most ten task runs tagged `database` run at once. Since Prefect 3.4.19
//! such a limit is stored as the global limit `tag:database`.

use std::collections::BTreeMap;

use crate::raw::Response;
use uuid::Uuid;

use super::generated::ConcurrencyLimits;
use crate::error::{Error, Result, none_if_missing};
use crate::types::{
    ConcurrencyLimit, ConcurrencyLimitCreate, ConcurrencyLimitV2Update,
    DecrementConcurrencyLimitsV1Request, IncrementConcurrencyLimitsV1Request,
    MinimalConcurrencyLimitResponse, ReadAllConcurrencyLimitsV2Request,
    ReadConcurrencyLimitsRequest, ResetConcurrencyLimitByTagRequest,
};

/// Characters that make the server answer 500 to the creation of a limit.
const BANNED: [char; 5] = ['/', '%', '&', '<', '>'];

impl ConcurrencyLimits<'_> {
    /// Creates the limit of a tag, or changes it if there is one: `POST /concurrency_limits/`.
    ///
    /// A limit of 0 lets no task run with the tag start.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, when the tag
    /// is empty, `.` or `..`, or contains one of `/ % & < >`, or the limit is negative or beyond 32 bits.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let limit = client.concurrency_limits().create("database", 10).await?;
    /// assert_eq!((limit.tag.as_str(), limit.concurrency_limit), ("database", 10));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create(self, tag: &str, limit: i64) -> Result<ConcurrencyLimit> {
        if matches!(tag, "" | "." | "..") {
            return Err(Error::invalid_request(format!(
                "{tag:?} cannot be the tag of a limit: it cannot be sent in a URL"
            )));
        }
        if let Some(banned) = tag.chars().find(|c| BANNED.contains(c) || c.is_control()) {
            return Err(Error::invalid_request(format!(
                "the tag {tag:?} has {banned:?}; / % & < > and control characters are not allowed"
            )));
        }
        // PostgreSQL stores limits in 32 bits; for larger numbers the server answers 503.
        if !(0..=i64::from(i32::MAX)).contains(&limit) {
            return Err(Error::invalid_request(format!(
                "the concurrency limit {limit} is not between 0 and {}",
                i32::MAX
            )));
        }
        let body = ConcurrencyLimitCreate::new(tag, limit);
        self.client
            .raw()
            .create_concurrency_limit(&body)
            .await
            .map(Response::into_inner)
    }

    /// The limit with this id: `GET /concurrency_limits/{id}`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is none.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let limit = client.concurrency_limits().get(id).await?;
    /// println!("{} is limited to {}", limit.tag, limit.concurrency_limit);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get(self, id: Uuid) -> Result<ConcurrencyLimit> {
        self.client
            .raw()
            .read_concurrency_limit(&id)
            .await
            .map(Response::into_inner)
    }

    /// The limit with this id, or `None`: `GET /concurrency_limits/{id}`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors) except a 404.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// if client.concurrency_limits().get_opt(id).await?.is_none() {
    ///     println!("no such limit");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_opt(self, id: Uuid) -> Result<Option<ConcurrencyLimit>> {
        none_if_missing(self.get(id).await)
    }

    /// The limit of a tag: `GET /concurrency_limits/tag/{tag}`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is none;
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when the tag is empty, `.` or `..`, or
    /// contains a `/`: it cannot be sent in a URL.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let limit = client.concurrency_limits().get_by_tag("database").await?;
    /// println!("held by {:?}", limit.active_slots);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_by_tag(self, tag: &str) -> Result<ConcurrencyLimit> {
        self.client
            .raw()
            .read_concurrency_limit_by_tag(tag)
            .await
            .map(Response::into_inner)
    }

    /// The limit of a tag, or `None`: `GET /concurrency_limits/tag/{tag}`.
    ///
    /// # Errors
    ///
    /// As [`get_by_tag`](Self::get_by_tag), except for a 404.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let limits = client.concurrency_limits();
    /// if limits.get_by_tag_opt("database").await?.is_none() {
    ///     limits.create("database", 10).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_by_tag_opt(self, tag: &str) -> Result<Option<ConcurrencyLimit>> {
        none_if_missing(self.get_by_tag(tag).await)
    }

    /// All limits: `POST /concurrency_limits/filter`, page by page, completed by
    /// `POST /v2/concurrency_limits/filter` and `GET /concurrency_limits/{id}`.
    ///
    /// The server cuts a page out of *all* limits before it drops those that are not on tags, and only then
    /// applies the offset: behind a page full of global limits, no offset reaches a limit on a tag. So the
    /// names of all limits are read as well, and each missing limit on a tag is read by itself.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// for limit in client.concurrency_limits().list().await? {
    ///     println!("{}: {}", limit.tag, limit.concurrency_limit);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list(self) -> Result<Vec<ConcurrencyLimit>> {
        let mut limits = BTreeMap::new();
        loop {
            let body = ReadConcurrencyLimitsRequest::new().offset(limits.len() as i64);
            let page = self
                .client
                .raw()
                .read_concurrency_limits(&body)
                .await?
                .into_inner();
            let before = limits.len();
            limits.extend(page.into_iter().map(|limit| (limit.tag.clone(), limit)));
            if limits.len() == before {
                break;
            }
        }
        let mut offset = 0;
        loop {
            let body = ReadAllConcurrencyLimitsV2Request::new().offset(offset);
            let page = self
                .client
                .raw()
                .read_all_concurrency_limits_v2(&body)
                .await?
                .into_inner();
            if page.is_empty() {
                return Ok(limits.into_values().collect());
            }
            offset += page.len() as i64;
            for row in page {
                let tag = row.name.strip_prefix("tag:");
                if tag.is_some_and(|tag| !limits.contains_key(tag)) {
                    let limit = self.get_opt(row.id).await?;
                    limits.extend(limit.map(|limit| (limit.tag.clone(), limit)));
                }
            }
        }
    }

    /// Empties the list of a tag's holders: `POST /concurrency_limits/tag/{tag}/reset`.
    ///
    /// The counter that admits task runs is **not** changed: a tag that was full stays full. To
    /// free its slots, use [`reset_and_free`](Self::reset_and_free).
    ///
    /// # Errors
    ///
    /// As [`get_by_tag`](Self::get_by_tag).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// client.concurrency_limits().reset("database").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reset(self, tag: &str) -> Result<()> {
        let body = ResetConcurrencyLimitByTagRequest::new();
        self.client
            .raw()
            .reset_concurrency_limit_by_tag(tag, &body)
            .await
            .map(drop)
    }

    /// Empties the list of a tag's holders and frees its slots: [`reset`](Self::reset), then
    /// `PATCH /v2/concurrency_limits/tag:{tag}`.
    ///
    /// Task runs that still hold a slot go on, in addition to those that are newly admitted. Servers before
    /// 3.4.19 have no such counter; there, `reset` frees the slots, and this does nothing more.
    ///
    /// # Errors
    ///
    /// As [`get_by_tag`](Self::get_by_tag).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// client.concurrency_limits().reset_and_free("database").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reset_and_free(self, tag: &str) -> Result<()> {
        self.reset(tag).await?;
        let body = ConcurrencyLimitV2Update::new().active_slots(0);
        let freed = self
            .client
            .raw()
            .update_concurrency_limit_v2(&format!("tag:{tag}"), &body)
            .await;
        none_if_missing(freed).map(drop)
    }

    /// Deletes the limit with this id: `DELETE /concurrency_limits/{id}`.
    ///
    /// The server's route would also delete a *global* limit with this id, so this first checks that the
    /// limit is on a tag (`GET /concurrency_limits/{id}`).
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no limit on a tag with this id.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let limits = client.concurrency_limits();
    /// let limit = limits.get_by_tag("database").await?;
    /// limits.delete(limit.id).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete(self, id: Uuid) -> Result<()> {
        self.get(id).await?;
        self.client
            .raw()
            .delete_concurrency_limit(&id)
            .await
            .map(drop)
    }

    /// Deletes the limit of a tag: `DELETE /concurrency_limits/tag/{tag}`.
    ///
    /// # Errors
    ///
    /// As [`get_by_tag`](Self::get_by_tag).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// client.concurrency_limits().delete_by_tag("database").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete_by_tag(self, tag: &str) -> Result<()> {
        self.client
            .raw()
            .delete_concurrency_limit_by_tag(tag)
            .await
            .map(drop)
    }

    /// Takes a slot of each tag for a task run, or none at all: `POST /concurrency_limits/increment`.
    ///
    /// Returns the limits of which a slot was taken: tags without a limit are not among them. The
    /// call is not idempotent: repeated for the same task run, it takes a second slot.
    ///
    /// # Errors
    ///
    /// [`Locked`](crate::ErrorKind::Locked) when a tag is full;
    /// [`Error::retry_after`] says when to ask again. When a limit is 0, waiting cannot help:
    /// [`Error::is_permanently_locked`].
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, task_run: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// match client.concurrency_limits().increment(["database"], task_run).await {
    ///     Ok(taken) => println!("{} slots taken", taken.len()),
    ///     Err(error) if error.is_permanently_locked() => println!("never: {error}"),
    ///     Err(error) if error.is_locked() => println!("full; again in {:?}", error.retry_after()),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn increment(
        self,
        tags: impl IntoIterator<Item = impl Into<String>>,
        task_run_id: Uuid,
    ) -> Result<Vec<MinimalConcurrencyLimitResponse>> {
        let body = IncrementConcurrencyLimitsV1Request::new(tags, task_run_id);
        if body.names.is_empty() {
            return Ok(Vec::new());
        }
        self.client
            .raw()
            .increment_concurrency_limits_v1(&body)
            .await
            .map(Response::into_inner)
    }

    /// Gives back a task run's slot of each tag: `POST /concurrency_limits/decrement`.
    ///
    /// Returns the limits concerned, whose names begin with `tag:`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, task_run: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// client.concurrency_limits().decrement(["database"], task_run).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn decrement(
        self,
        tags: impl IntoIterator<Item = impl Into<String>>,
        task_run_id: Uuid,
    ) -> Result<Vec<MinimalConcurrencyLimitResponse>> {
        let body = DecrementConcurrencyLimitsV1Request::new(tags, task_run_id);
        if body.names.is_empty() {
            return Ok(Vec::new());
        }
        self.client
            .raw()
            .decrement_concurrency_limits_v1(&body)
            .await
            .map(Response::into_inner)
    }
}
