//! Lists of any length, counts, and bulk operations.
//!
//! A [`Query`] is built by chaining filters; `.await` sends it. A [`Pager`] streams its items, and a
//! [`Bulk`] operation changes or deletes all objects that match.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! use prefect_sdk::types::StateType;
//!
//! let crashed = client.flow_runs().list().state(StateType::Crashed).await?;
//! println!("{} runs have crashed", crashed.len());
//! # Ok(())
//! # }
//! ```

mod bulk;
mod macros;
mod optional_field;
mod page;
mod pager;
mod parameter;
#[allow(
    clippy::module_inception,
    reason = "the file holds the type that the module is named after"
)]
mod query;
mod request;

pub use bulk::{Bulk, Progress};
pub(crate) use bulk::{BulkRequest, Conditions, bulk_request};
pub(crate) use macros::{conditions, count, list, pages, parameters, setters};
pub(crate) use optional_field::value_mut;
pub(crate) use page::{Page, Position};
pub use pager::{Pager, Pages};
pub(crate) use parameter::Parameter;
pub use query::Query;
pub(crate) use request::{ListRequest, QueryRequest, pager};
