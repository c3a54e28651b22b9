//! `Kit`: what the server of a kit, its rules and its clock share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::cassette::{Recorder, Replay};
use super::clock::KitClock;
use super::fake::{Call, Refusal, Reply, World, advance_to, handle};
use super::requests::{Journal, ReceivedRequest};
use super::rule::Delivery;
use super::rule_set::RuleSet;

/// What the server of a kit, its rules and its clock share.
pub(super) struct Kit {
    pub clock: KitClock,
    pub rules: RuleSet,
    pub journal: Journal,
    backend: Backend,
    /// Changes when the fake has.
    changed: watch::Sender<u64>,
    /// The requests that are being answered.
    under_way: AtomicUsize,
    unanswered: Mutex<Vec<String>>,
}

/// What answers the requests that no rule does.
pub(super) enum Backend {
    Fake(Box<Mutex<World>>),
    OnlyRules,
    Recorder(Box<Recorder>),
    Replay(Box<Mutex<Replay>>),
}

impl Backend {
    /// An empty fake.
    pub(super) fn fake(clock: &KitClock) -> Self {
        Self::Fake(Box::new(Mutex::new(World::new(clock.time()))))
    }
}

impl Kit {
    pub(super) fn new(clock: KitClock, backend: Backend) -> Self {
        Self {
            backend,
            clock,
            rules: RuleSet::default(),
            journal: Journal::default(),
            changed: watch::Sender::new(0),
            under_way: AtomicUsize::new(0),
            unanswered: Mutex::default(),
        }
    }

    pub(super) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The fake, at the time of the clock, if there is one.
    pub(super) fn world(&self) -> Option<MutexGuard<'_, World>> {
        let Backend::Fake(world) = &self.backend else {
            return None;
        };
        let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
        advance_to(&mut world, self.clock.time());
        Some(world)
    }

    /// Is told when the fake has changed.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn note_change(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Executes a request: by a rule, or by the fake. `None` when the connection is to break, or to stay silent.
    pub(super) async fn execute(&self, request: &ReceivedRequest) -> (Option<Reply>, Delivery) {
        let call = request.call();
        let verdict = catch_unwind(AssertUnwindSafe(|| self.rules.judge(&call)));
        let Ok(verdict) = verdict else {
            let text = format!("a rule for {} panicked", call.operation);
            return (Some(self.fail(&text)), Delivery::Whole);
        };
        // Whoever waits for a rule to be used learns of it now, also when the reply takes its time.
        self.note_change();
        if !verdict.delay.is_zero() {
            use crate::client::Clock as _;
            self.clock.sleep(verdict.delay).await;
        }
        if matches!(verdict.delivery, Delivery::Broken | Delivery::Never) {
            return (None, verdict.delivery);
        }
        let mut reply = match verdict.answer {
            Some(Ok(reply)) => reply,
            Some(Err(why)) => {
                let text = format!("the request of {} cannot be read: {why}", call.operation);
                self.fail(&text)
            }
            None => self.answer(request).await,
        };
        reply.headers.extend(verdict.headers);
        self.note_change();
        (Some(reply), verdict.delivery)
    }

    /// The answer to a request that no rule has answered.
    async fn answer(&self, request: &ReceivedRequest) -> Reply {
        let call = request.call();
        match &self.backend {
            Backend::Fake(_) => {
                let Some(mut world) = self.world() else {
                    return self.fail("there is no fake");
                };
                match handle(&mut world, &call) {
                    Ok(reply) => reply,
                    Err(refusal) => self.refused(&call, refusal),
                }
            }
            Backend::OnlyRules => {
                let nearest = self.rules.nearest(&call);
                let body = String::from_utf8_lossy(call.body);
                self.fail(&format!(
                    "no rule answers {} {:?} {body}: {nearest}",
                    call.operation, call.path
                ))
            }
            Backend::Recorder(recorder) => match recorder.pass_on(request).await {
                Ok(reply) => reply,
                Err(why) => self.fail(&format!("{} cannot be recorded: {why}", call.operation)),
            },
            Backend::Replay(replay) => {
                let answer = replay
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .answer(request);
                answer.unwrap_or_else(|why| self.fail(&format!("not in the cassette: {why}")))
            }
        }
    }

    fn refused(&self, call: &Call<'_>, refusal: Refusal) -> Reply {
        if let Some(what) = &refusal.unsupported {
            let nearest = self.rules.nearest(call);
            self.note_unanswered(format!(
                "the fake cannot answer {}: it does not do {what}; {nearest}",
                call.operation
            ));
        }
        let mut reply = Reply::json(refusal.status, &refusal.body);
        let retry_after = refusal
            .retry_after
            .map(|seconds| ("retry-after", format!("{seconds:?}")));
        reply.headers.extend(retry_after);
        reply
    }

    /// The reply to a request that nobody answers; the test fails at its end.
    fn fail(&self, text: &str) -> Reply {
        self.note_unanswered(text.to_owned());
        Reply::json(501, &serde_json::json!({"exception_message": text}))
    }

    pub(super) fn note_unanswered(&self, text: String) {
        let mut unanswered = self
            .unanswered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unanswered.push(text);
    }

    pub(super) fn unanswered(&self) -> Vec<String> {
        self.unanswered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn take_unanswered(&self) -> Vec<String> {
        std::mem::take(
            &mut *self
                .unanswered
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        UnderWay(Arc::clone(self))
    }

    /// Whether no request is being answered.
    pub(super) fn is_quiet(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) == 0
    }
}

/// A request that is being answered.
pub(super) struct UnderWay(Arc<Kit>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}
