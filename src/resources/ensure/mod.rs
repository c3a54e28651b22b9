//! Make it so: an object is created if there is none, changed where it differs, and left alone where it does not.
//!
//! Many parts of the API have an `ensure` that takes what is to be sent to create an object, and a `plan` that returns what
//! `ensure` would do. Fields that are not set are left as they are.
//!
//! | What | `ensure` compares by | The server's own `create` |
//! |---|---|---|
//! | [`Automations`](crate::automations::Automations) | name | makes a second one |
//! | [`BlockTypes`](crate::blocks::BlockTypes) (the data of a block) | type and name | fails |
//! | [`ConcurrencyLimits`](crate::concurrency::ConcurrencyLimits) | tag | changes the existing one |
//! | [`Deployments`](crate::deployments::Deployments) | flow and name; schedules by slug | changes the existing one |
//! | [`Flows`](crate::flows::Flows) | name | returns the existing one, unchanged |
//! | [`GlobalConcurrencyLimits`](crate::concurrency::GlobalConcurrencyLimits) | name | fails |
//! | [`Variables`](crate::variables::Variables) | name | fails |
//! | [`WorkPools`](crate::work_pools::WorkPools), [`WorkPoolQueues`](crate::work_pools::WorkPoolQueues) | name | fails |
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! use prefect_sdk::ensure::Ensured;
//! use prefect_sdk::types::WorkPoolCreate;
//!
//! let pool = WorkPoolCreate::new("batch").type_("process").concurrency_limit(10);
//! println!("{}", client.work_pools().plan(&pool).await?);
//! match client.work_pools().ensure(&pool).await? {
//!     Ensured::Created(pool) => println!("{} is new", pool.name),
//!     Ensured::Updated(pool) => println!("{} has changed", pool.name),
//!     Ensured::Unchanged(_) => {}
//! }
//! # Ok(())
//! # }
//! ```

mod compare;
mod plan;

use std::ops::Deref;

use serde::Serialize;

pub(super) use compare::{Changes, Matching, compare};
pub use plan::{Change, Plan, PlannedAction};

use crate::error::{Error, ErrorKind, Result, none_if_missing};

/// An object that is as it was wanted, and what had to be done for it. It dereferences to the object.
#[derive(Clone, Debug, PartialEq)]
pub enum Ensured<T> {
    /// There was none.
    Created(T),
    /// It was different.
    Updated(T),
    /// It was so already: nothing was changed.
    Unchanged(T),
}

impl<T> Ensured<T> {
    /// The object.
    pub fn into_inner(self) -> T {
        match self {
            Self::Created(object) | Self::Updated(object) | Self::Unchanged(object) => object,
        }
    }

    /// Whether anything was created or changed.
    pub fn is_changed(&self) -> bool {
        !matches!(self, Self::Unchanged(_))
    }
}

impl<T> Deref for Ensured<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Created(object) | Self::Updated(object) | Self::Unchanged(object) => object,
        }
    }
}

/// An object that is wanted.
pub(super) trait Wanted: Sync {
    type Found: Serialize + Send + Sync;

    /// What it is, and its name: `the work pool "batch"`.
    fn title(&self) -> String;

    /// Reads the object, if there is one.
    fn read(&self) -> impl Future<Output = Result<Option<Self::Found>>> + Send;

    /// Compares the object with what is wanted.
    fn differences(&self, found: &Self::Found) -> Result<Changes>;

    fn create(&self) -> impl Future<Output = Result<()>> + Send;

    fn update(
        &self,
        found: &Self::Found,
        changes: &Changes,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Creates or changes an object, unless it is as it is wanted.
pub(super) async fn ensure<W: Wanted>(wanted: &W) -> Result<Ensured<W::Found>> {
    let found = match wanted.read().await? {
        Some(found) => found,
        None => match wanted.create().await {
            Ok(()) => return Ok(Ensured::Created(read_again(wanted).await?)),
            // Somebody else has created it in the meantime. (A conflict may have another reason.)
            Err(error) if error.is_conflict() => wanted.read().await?.ok_or(error)?,
            Err(error) => return Err(error),
        },
    };
    let changes = wanted.differences(&found)?;
    if changes.is_empty() {
        return Ok(Ensured::Unchanged(found));
    }
    wanted.update(&found, &changes).await?;
    Ok(Ensured::Updated(read_again(wanted).await?))
}

/// What `ensure` would do.
pub(super) async fn plan<W: Wanted>(wanted: &W) -> Result<Plan> {
    let found = wanted.read().await?;
    let changes = found.map(|found| wanted.differences(&found)).transpose()?;
    Ok(Plan::new(wanted.title(), changes.map(Changes::into_list)))
}

async fn read_again<W: Wanted>(wanted: &W) -> Result<W::Found> {
    wanted.read().await?.ok_or_else(|| {
        let message = format!("{} was deleted in the meantime", wanted.title());
        Error::new(ErrorKind::NotFound, message)
    })
}

/// Updates an object; if there is none, creates it; if somebody else has created it in the meantime, updates
/// it after all.
///
/// (Not by `AsyncFn`, whose futures cannot be required to be `Send`.)
pub(super) async fn update_or_create<T, U, C>(
    update: impl Fn() -> U + Send,
    create: impl FnOnce() -> C + Send,
) -> Result<()>
where
    U: Future<Output = Result<()>> + Send,
    C: Future<Output = Result<T>> + Send,
{
    if none_if_missing(update().await)?.is_some() {
        return Ok(());
    }
    match create().await {
        Err(error) if error.is_conflict() => update().await,
        created => created.map(drop),
    }
}
