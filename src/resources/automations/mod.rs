//! `Automations`: what Prefect does when events happen, or do not.
//!
//! [`Automation`] defines one; the functions of this module return triggers, and those of [`actions`] return
//! actions.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! use prefect_sdk::automations::{Automation, actions, event};
//!
//! let automation = Automation::named("note")
//!     .when(event("prefect.flow-run.Failed").threshold(3))
//!     .then(actions::do_nothing())
//!     .build()?;
//! client.automations().create(&automation).await?;
//! # Ok(())
//! # }
//! ```

generated!("automations");

pub mod actions;
mod definition;
mod ensure;
mod lookup;
mod trigger;

pub use definition::Automation;
pub use generated::Automations;
pub use trigger::{EventTriggerBuilder, absence_of, all_of, any_of, at_least, event, in_order};
