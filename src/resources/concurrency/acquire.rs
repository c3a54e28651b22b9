//! `Concurrency`: requesting slots.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use uuid::Uuid;

use super::generated::ConcurrencyLimits;
use super::lease;
use super::lease_manager::LeaseManager;
use super::slot_guard::SlotGuard;
use super::slot_request::SlotRequest;
use super::waiter::Ask;
use crate::client::{Background, Client};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{
    BulkIncrementActiveSlotsWithLeaseRequest, ConcurrencyLeaseHolder, ConcurrencyLeaseHolderType,
    SlotMode,
};

use super::limit_names::IntoLimitNames;

/// How long the output of [`Concurrency::run`] is kept back until the slots are given back.
const RELEASE_WAIT: Duration = Duration::from_secs(2);

/// The default duration of a lease, as in the server and in Prefect's own client.
const DEFAULT_LEASE: Duration = Duration::from_secs(300);

/// Slots to be taken, of all limits or of none: see [`Client::concurrency`].
///
/// # How they are held
///
/// Slots are held under a lease of the server. The client renews it whenever a third of it is over, on a
/// thread of its own with its own connections, so this works even while all threads of the program are busy,
/// for example when a computation blocks a single-threaded runtime. When a program is killed, its slots
/// become free once the lease has ended and the server has noticed it (it checks every 15 s,
/// `PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS`).
///
/// The first lease always lasts 60 s, the shortest possible; a longer one is requested by a renewal one to
/// two seconds later. The server does not report who holds slots: if the reply that grants them is lost,
/// nobody can give them back, and they are held until that lease ends. The request is repeated after a
/// lost reply, as often as the client's [`RetryPolicy`](crate::RetryPolicy) allows.
///
/// # How they are waited for
///
/// The waiters of one client that want slots of the same limits are served in the order in which they came. Up to
/// 64 of them ask at once, but when one is refused only the first: when slots of these limits are given back by
/// this client, and otherwise when the server has said to ask again, up to a fifth later (as the retry policy
/// says; at least 0.1 s, at most 60 s). Each waiter has its own timeout. There is no order between programs.
///
/// All requests are sent by the client's own thread, so nothing is left behind after a timeout, or when a
/// future is dropped: slots that are granted to a waiter that has stopped waiting are given back.
/// [`Client::shutdown`](crate::Client::shutdown) waits for that at the end of a program.
///
/// # Errors
///
/// [`acquire`](Self::acquire), [`try_acquire`](Self::try_acquire) and [`run`](Self::run) fail with
/// * [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, for an empty name, no
///   slots, or a lease that is not between 60 s and one day;
/// * [`NotFound`](crate::ErrorKind::NotFound) when a limit does not exist, unless [`lenient`](Self::lenient);
///   this is only known once slots of the others are granted, which are given back;
/// * [`Validation`](crate::ErrorKind::Validation) when a limit is lower than the number of slots, for example
///   0: waiting cannot help ([`Error::is_permanently_locked`]);
/// * [`Timeout`](crate::ErrorKind::Timeout) when the [`timeout`](Self::timeout) is over;
/// * [`Unsupported`](crate::ErrorKind::Unsupported) from servers without leases, before Prefect 3.4.11;
/// * any [call error](crate::Error#call-errors).
#[derive(Clone)]
#[must_use = "no slots are taken until they are acquired"]
pub struct Concurrency {
    client: Client,
    request: SlotRequest,
    lease: Duration,
    holder: Option<ConcurrencyLeaseHolder>,
}

impl Concurrency {
    pub(super) fn new(client: Client, names: Vec<String>) -> Self {
        Self {
            client,
            request: SlotRequest::new(names),
            lease: DEFAULT_LEASE,
            holder: None,
        }
    }

    /// The number of slots to take of each limit. Default: 1.
    pub fn slots(mut self, slots: u32) -> Self {
        self.request.slots = slots;
        self
    }

