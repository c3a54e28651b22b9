//! Block types: the data of their blocks, typed.

use serde::de::DeserializeOwned;

use super::BlockTypes;
use crate::error::{Error, ErrorKind, Result};
use crate::types::BlockDocument;

impl BlockTypes<'_> {
    /// The data of a block, as any type that serde can read; its secrets are asterisks:
    /// `GET /block_types/slug/{slug}/block_documents/name/{block_document_name}`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such type or block;
    /// [`Decode`](crate::ErrorKind::Decode) when the data is not of this Rust type; the error does not
    /// repeat it. Those of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// #[derive(serde::Deserialize)]
    /// struct Webhook {
    ///     method: String,
    /// }
    ///
    /// let webhook: Webhook = client.block_types().document("webhook", "alerts").await?;
    /// println!("{}", webhook.method);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn document<T: DeserializeOwned>(self, slug: &str, name: &str) -> Result<T> {
        data(self.get_document(slug, name).await?, slug, name)
    }

    /// The data of a block with its secrets, as any type that serde can read:
    /// `GET /block_types/slug/{slug}/block_documents/name/{block_document_name}` with
    /// `include_secrets=true`.
    ///
    /// # Errors
    ///
    /// Those of [`document`](Self::document).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// #[derive(serde::Deserialize)]
    /// struct Secret {
    ///     value: String,
    /// }
    ///
    /// let blocks = client.block_types();
    /// let secret: Secret = blocks.document_with_secrets("secret", "database").await?;
    /// println!("{} characters", secret.value.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn document_with_secrets<T: DeserializeOwned>(
        self,
        slug: &str,
        name: &str,
    ) -> Result<T> {
        data(
            self.get_document_with_secrets(slug, name).await?,
            slug,
            name,
        )
    }
}

/// What serde says of data that does not fit may quote it: a secret, perhaps.
fn data<T: DeserializeOwned>(block: BlockDocument, slug: &str, name: &str) -> Result<T> {
    block.data.unwrap_or_default().parse().map_err(|_| {
        let message = format!("the data of the block {slug}/{name} is not of this type");
        Error::new(ErrorKind::Decode, message)
    })
}
