//! Block types: reading the data of their blocks as typed values, and storing it.

use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::generated::BlockTypes;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{BlockDocument, BlockDocumentCreate, BlockDocumentUpdate, Json};

impl BlockTypes<'_> {
    /// The data of a block, as any type that serde can deserialize; its secrets are masked with asterisks:
    /// `GET /block_types/slug/{slug}/block_documents/name/{block_document_name}`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such type or block,
    /// [`Decode`](crate::ErrorKind::Decode) when the data does not fit this Rust type (the error does not
    /// contain the data), or any [call error](crate::Error#call-errors).
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

    /// The data of a block with its secrets, as any type that serde can deserialize:
    /// `GET /block_types/slug/{slug}/block_documents/name/{block_document_name}` with
    /// `include_secrets=true`.
    ///
    /// # Errors
    ///
    /// The same as for [`document`](Self::document).
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

    /// Stores the data of a block of a type. If there is a block with this name, it is replaced: `GET` of
    /// the block, then `PATCH /block_documents/{id}` with all of the data and `GET` again. If there is
    /// none, it is created: `GET` of the type, `POST /block_schemas/filter` for its newest schema, and
    /// `POST /block_documents/`.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when a text of the data is `********`, which servers send in
    /// place of a secret ([`document_with_secrets`](Self::document_with_secrets) reads the secrets themselves),
    /// [`Conflict`](crate::ErrorKind::Conflict) when the data refer to a block that does not exist (`$ref`),
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such type, or it has no schema,
    /// [`Validation`](crate::ErrorKind::Validation) for a name with other than lower-case letters, digits
    /// and dashes, or any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use serde_json::json;
    ///
    /// let password = json!({ "value": "hunter2" });
    /// let block = client.block_types().save("secret", "database", password).await?;
    /// println!("{}", block.id);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn save(
        self,
        slug: &str,
        name: &str,
        data: impl Into<Json>,
    ) -> Result<BlockDocument> {
        let data = data.into();
        refuse_masks(&data)?;
        if let Some(block) = self.get_document_opt(slug, name).await? {
            return self.replace(block.id, data).await;
        }
        let kind = self.get_by_slug(slug).await?.id;
        let schemas = self.client.block_schemas().list().block_type_id(kind);
        let newest = schemas
            .await?
            .into_iter()
            .max_by_key(|schema| *schema.created);
        let schema = newest.ok_or_else(|| {
            let message = format!("the block type {slug:?} has no schema");
            Error::new(ErrorKind::NotFound, message).with_operation("read_block_schemas")
        })?;
        let block = BlockDocumentCreate::new(schema.id, kind)
            .name(name)
            .data(data.clone());
        match self.client.block_documents().create(&block).await {
            // Another client has created it in the meantime, or the data refer to a block that does not exist.
            Err(error) if error.is_conflict() => match self.get_document_opt(slug, name).await? {
                Some(block) => self.replace(block.id, data).await,
                None => Err(error),
            },
            created => created,
        }
    }

    async fn replace(self, id: Uuid, data: Json) -> Result<BlockDocument> {
        let blocks = self.client.block_documents();
        let update = BlockDocumentUpdate::new()
            .data(data)
            .merge_existing_data(false);
        blocks.update(id, &update).await?;
        blocks.get(id).await
    }
}

/// What servers send in place of a secret.
const MASK: &str = "********";

/// Refuses data in which a secret has been replaced by its mask, which would be stored over the secret.
fn refuse_masks(data: &Json) -> Result<()> {
    let mask = || mask_in(&data.to_value().ok()?);
    match data.as_str().contains(MASK).then(mask).flatten() {
        Some(path) => Err(Error::invalid_request(format!(
            "the data{path} is a mask in place of a secret: read the block by `document_with_secrets` to store it again"
        ))),
        None => Ok(()),
    }
}

/// The path of the first mask.
fn mask_in(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (text == MASK).then(String::new),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| Some(format!("[{index}]{}", mask_in(item)?)))
        }
        Value::Object(members) => {
            let mut members = members.iter();
            members.find_map(|(key, member)| Some(format!(".{key}{}", mask_in(member)?)))
        }
        _ => None,
    }
}

/// Deserializes the data of a block. The error of serde is not kept: it may quote the data, perhaps a secret.
fn data<T: DeserializeOwned>(block: BlockDocument, slug: &str, name: &str) -> Result<T> {
    block.data.unwrap_or_default().parse().map_err(|_| {
        let message = format!("the data of the block {slug}/{name} does not fit this type");
        Error::new(ErrorKind::Decode, message)
    })
}