    /// How long the slots are held if they are neither given back nor renewed: 60 s to one day, default
    /// 300 s. The lease is [`lost`](SlotGuard::lost) when the server cannot be reached for half of this
    /// time (from just before a renewal) to nine tenths of it (from just after one).
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long to wait, including the requests. Default: forever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request.timeout = Some(timeout);
        self
    }

    /// Ignores limits that do not exist: slots are taken of the others. Default: they are an error.
    pub fn lenient(mut self) -> Self {
        self.request.lenient = true;
        self
    }

    /// For whom the slots are held. The server lists the task runs that hold slots of limits on tags.
    pub fn holder(mut self, type_: ConcurrencyLeaseHolderType, id: Uuid) -> Self {
        self.holder = Some(ConcurrencyLeaseHolder::new(type_, id));
        self
    }

    /// Waits for the slots and takes them: `POST /v2/concurrency_limits/increment-with-lease`. Without
    /// names nothing is sent, and nothing is held.
    ///
    /// # Errors
    ///
    /// See [above](Concurrency#errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let slot = client.concurrency("database").acquire().await?;
    /// println!("{slot:?} is held until it is dropped");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn acquire(&self) -> Result<SlotGuard> {
        let Some(body) = self.request()? else {
            return Ok(SlotGuard::empty());
        };
        let slot = self.request.acquire(&self.client, self.ask(body)?).await?;
        self.check(slot)
    }

    /// Takes the slots if they are free, and otherwise returns `None`:
    /// `POST /v2/concurrency_limits/increment-with-lease`.
    ///
    /// # Errors
    ///
    /// See [above](Concurrency#errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// match client.concurrency("database").try_acquire().await? {
    ///     Some(slot) => slot.release().await?,
    ///     None => println!("it is busy"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn try_acquire(&self) -> Result<Option<SlotGuard>> {
        let Some(body) = self.request()? else {
            return Ok(Some(SlotGuard::empty()));
        };
        let slot = self.request.try_acquire(&self.client, self.ask(body)?);
        match slot.await? {
            Some(slot) => self.check(slot).map(Some),
            None => Ok(None),
        }
    }

    /// Runs `body` while holding the slots: takes them, as [`acquire`](Self::acquire) does, and gives them
    /// back at the end. When the lease is lost, `body` is dropped before it ends, and the error is of the
    /// kind [`Gone`](crate::ErrorKind::Gone).
    ///
    /// If the slots cannot be given back at the end, or the lease is lost just then, this only logs a
    /// warning, so that the output of `body` is not lost; after 2 s the output is returned, and the slots
    /// are given back in the background.
    ///
    /// # Errors
    ///
    /// See [above](Concurrency#errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let rows = client.concurrency("database").run(async { 42 }).await?;
    /// println!("{rows} rows");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run<T>(&self, body: impl Future<Output = T>) -> Result<T> {
        let slot = self.acquire().await?;
        let output = match select(pin!(body), pin!(slot.lost())).await {
            Either::Left((output, _)) => output,
            Either::Right((lost, _)) => return Err(lost),
        };
        // After that time it goes on in the background.
        let released = tokio::time::timeout(RELEASE_WAIT, slot.release()).await;
        if let Ok(Err(error)) = released {
            tracing::warn!(%error, "slots could not be given back");
        }
        Ok(output)
    }

    /// The body of the request; `None` without names, when nothing is sent.
    fn request(&self) -> Result<Option<Arc<BulkIncrementActiveSlotsWithLeaseRequest>>> {
        self.request.check()?;
        if !(lease::MIN_LEASE..=lease::MAX_LEASE).contains(&self.lease) {
            let what = format!(
                "a lease of {:?} is not between 60 s and one day",
                self.lease
            );
            return Err(Error::invalid_request(what));
        }
        if self.request.names.is_empty() {
            return Ok(None);
        }
        let slots = i64::from(self.request.slots);
        let body = BulkIncrementActiveSlotsWithLeaseRequest::new(slots, &self.request.names)
            .mode(SlotMode::Concurrency)
            .lease_duration(lease::MIN_LEASE.as_secs_f64());
        Ok(Some(Arc::new(match &self.holder {
            Some(holder) => body.holder(holder.clone()),
            None => body,
        })))
    }

    /// Sends one request. Its result gives the slots back when it is dropped.
    fn ask(
        &self,
        body: Arc<BulkIncrementActiveSlotsWithLeaseRequest>,
    ) -> Result<impl Ask<SlotGuard>> {
        let leases = self.client.service::<LeaseManager>()?;
        let background = self.client.service::<Background>()?;
        let channel = self.client.channel();
        let raw = Arc::new(background.raw_for(channel));
        // The lease is counted from the request on, so there must be only one attempt.
        let once = Arc::new(background.raw_once(channel));
        // From now on, not only from when the job begins.
        let (lease, unsettled) = (self.lease, leases.unsettled());
        Ok(move || {
            let (leases, raw) = (Arc::clone(&leases), Arc::clone(&raw));
            let (once, body) = (Arc::clone(&once), Arc::clone(&body));
            let unsettled = unsettled.clone();
            async move {
                let requested_at = once.channel().clock().now();
                let granted = once.bulk_increment_active_slots_with_lease(&body);
                let granted = granted.await?.into_inner();
                let slot = SlotGuard::new(granted, raw, leases, requested_at, lease, unsettled);
                if slot.is_lost() {
                    let what = "the reply that granted the slots took as long as their lease";
                    return Err(Error::new(ErrorKind::Timeout, what).with_outcome(true, true));
                }
                Ok(slot)
            }
            .boxed()
        })
    }

    /// Gives the slots back if a required limit does not exist.
    fn check(&self, slot: SlotGuard) -> Result<SlotGuard> {
        match self.request.check_granted(slot.limits()) {
            Ok(()) => Ok(slot),
            Err(missing) => {
                drop(slot);
                Err(missing)
            }
        }
    }
}

impl fmt::Debug for Concurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Concurrency")
            .field("request", &self.request)
            .field("lease", &self.lease)
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

impl ConcurrencyLimits<'_> {
    /// A slot of the limit on each of these tags, held for a task run, so that it shares the limits with the
    /// task runs of Prefect's own workers. Tags without a limit need no slot.
    ///
    /// The slots are taken of the global limits `tag:…`, which servers have since Prefect 3.4.19, under a
    /// lease that frees them if this program ends; the server lists the task run among the holders of the
    /// tag. With an older server, use [`increment`](Self::increment). A limit of 0 is an error at once,
    /// because waiting cannot help ([`Error::is_permanently_locked`]).
    ///
    /// Use this for task runs whose states are not proposed to the server: the server itself takes slots for
    /// a task run that is to become RUNNING (`set_state`), and gives back all that are held for one that has
    /// ended.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, task_run: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let slot = client.concurrency_limits().for_task_run(task_run, ["database"]).acquire().await?;
    /// println!("the task run may go on");
    /// slot.release().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn for_task_run(self, task_run_id: Uuid, tags: impl IntoLimitNames) -> Concurrency {
        let tags = tags.into_limit_names().into_iter();
        let names = tags.map(|tag| format!("tag:{tag}")).collect();
        Concurrency::new(self.client.clone(), names)
            .lenient()
            .holder(ConcurrencyLeaseHolderType::TaskRun, task_run_id)
    }
}
