//! Events that a run emits.

use super::run::Run;
use super::run_events::RunEvents;
use crate::error::Result;
use crate::types::Event;

impl Run {
    /// Emits an event of this run: the run, its flow, its deployment and its tags are added to its related resources, so
    /// that it is shown with them. It is sent in the background (`POST /events`), before the end of the run is reported.
    ///
    /// # Errors
    ///
    /// The errors of [`Emitter::emit`](crate::events::Emitter::emit).
    ///
    /// ```no_run
    /// # fn example(run: prefect_sdk::flow::Run) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::Event;
    /// use uuid::Uuid;
    ///
    /// let order = [("prefect.resource.id".to_owned(), "shop.order.42".to_owned())];
    /// run.emit(Event::new(chrono::Utc::now(), "shop.order.paid", order, Uuid::new_v4()))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn emit(&self, mut event: Event) -> Result<()> {
        let related: &mut Vec<_> = event.related.get_or_insert_default();
        related.extend(self.context().related());
        RunEvents::of(self.client())?.emit(event)
    }
}
