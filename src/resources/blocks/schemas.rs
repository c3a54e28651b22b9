//! Block schemas: finding one version of several with the same checksum.

use crate::raw::Response;

use super::generated::BlockSchemas;
use crate::error::Result;
use crate::types::BlockSchema;

impl BlockSchemas<'_> {
    /// The schema with this checksum and version: `GET /block_schemas/checksum/{checksum}`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is none, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let checksum = "sha256:0dbe8bfad1cbd3b4a5a1ad7ed7bf5ba8";
    /// let schema = client.block_schemas().get_version_by_checksum(checksum, "1.0").await?;
    /// println!("{:?}", schema.fields);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_version_by_checksum(
        self,
        checksum: &str,
        version: &str,
    ) -> Result<BlockSchema> {
        self.client
            .raw()
            .read_block_schema_by_checksum(checksum, Some(version))
            .await
            .map(Response::into_inner)
    }
}
