//! Emitting one event, and marking which event it follows.

use chrono::TimeDelta;
use uuid::Uuid;

use super::emitter::EmitterBuilder;
use super::event_check::check;
use super::generated::Events;
use crate::error::Result;
use crate::types::{Event, Field};

/// Events that are this far apart or further are not marked as following each other.
const MAX_FOLLOWS_DISTANCE: TimeDelta = TimeDelta::minutes(5);

impl Events<'_> {
    /// Records one event, and waits until the server has accepted it: `POST /events`. Returns its id.
    ///
    /// The event is checked first, because the server reports little about an invalid one: it answers 204 to
    /// an event that is too large, and drops it. The server identifies an event by its id, so a request whose
    /// reply was lost is repeated without harm. An accepted event is not stored yet: it can be listed some
    /// seconds later.
    ///
    /// For many events, or where there is no time to wait, use an [`emitter`](Self::emitter).
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, for an event
    /// * whose JSON has more than 1,499,900 bytes (the server accepts 1,500,000, but adds some before it
    ///   measures);
    /// * whose name is empty or has more than 1024 characters;
    /// * whose resource has no `prefect.resource.id`, or with a related resource that has no
    ///   `prefect.resource.id` or no `prefect.resource.role`;
    /// * with more than 100 related resources, or a resource with more than 500 labels;
    /// * whose payload is not a JSON object;
    /// * that occurred outside of the years 1 to 9999, which makes the server lose other events, too.
    ///
    /// Otherwise any [call error](crate::Error#call-errors).
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
        check(&event)?;
        let id = event.id;
        self.client.raw().create_events(&vec![event]).await?;
        Ok(id)
    }

    /// Emits many events in the background: events are put into a queue, and a background task sends them.
    ///
    /// Nothing is sent before the first event.
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
    /// Marks this event as following an earlier one, so that the server can put them in order when they
    /// arrive the other way round: sets `follows`. If they are five minutes or more apart, nothing is set,
    /// as in Prefect's own client. Sends nothing.
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
        if apart.abs() < MAX_FOLLOWS_DISTANCE {
            self.follows = Field::value(earlier.id);
        }
        self
    }
}
