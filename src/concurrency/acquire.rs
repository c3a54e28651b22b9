//! `Concurrency`: asking for slots.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use uuid::Uuid;

use super::demand::Demand;
use super::lease;
use super::slot::Slot;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::handles::ConcurrencyLimits;
use crate::raw;
use crate::types::{
    BulkIncrementActiveSlotsWithLeaseRequest, ConcurrencyLeaseHolder, ConcurrencyLeaseHolderType,
    SlotMode,
};

use super::Names;

/// The lease if none is asked for: that of the server, and of Prefect's own client.
const LEASE: Duration = Duration::from_secs(300);

/// Slots to be taken: see [`Client::concurrency`]. Taken are those of all limits, or none.
///
/// # How they are held
///
/// Slots are taken under a lease of the server's, which is renewed whenever a third of it is over, by a
/// thread of the client's own with connections of its own. So it also is while all threads of the program are
/// busy, be it with computing in a runtime of one thread. A program that is killed does not
/// renew: its slots are free when the lease has ended, and the server has seen that (it looks every 15 s,
/// `PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS`).
///
/// The first lease is always one of 60 s, the shortest that there is; a longer one is asked for by a renewal, one
/// to two seconds later. The server does not tell who holds slots: if the reply that
/// grants some is lost on the way, nobody can give them back, and they are held until that lease
/// ends. They are then asked for again, as often as the client's
/// [`RetryPolicy`](crate::RetryPolicy) says.
///
/// # How they are waited for
///
/// When there are not enough, the server says when to ask again, and that is waited for and up to a
/// fifth longer (as the policy says; at least 0.1 s, at most 60 s). Of the waiters of one client for the same
/// names, those that were refused ask in turn, as many at a time as have been granted lately, and who
/// comes new asks behind them; each has its own time. Between programs there is no order.
/// When the time is over, nothing is left behind: what is granted to one who has ceased to wait, or whose
/// future was dropped, is given back, as far as the runtime goes on; else its lease ends.
///
/// # Errors
///
/// [`acquire`](Self::acquire), [`try_acquire`](Self::try_acquire) and [`run`](Self::run) fail with
/// * [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, for an empty name, no
///   slots, or a lease that is not of 60 s to one day;
/// * [`NotFound`](crate::ErrorKind::NotFound) when a limit does not exist, unless
///   [`lenient`](Self::lenient); this is known when the others have been granted, which are given back;
/// * [`Validation`](crate::ErrorKind::Validation) when a limit is lower than what is asked for, as 0: waiting
///   is in vain ([`Error::is_permanently_locked`]);
/// * [`Timeout`](crate::ErrorKind::Timeout) when the time is over;
/// * [`Unsupported`](crate::ErrorKind::Unsupported) by servers without leases, before Prefect 3.4.11;
/// * those of any call.
#[derive(Clone)]
#[must_use = "nothing is taken unless it is acquired"]
pub struct Concurrency {
    client: Client,
    demand: Demand,
    lease: Duration,
    holder: Option<ConcurrencyLeaseHolder>,
}

impl Concurrency {
    pub(super) fn new(client: Client, names: Vec<String>) -> Self {
        Self {
            client,
            demand: Demand::new(names),
            lease: LEASE,
            holder: None,
        }
    }

    /// How many slots of each limit. Default: 1.
    pub fn slots(mut self, slots: u32) -> Self {
        self.demand.slots = slots;
        self
    }

