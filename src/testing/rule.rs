//! `Rule`: what the server does with the requests of one operation.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::fake::{Call, Reply};
use super::json_diff;
use super::listing::{Listing, Parameters};
use super::operation::{Parts, Request};

/// What the server does with the requests of one operation: see [`TestServer::on`](super::TestServer::on).
///
/// Rules are asked in the order in which they were made; the first one whose conditions a request fulfils, and that is not used up,
/// answers it. A rule without an answer ([`delay`](Self::delay), [`lose_reply`](Self::lose_reply), [`cut_body`](Self::cut_body)) leaves that to the rules behind
/// it, and to the fake.
#[must_use = "a rule without an action changes nothing"]
pub struct Rule<R> {
    state: Arc<Mutex<RuleState>>,
    request: PhantomData<fn() -> R>,
}

/// A rule as the server reads it.
pub(super) struct RuleState {
    /// The operation; `None` stands for any.
    pub operation: Option<&'static str>,
    /// What a request must fulfil; the error says why it does not.
    pub conditions: Vec<Condition>,
    /// How many more requests the rule takes.
    pub left: Option<usize>,
    pub taken: usize,
    pub delay: Duration,
    pub answer: Option<Answer>,
    pub headers: Vec<(&'static str, String)>,
    pub delivery: Delivery,
}

type Condition = Box<dyn Fn(&Call<'_>) -> Result<(), String> + Send>;

/// Makes the reply to a request.
pub(super) type Answer = Box<dyn FnMut(&Call<'_>) -> Result<Reply, String> + Send>;

/// What becomes of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Delivery {
    #[default]
    Whole,
    /// The connection breaks before the reply.
    Lost,
    /// The connection breaks in the middle of the reply.
    Cut,
    /// The connection breaks, and nothing is executed.
    Broken,
    /// Nothing is executed, nothing is replied, and the connection stays open.
    Never,
}

impl<R> Rule<R> {
    pub(super) fn new(operation: Option<&'static str>) -> (Self, Arc<Mutex<RuleState>>) {
        let state = Arc::new(Mutex::new(RuleState {
            operation,
            conditions: Vec::new(),
            left: None,
            taken: 0,
            delay: Duration::ZERO,
            answer: None,
            headers: Vec::new(),
            delivery: Delivery::Whole,
        }));
        let rule = Self {
            state: Arc::clone(&state),
            request: PhantomData,
        };
        (rule, state)
    }

    fn change(self, change: impl FnOnce(&mut RuleState)) -> Self {
        change(&mut self.state());
        self
    }

    fn state(&self) -> MutexGuard<'_, RuleState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes this many requests only; the rules behind it, or the fake, take those that follow.
    pub fn times(self, times: usize) -> Self {
        self.change(|rule| rule.left = Some(times))
    }

    /// Takes one request only.
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Answers, or passes the request on, after this time of the kit's clock.
    pub fn delay(self, delay: Duration) -> Self {
        self.change(|rule| rule.delay = delay)
    }

    /// Executes the request, and breaks the connection before the reply.
    pub fn lose_reply(self) -> Self {
        self.change(|rule| rule.delivery = Delivery::Lost)
    }

    /// Executes the request, and breaks the connection in the middle of the reply's body.
    pub fn cut_body(self) -> Self {
        self.change(|rule| rule.delivery = Delivery::Cut)
    }

    /// Breaks the connection; the request is not executed.
    pub fn break_connection(self) -> Self {
        self.change(|rule| rule.delivery = Delivery::Broken)
    }

    /// Never replies; the request is not executed.
    pub fn hang(self) -> Self {
        self.change(|rule| rule.delivery = Delivery::Never)
    }

    /// Replies with this status; the request is not executed. The body is that of Prefect's own error handler.
    ///
    /// # Panics
    ///
    /// If the number is no HTTP status (100–999).
    pub fn status(self, status: u16) -> Self {
        self.respond(
            status,
            serde_json::json!({"exception_message": "a rule of the test says so"}),
        )
    }

    /// Replies with this status and this body; the request is not executed.
    ///
    /// # Panics
    ///
    /// If the number is no HTTP status (100–999).
    pub fn respond(self, status: u16, body: Value) -> Self {
        assert!((100..1000).contains(&status), "{status} is no HTTP status");
        self.change(|rule| {
            rule.answer = Some(Box::new(move |_| {
                Ok(match status {
                    204 => Reply::no_content(),
                    status => Reply::json(status, &body),
                })
            }));
        })
    }

    /// Sets a header of the reply, whoever makes it.
    pub fn header(self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        self.change(|rule| rule.headers.push((name, value)))
    }

    /// How many requests the rule has taken.
    pub fn calls(&self) -> usize {
        self.state().taken
    }
}

impl<R: Request> Rule<R> {
    /// Takes only requests that fulfil a condition.
    pub fn when(self, condition: impl Fn(&R) -> bool + Send + 'static) -> Self {
        self.change(|rule| {
            rule.conditions.push(Box::new(move |call| {
                match condition(&R::read(&Parts(call))?) {
                    true => Ok(()),
                    false => Err("the condition given to `when` is not fulfilled".to_owned()),
                }
            }));
        })
    }

    /// Takes only requests whose body contains this JSON: the keys of its objects, and all else as it is.
    pub fn with_body(self, expected: Value) -> Self {
        self.change(|rule| {
            rule.conditions.push(Box::new(move |call| {
                let found: Value = serde_json::from_slice(call.body).unwrap_or_default();
                match json_diff::missing(&expected, &found) {
                    None => Ok(()),
                    Some(difference) => Err(difference),
                }
            }));
        })
    }

    /// Replies with the part of a list that the request asks for, by `offset` or `page` and `limit` (at most 200, as on a server); the request is not
    /// executed. Behind the last item come empty pages, so that a reader of all pages ends.
    pub fn pages(self, items: impl IntoIterator<Item = <R::Reply as Listing>::Item>) -> Self
    where
        R::Reply: Listing,
    {
        let items: Vec<_> = items.into_iter().collect();
        self.change(|rule| {
            rule.answer = Some(Box::new(move |call| {
                let part = R::Reply::part(&items, &Parameters::of(call)?);
                Ok(match part.0 {
                    Ok(reply) => reply,
                    Err(refusal) => Reply::json(refusal.status, &refusal.body),
                })
            }));
        })
    }

    /// Replies with what this function makes of the request; the request is not executed.
    pub fn reply(self, mut make: impl FnMut(R) -> R::Reply + Send + 'static) -> Self {
        self.change(|rule| {
            rule.answer = Some(Box::new(move |call| {
                let request = R::read(&Parts(call))?;
                Ok(R::write(make(request)).0)
            }));
        })
    }
}

impl<R> std::fmt::Debug for Rule<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.state().fmt(f)
    }
}

impl std::fmt::Debug for RuleState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule")
            .field("operation", &self.operation.unwrap_or("any"))
            .field("conditions", &self.conditions.len())
            .field("left", &self.left)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
