//! Emitting events: one that is waited for, and many in the background.

mod book;
mod builder;
mod check;
mod emitter;
mod pace;
mod worker;

pub use book::{Delivered, Stats};
pub use builder::{EmitterBuilder, WhenFull};
pub use emitter::Emitter;

use chrono::TimeDelta;
use uuid::Uuid;

use crate::error::Result;
use crate::handles::Events;
use crate::types::{Event, Field};

/// Further apart than this, no order is claimed of two events.
const TIGHT: TimeDelta = TimeDelta::minutes(5);

impl Events<'_> {
    /// Records one event, and waits for the server to have taken it: `POST /events`. Returns its id.
    ///
    /// It is checked first, for of a wrong one the server says little: it answers 204 to an event that is
    /// too large, and drops it. The server knows an event by its id, so that a request whose reply was lost
    /// is repeated without harm. Taken is not stored: events can be listed some seconds later.
    ///
    /// For many events, or where there is no time to wait, take an [`emitter`](Self::emitter).
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, for an event
    /// * whose JSON has more than 1,499,900 bytes (the server keeps 1,500,000, and adds some before it
    ///   measures);
    /// * whose name is empty or has more than 1024 characters;
    /// * whose resource has no `prefect.resource.id`, or that has a related one without that or without a
    ///   `prefect.resource.role`;
    /// * with more than 100 related resources, or a resource with more than 500 labels;
    /// * whose payload is no JSON object;
    /// * that occurred outside of the years 1 to 9999, which makes the server lose events of others.
    ///
    /// Else those of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::Event;
    /// use uuid::Uuid;
    ///
    /// let order = [("prefect.resource.id".to_owned(), "shop.order.42".to_owned())];
    /// let paid = Event::new(chrono::Utc::now(), "shop.order.paid", order, Uuid::new_v4());
    /// let paid = paid.payload(serde_json::json!({ "sum": 12.5 }));
    /// let id = client.events().emit(paid).await?;
    /// println!("recorded as {id}");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn emit(self, event: Event) -> Result<Uuid> {
        check::check(&event)?;
        let id = event.id;
        self.client.raw().create_events(&vec![event]).await?;
        Ok(id)
    }

    /// Emitting many events in the background: a queue, and who sends what is in it.
    ///
    /// Nothing is sent before there is an event.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, events: Vec<prefect_sdk::types::Event>) -> prefect_sdk::Result<()> {
    /// let emitter = client.events().emitter().start()?;
    /// for event in events {
    ///     emitter.emit(event)?; // never waits
    /// }
    /// let stats = emitter.close().await;
    /// println!("{} events were taken, {} were not", stats.confirmed, stats.failed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn emitter(self) -> EmitterBuilder {
        EmitterBuilder::new(self.client.clone())
    }
}

impl Event {
    /// Says that this event came after that one, so that the server can put them in order when they arrive the
    /// other way round: sets `follows`. If they are five minutes apart, or more, nothing is set, as Prefect's
    /// own client does it. Sends nothing.
    ///
    /// ```
    /// use chrono::{TimeDelta, Utc};
    /// use prefect_sdk::types::Event;
    /// use uuid::Uuid;
    ///
    /// let order = [("prefect.resource.id".to_owned(), "shop.order.42".to_owned())];
    /// let now = Utc::now();
    /// let paid = Event::new(now, "shop.order.paid", order.clone(), Uuid::new_v4());
    /// let sent = Event::new(now + TimeDelta::seconds(9), "shop.order.sent", order, Uuid::new_v4());
    /// assert_eq!(*sent.following(&paid).follows, Some(paid.id));
    /// ```
    #[must_use]
    pub fn following(mut self, earlier: &Event) -> Self {
        let apart = self.occurred.signed_duration_since(earlier.occurred);
        if apart.abs() < TIGHT {
            self.follows = Field::value(earlier.id);
        }
        self
    }
}
