//! `Services`: the background services of a client, by type, so that a new one needs no edit here.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use crate::error::{Error, Result};
use crate::transport::Transport;

/// A background service that the clones of a client share, such as the manager of their leases.
pub(crate) trait Service: Any + Send + Sync {
    /// Starts the service, which may use other services.
    fn start(services: &Services) -> Result<Self>
    where
        Self: Sized;

    /// Finishes what must not be left behind when the process ends, in this time.
    fn finish(&self, timeout: Duration) -> BoxFuture<'_, ()> {
        let _ = timeout;
        std::future::ready(()).boxed()
    }

    /// What is not finished yet, in words.
    fn unfinished(&self) -> Option<String> {
        None
    }
}

/// The services that have been started.
pub(crate) struct Services {
    transport: Transport,
    started: Mutex<HashMap<TypeId, Arc<dyn Service>>>,
    is_shut_down: AtomicBool,
}

impl Services {
    pub(super) fn new(transport: Transport) -> Self {
        Self {
            transport,
            started: Mutex::default(),
            is_shut_down: AtomicBool::new(false),
        }
    }

    /// The transport of the client, as it was built.
    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Returns the service of this type, and starts it if it is not running.
    pub(crate) fn get<S: Service>(&self) -> Result<Arc<S>> {
        if self.is_shut_down.load(Ordering::SeqCst) {
            return Err(Error::shut_down());
        }
        if let Some(service) = self.started().get(&TypeId::of::<S>()) {
            return Ok(downcast(service));
        }
        // Not under the lock, because a service may get another one. If two tasks start the same service at
        // once, the second instance is dropped, which ends it.
        let started = Arc::new(S::start(self)?);
        let mut services = self.started();
        // Only under the lock it is certain that the service is among those that are finished.
        if self.is_shut_down.load(Ordering::SeqCst) {
            drop(services);
            return Err(Error::shut_down());
        }
        let service = services.entry(TypeId::of::<S>()).or_insert(started);
        Ok(downcast(service))
    }

    /// Finishes all services, and lets none be used any more. Returns what could not be finished in time.
    pub(super) async fn shut_down(&self, timeout: Duration) -> Vec<String> {
        self.is_shut_down.store(true, Ordering::SeqCst);
        let services: Vec<_> = self.started().values().cloned().collect();
        let finished = join_all(services.iter().map(|service| service.finish(timeout)));
        // What was not finished is asked below.
        let _ = tokio::time::timeout(timeout, finished).await;
        services
            .iter()
            .filter_map(|service| service.unfinished())
            .collect()
    }

    fn started(&self) -> MutexGuard<'_, HashMap<TypeId, Arc<dyn Service>>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn downcast<S: Service>(service: &Arc<dyn Service>) -> Arc<S> {
    let service: Arc<dyn Any + Send + Sync> = Arc::<dyn Service>::clone(service);
    let service = service.downcast();
    service.unwrap_or_else(|_| unreachable!("each service is stored under its own type"))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use crate::client::Client;

    use super::*;

    struct Counter;

    impl Service for Counter {
        fn start(_: &Services) -> Result<Self> {
            Ok(Self)
        }
    }

    /// A service that uses another one while it starts.
    struct Dependent(Arc<Counter>);

    impl Service for Dependent {
        fn start(services: &Services) -> Result<Self> {
            services.get().map(Self)
        }
    }

    fn client() -> Client {
        let builder = Client::builder().api_url("http://127.0.0.1:4200/api");
        builder.build().expect("a client")
    }

    #[test]
    fn clones_share_a_service_and_clients_do_not() {
        let (one, other) = (client(), client());
        let service = one.service::<Counter>().expect("started");
        let same = one.clone().service().expect("started");
        assert!(Arc::ptr_eq(&service, &same));
        let another = other.service().expect("started");
        assert!(!Arc::ptr_eq(&service, &another));
    }

    #[test]
    fn threads_that_start_a_service_at_once_get_the_same_one() {
        let (client, barrier) = (client(), Barrier::new(8));
        let services: Vec<Arc<Dependent>> = std::thread::scope(|scope| {
            let start = || {
                barrier.wait();
                client.service().expect("started")
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            let joined = threads
                .into_iter()
                .map(|thread| thread.join().expect("joined"));
            joined.collect()
        });
        assert!(services.iter().all(|it| Arc::ptr_eq(it, &services[0])));
        let counter = client.service::<Counter>().expect("started");
        assert!(Arc::ptr_eq(&services[0].0, &counter));
    }
}
