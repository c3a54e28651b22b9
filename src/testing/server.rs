//! `TestServer`: a Prefect server in the test's own process.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::{Either, select};

use super::any_request::AnyRequest;
use super::clock::KitClock;
use super::http::{API_PATH, HttpServer};
use super::kit::{Backend, Kit};
use super::operation::Op;
use super::requests::Requests;
use super::rule::Rule;
use super::threads;
use crate::client::{Client, ClientBuilder};

/// How long the kit lets the program work after each step of its clock, at most.
const MAX_SETTLE: Duration = Duration::from_millis(200);

/// How long nothing must be at work for the program to count as waiting.
const QUIET: Duration = Duration::from_millis(3);

/// A Prefect server in the test's own process: see the [module](crate::testing).
pub struct TestServer {
    kit: Arc<Kit>,
    server: HttpServer,
    tolerant: bool,
}

/// How a [`TestServer`] is started.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing starts before `start`"]
pub struct TestServerBuilder {
    only_rules: bool,
    stands_still: bool,
    without_services: bool,
}

impl TestServerBuilder {
    /// Answers by rules only; what no rule takes fails the test.
    pub fn only_rules(mut self) -> Self {
        self.only_rules = true;
        self
    }

    /// The clock stands still but for [`advance`](TestServer::advance): all times are those that the test makes.
    ///
    /// What the SDK waits for by its clock then waits for the test: a test that forgets it hangs.
    pub fn paused(mut self) -> Self {
        self.stands_still = true;
        self
    }

    /// The server does nothing by itself when time passes: no run becomes late, no pause or lease ends.
    ///
    /// So the fake is comparable with a real server without services, request by request.
    #[doc(hidden)]
    pub fn without_services(mut self) -> Self {
        self.without_services = true;
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    ///
    /// If no port of 127.0.0.1 is free, or no thread can be started.
    pub fn try_start(self) -> io::Result<TestServer> {
        let clock = KitClock::new(self.stands_still);
        let backend = match self.only_rules {
            true => Backend::OnlyRules,
            false => Backend::fake(&clock),
        };
        let server = TestServer::with_backend(clock, backend)?;
        if self.without_services
            && let Some(mut world) = server.kit.world()
        {
            world.has_services = false;
        }
        Ok(server)
    }

    /// Starts the server.
    ///
    /// # Panics
    ///
    /// If no port of 127.0.0.1 is free, or no thread can be started.
    pub fn start(self) -> TestServer {
        self.try_start().expect("a test server")
    }
}

impl TestServer {
    /// Starts a server with an empty fake, whose clock goes with the real one.
    ///
    /// # Panics
    ///
    /// If no port of 127.0.0.1 is free, or no thread can be started.
    pub fn start() -> Self {
        Self::builder().start()
    }

    pub(super) fn with_backend(clock: KitClock, backend: Backend) -> io::Result<Self> {
        let kit = Arc::new(Kit::new(clock, backend));
        Ok(Self {
            server: HttpServer::start(Arc::clone(&kit))?,
            kit,
            tolerant: false,
        })
    }

    /// A server to be started in another way.
    pub fn builder() -> TestServerBuilder {
        TestServerBuilder::default()
    }

    /// The operations that the fake executes, by the names of their methods in [`raw`](crate::raw). What it cannot do of them, it refuses.
    pub fn fake_operations() -> Vec<&'static str> {
        super::fake::supported()
    }

    /// The URL of its API.
    pub fn api_url(&self) -> String {
        format!("http://{}{API_PATH}", self.server.address)
    }

    /// A client of the server, with the server's clock.
    ///
    /// # Panics
    ///
    /// If no client can be built, for want of a thread.
    pub fn client(&self) -> Client {
        self.client_builder()
            .build()
            .expect("a client of the test server")
    }

    /// The builder of such a client. Neither the environment nor files are read.
    pub fn client_builder(&self) -> ClientBuilder {
        let builder = Client::builder().api_url(self.api_url()).no_proxy();
        builder
            .csrf(false)
            .version_check(false)
            .clock(self.kit.clock.clone())
    }

    /// A rule for the requests of one operation. Without an answer of its own, it passes them on.
    pub fn on<R>(&self, operation: Op<R>) -> Rule<R> {
        let (rule, state) = Rule::new(Some(operation.name()));
        self.kit.rules.add(state);
        rule
    }

