//! Limits of tags that are as they are wanted.

use super::generated::ConcurrencyLimits;
use crate::error::Result;
use crate::resources::ensure::{self, Changes, Ensured, Plan, Wanted};
use crate::types::{ConcurrencyLimit, Json};

impl ConcurrencyLimits<'_> {
    /// Creates the limit of a tag, changes it where it differs, or leaves it alone:
    /// `GET /concurrency_limits/tag/{tag}`, then `POST /concurrency_limits/` and `GET` again, if need be. Its holders keep
    /// their slots.
    ///
    /// # Errors
    ///
    /// The same as for [`create`](Self::create).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let limit = client.concurrency_limits().ensure("gpu", 2).await?;
    /// println!("{}", limit.is_changed());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ensure(self, tag: &str, limit: i64) -> Result<Ensured<ConcurrencyLimit>> {
        ensure::ensure(&WantedTagLimit {
            limits: self,
            tag,
            limit,
        })
        .await
    }

    /// Returns what [`ensure`](Self::ensure) would do, and changes nothing: `GET /concurrency_limits/tag/{tag}`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    pub async fn plan(self, tag: &str, limit: i64) -> Result<Plan> {
        ensure::plan(&WantedTagLimit {
            limits: self,
            tag,
            limit,
        })
        .await
    }
}

/// A limit that is wanted.
struct WantedTagLimit<'a> {
    limits: ConcurrencyLimits<'a>,
    tag: &'a str,
    limit: i64,
}

impl Wanted for WantedTagLimit<'_> {
    type Found = ConcurrencyLimit;

    fn title(&self) -> String {
        format!("the limit of the tag {:?}", self.tag)
    }

    async fn read(&self) -> Result<Option<Self::Found>> {
        self.limits.get_by_tag_opt(self.tag).await
    }

    #[inline]
    fn differences(&self, found: &Self::Found) -> Result<Changes> {
        let (mut changes, now) = (Changes::default(), found.concurrency_limit);
        if now != self.limit {
            let [from, to] = [now, self.limit].map(|limit| Some(Json::from(limit)));
            changes.add("concurrency_limit", from, to);
        }
        Ok(changes)
    }

    async fn create(&self) -> Result<()> {
        self.limits.create(self.tag, self.limit).await.map(drop)
    }

    async fn update(&self, _: &Self::Found, _: &Changes) -> Result<()> {
        // The server's own creation changes one that exists.
        self.create().await
    }
}
