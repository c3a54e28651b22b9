//! `SavedSearches`: filters that somebody keeps under a name.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! for search in client.saved_searches().list().await? {
//!     println!("{}", search.name);
//! }
//! # Ok(())
//! # }
//! ```

generated!("saved_searches");

pub use generated::SavedSearches;