    /// A rule for all requests.
    pub fn on_any(&self) -> Rule<AnyRequest> {
        let (rule, state) = Rule::new(None);
        self.kit.rules.add(state);
        rule
    }

    /// The requests that have come so far: the newest 100,000.
    pub fn requests(&self) -> Requests {
        self.kit.journal.all()
    }

    /// The time of the server, which is that of its clients.
    pub fn now(&self) -> DateTime<Utc> {
        self.kit.clock.time()
    }

    /// Lets this time pass, for the server and its clients.
    ///
    /// The clock goes from one moment to the next at which something waits to happen: a retry, a heartbeat, the end of a lease. After each
    /// of them, the program may work until no request is under way and nothing that was due still sleeps. So what takes an hour is over in
    /// milliseconds, and in its order.
    pub async fn advance(&self, duration: Duration) {
        // What has just begun to wait is to be seen.
        self.settle().await;
        let mut left = duration;
        while let Some(wait) = self.kit.clock.next_wake(left) {
            self.kit.clock.step(wait);
            left -= wait;
            self.settle().await;
        }
        self.kit.clock.step(left);
        drop(self.kit.world());
        self.kit.note_change();
        self.settle().await;
    }

    /// Waits for a future, and lets time pass whenever all that is left to do is to wait.
    ///
    /// So a test of retries, schedules or polls takes no time, and need not know when things happen.
    ///
    /// # Panics
    ///
    /// If the future is not ready after a year of the kit's time.
    pub async fn skip_waits<F: Future>(&self, future: F) -> F::Output {
        match select(pin!(future), pin!(self.skip())).await {
            Either::Left((output, _)) => output,
            Either::Right((never, _)) => match never {},
        }
    }

    /// Lets time pass whenever all that is left to do is to wait.
    async fn skip(&self) -> std::convert::Infallible {
        let end = self.kit.clock.time() + chrono::TimeDelta::days(365);
        loop {
            self.settle().await;
            let wait = self.kit.clock.next_wake(Duration::from_secs(365 * 86_400));
            self.kit
                .clock
                .step(wait.unwrap_or(Duration::from_millis(1)));
            assert!(
                self.kit.clock.time() < end,
                "the future is not ready after a year"
            );
        }
    }

    /// Waits until the fake is as a test wants it: until this function returns a value.
    ///
    /// It is asked again whenever a request has come or has been answered, and when the clock was moved. No time passes but by the test.
    pub async fn until<T>(&self, mut condition: impl FnMut(&Self) -> Option<T>) -> T {
        let mut changes = self.kit.changes();
        loop {
            if let Some(value) = condition(self) {
                return value;
            }
            // The kit is there as long as this.
            let _ = changes.changed().await;
        }
    }

    /// Lets the program work until it waits.
    async fn settle(&self) {
        drop(self.kit.world());
        self.kit.note_change();
        let mut quiet = Duration::ZERO;
        let mut waited = Duration::ZERO;
        let pause = Duration::from_millis(1);
        while quiet < QUIET && waited < MAX_SETTLE {
            tokio::time::sleep(pause).await;
            waited += pause;
            let busy = !self.kit.is_quiet() || self.kit.clock.has_due() || threads::are_at_work();
            quiet = if busy { Duration::ZERO } else { quiet + pause };
        }
    }

    /// The requests that neither a rule nor the fake could answer, in words.
    pub fn unanswered(&self) -> Vec<String> {
        self.kit.unanswered()
    }

    /// Lets the test pass although requests were not answered.
    pub fn tolerate_unanswered(&mut self) {
        self.tolerant = true;
    }

    pub(super) fn kit(&self) -> &Kit {
        &self.kit
    }
}

impl std::fmt::Debug for TestServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestServer")
            .field("api_url", &self.api_url())
            .finish_non_exhaustive()
    }
}

/// # Panics
///
/// If a request could not be answered, so that a test does not pass by an error that it ignores.
impl Drop for TestServer {
    fn drop(&mut self) {
        let unanswered = self.kit.take_unanswered();
        if !unanswered.is_empty() && !self.tolerant && !std::thread::panicking() {
            panic!(
                "the test server could not answer:\n{}",
                unanswered.join("\n")
            );
        }
    }
}
