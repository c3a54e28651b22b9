//! Blocks whose data are as they are wanted.

use super::generated::BlockTypes;
use crate::error::{Result, none_if_missing};
use crate::resources::ensure::{self, Changes, Ensured, Matching, Plan, Wanted, compare};
use crate::types::{BlockDocument, Json};

impl BlockTypes<'_> {
    /// Stores the data of a block of a type, unless it has them already: `GET` of the block with its secrets, and then
    /// [`save`](Self::save), if need be. The block that is returned holds its secrets. Data that refer to other blocks (`$ref`)
    /// are always stored again, because the server returns what they refer to.
    ///
    /// # Errors
    ///
    /// The same as for [`save`](Self::save).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use serde_json::json;
    ///
    /// let password = json!({ "value": "hunter2" });
    /// let block = client.block_types().ensure("secret", "database", password).await?;
    /// println!("{}", block.is_changed());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ensure(
        self,
        slug: &str,
        name: &str,
        data: impl Into<Json>,
    ) -> Result<Ensured<BlockDocument>> {
        ensure::ensure(&WantedBlock {
            types: self,
            slug,
            name,
            data: data.into(),
        })
        .await
    }

    /// Returns what [`ensure`](Self::ensure) would do, and changes nothing: `GET` of the block with its secrets, which are
    /// not part of the plan.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    pub async fn plan(self, slug: &str, name: &str, data: impl Into<Json>) -> Result<Plan> {
        ensure::plan(&WantedBlock {
            types: self,
            slug,
            name,
            data: data.into(),
        })
        .await
    }
}

/// A block that is wanted.
struct WantedBlock<'a> {
    types: BlockTypes<'a>,
    slug: &'a str,
    name: &'a str,
    data: Json,
}

impl Wanted for WantedBlock<'_> {
    type Found = BlockDocument;

    fn title(&self) -> String {
        format!("the block \"{}/{}\"", self.slug, self.name)
    }

    async fn read(&self) -> Result<Option<Self::Found>> {
        none_if_missing(
            self.types
                .get_document_with_secrets(self.slug, self.name)
                .await,
        )
    }

    #[inline]
    fn differences(&self, found: &Self::Found) -> Result<Changes> {
        let now = found.data.clone().unwrap_or_default();
        let mut changes = compare(
            &std::collections::BTreeMap::from([("data", &self.data)]),
            &std::collections::BTreeMap::from([("data", &now)]),
            |_| Some(Matching::Exact),
        )?;
        changes.hide("data");
        Ok(changes)
    }

    async fn create(&self) -> Result<()> {
        let saved = self.types.save(self.slug, self.name, self.data.clone());
        saved.await.map(drop)
    }

    async fn update(&self, _: &Self::Found, _: &Changes) -> Result<()> {
        self.create().await
    }
}
