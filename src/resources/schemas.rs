//! `Schemas`: the JSON Schemas of parameters.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! use prefect_sdk::types::ValidateObjRequest;
//! use serde_json::json;
//!
//! let schema = json!({ "type": "object", "required": ["day"] });
//! let request = ValidateObjRequest::new(schema, json!({ "day": 7 }));
//! let checked = client.schemas().validate(&request).await?;
//! assert!(checked.valid);
//! # Ok(())
//! # }
//! ```

generated!("schemas");

pub use generated::Schemas;