    /// How long the slots are held if they are neither given back nor renewed; 60 s to one day, default
    /// 300 s. The server may be out of reach for half of it, if it is so just before a renewal, up to nine
    /// tenths, if just after, before the lease is [`lost`](Slot::lost).
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long to wait, requests and all. Default: for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.demand.timeout = Some(timeout);
        self
    }

    /// Limits that do not exist limit nothing: slots are taken of the others. Default: they are an error.
    pub fn lenient(mut self) -> Self {
        self.demand.lenient = true;
        self
    }

    /// For whom the slots are held. The server shows those that task runs hold of limits on tags.
    pub fn holder(mut self, type_: ConcurrencyLeaseHolderType, id: Uuid) -> Self {
        self.holder = Some(ConcurrencyLeaseHolder::new(type_, id));
        self
    }

    /// Takes the slots, waiting for them: `POST /v2/concurrency_limits/increment-with-lease`. Without
    /// names nothing is sent, and nothing held.
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
    pub async fn acquire(&self) -> Result<Slot> {
        let Some(body) = self.request()? else {
            return Ok(Slot::of_nothing());
        };
        let slot = self
            .demand
            .acquire(&self.client, || self.grant(&body))
            .await?;
        self.check(slot)
    }

    /// Takes the slots if they are free, and else is `None`:
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
    pub async fn try_acquire(&self) -> Result<Option<Slot>> {
        let Some(body) = self.request()? else {
            return Ok(Some(Slot::of_nothing()));
        };
        let slot = self.demand.try_acquire(&self.client, || self.grant(&body));
        match slot.await? {
            Some(slot) => self.check(slot).map(Some),
            None => Ok(None),
        }
    }

    /// Runs `body` under the slots: takes them, as [`acquire`](Self::acquire) does, and gives them back in
    /// the end. When the lease is lost, `body` is dropped where it then is, which is an error of the kind
    /// [`Gone`](crate::ErrorKind::Gone).
    ///
    /// A slot that cannot be given back in the end, or a lease that was lost just then, is a warning in
    /// the log, so that what comes out of `body` is not lost.
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
        if let Err(error) = slot.release().await {
            tracing::warn!(%error, "slots could not be given back");
        }
        Ok(output)
    }

    /// What is sent, if anything is.
    fn request(&self) -> Result<Option<Arc<BulkIncrementActiveSlotsWithLeaseRequest>>> {
        self.demand.check()?;
        if !(lease::SHORTEST..=lease::LONGEST).contains(&self.lease) {
            let what = format!("a lease of {:?} is not one of 60 s to one day", self.lease);
            return Err(Error::invalid_request(what));
        }
        if self.demand.names.is_empty() {
            return Ok(None);
        }
        let slots = i64::from(self.demand.slots);
        let body = BulkIncrementActiveSlotsWithLeaseRequest::new(slots, &self.demand.names)
            .mode(SlotMode::Concurrency)
            .lease_duration(lease::SHORTEST.as_secs_f64());
        Ok(Some(Arc::new(match &self.holder {
            Some(holder) => body.holder(holder.clone()),
            None => body,
        })))
    }

    /// Asks once. What comes of it has its own hold on the slots, so that it may be dropped.
    fn grant(
        &self,
        body: &Arc<BulkIncrementActiveSlotsWithLeaseRequest>,
    ) -> impl Future<Output = Result<Slot>> + Send + 'static {
        let (client, body, lease) = (self.client.clone(), Arc::clone(body), self.lease);
        async move {
            let keeper = client.keeper()?;
            // The time of the lease begins with the request, so there must be but one.
            let transport = client.raw().transport();
            let once = transport.retry().clone().attempts(1);
            let once = raw::Client::with_transport(transport.with_retry(once));
            let asked_at = transport.clock().now();
            let granted = once.bulk_increment_active_slots_with_lease(&body);
            let granted = granted.await?.into_inner();
            let raw = client.shared_raw();
            let slot = Slot::new(granted, raw, keeper, asked_at, lease);
            if slot.is_lost() {
                let what = "the reply that granted the slots took as long as their lease";
                return Err(Error::new(ErrorKind::Timeout, what).judged(true, true));
            }
            Ok(slot)
        }
    }

    /// Gives slots back that were taken without all limits being there.
    fn check(&self, slot: Slot) -> Result<Slot> {
        match self.demand.check_granted(slot.limits()) {
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
            .field("demand", &self.demand)
            .field("lease", &self.lease)
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

impl ConcurrencyLimits<'_> {
    /// A slot of the limit on each of these tags, held for a task run: what lets it run beside those that
    /// Prefect's own workers run. Tags without a limit need none.
    ///
    /// The slots are taken of the global limits `tag:…` that servers from Prefect 3.4.19 on keep, under a lease
    /// which frees them if this program ends; the server lists the task run among those that hold
    /// the tag. Of an older server, take them by [`increment`](Self::increment). A limit of 0 is
    /// an error at once, not one to wait for ([`Error::is_permanently_locked`]).
    ///
    /// This is for task runs whose states are not proposed to the server: it takes slots of its own for one that
    /// is to be RUNNING (`set_state`), and gives all back that are held for one that has ended.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, task_run: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let slot = client.concurrency_limits().for_task_run(task_run, ["database"]).acquire().await?;
    /// println!("the task run may go on");
    /// slot.release().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn for_task_run(self, task_run_id: Uuid, tags: impl Names) -> Concurrency {
        let tags = tags.into_names().into_iter();
        let names = tags.map(|tag| format!("tag:{tag}")).collect();
        Concurrency::new(self.client.clone(), names)
            .lenient()
            .holder(ConcurrencyLeaseHolderType::TaskRun, task_run_id)
    }
}
