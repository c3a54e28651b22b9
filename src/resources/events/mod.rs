//! `Events`: emitting events, listing them, and subscribing to them.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! use prefect_sdk::events::EventUpdate;
//!
//! let mut events = client.events().subscribe().prefix("prefect.flow-run.").start().await?;
//! while let Some(update) = events.next().await {
//!     if let EventUpdate::Event(event) = update? {
//!         println!("{}", event.event);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

generated!("events");

mod deduplicator;
mod emit;
mod emitter;
mod event_check;
mod event_pages;
mod event_update;
#[cfg(feature = "websocket")]
mod live_stream;
mod stored_events;
mod stored_pages;
mod subscription;

#[cfg(feature = "flows")]
pub(crate) use emitter::may_be_one_bad_event;
pub use emitter::{Emitter, EmitterBuilder, EmitterStats, FlushReport, OverflowPolicy};
#[cfg(feature = "flows")]
pub(crate) use event_check::check;
pub use event_update::{EventGap, EventUpdate};
pub use generated::Events;
#[cfg(feature = "websocket")]
pub(crate) use live_stream::{LiveEventStream, StreamEvent};
pub use subscription::{Subscription, SubscriptionBuilder};
