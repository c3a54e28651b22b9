//! The queue of an emitter: overflow, flushing, closing.

use prefect_sdk::testing::{TestServer, op};

use super::*;

#[tokio::test]
async fn a_full_queue_drops_what_is_new_counts_it_and_blocks_nobody() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
    let _guard = subscribe(subscriber);
    let warnings = || log.text().matches("events are dropped").count();

    let server = Scripted::start([Step::Hang]).await;
    let emitter = server.client().events().emitter().capacity(5).start();
    let emitter = emitter.expect("an emitter");
    // One that waited for room would wait for ever.
    for event in events(8) {
        emitter.emit(event).expect("no error");
    }
    let stats = emitter.stats();
    assert_eq!((stats.queued, stats.dropped, stats.confirmed), (5, 3, 0));
    assert_eq!(warnings(), 1, "{}", log.text());

    // The warning is logged once, and again when dropping begins anew.
    let server = Scripted::start([taken()]).await;
    let emitter = in_real_time(&server).events().emitter().capacity(2);
    let emitter = emitter.linger(NEVER).start().expect("an emitter");
    for round in 1..=2 {
        for event in events(4) {
            emitter.emit(event).expect("no error");
        }
        assert_eq!(emitter.stats().dropped, 2 * round);
        assert_eq!(warnings(), 1 + round as usize, "{}", log.text());
        assert_eq!(emitter.flush().await.expect("sent").confirmed, 2);
    }
    assert_eq!(sizes(&server), [2, 2]);
}

#[tokio::test]
async fn a_full_queue_refuses_what_is_new_if_it_is_told_to() {
    let server = Scripted::start([Step::Hang]).await;
    let emitter = server.client().events().emitter().capacity(1);
    let emitter = emitter.overflow(OverflowPolicy::Refuse).start();
    let emitter = emitter.expect("an emitter");
    emitter.emit(event("test")).expect("queued");
    let error = emitter.emit(event("test")).expect_err("it is full");
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
    assert!(error.is_retryable() && !error.may_have_happened());
    let stats = emitter.stats();
    assert_eq!((stats.queued, stats.dropped), (1, 0));
}

#[tokio::test]
async fn send_waits_for_room() {
    let server = Scripted::start([taken()]).await;
    let emitter = server.client().events().emitter().capacity(1).start();
    let emitter = emitter.expect("an emitter");
    for event in events(5) {
        emitter.send(event).await.expect("queued");
    }
    assert_eq!(emitter.close().await.confirmed, 5);
    assert_eq!(sizes(&server), [1; 5]);

    let server = Scripted::start([Step::Hang]).await;
    let emitter = server.client().events().emitter().capacity(1).start();
    let emitter = emitter.expect("an emitter");
    emitter.send(event("test")).await.expect("queued");
    let soon = Duration::from_millis(200);
    let waiting = tokio::time::timeout(soon, emitter.send(event("test"))).await;
    waiting.expect_err("there is no room");
    let stats = emitter.stats();
    assert_eq!((stats.queued, stats.dropped), (1, 0));

    // Once the emitter is closed there will never be room.
    let clone = emitter.clone();
    let waiting = tokio::spawn(async move { clone.send(event("test")).await });
    tokio::time::sleep(soon).await;
    let closing = tokio::time::timeout(soon, emitter.close()).await;
    closing.expect_err("the first is still being sent");
    let error = waiting.await.expect("no panic").expect_err("closed");
    assert!(error.to_string().contains("closed"), "{error}");
}

#[tokio::test]
async fn a_flush_waits_for_what_was_queued_before_and_reports_the_result() {
    let server = Scripted::start([taken()]).await;
    let emitter = patient(&in_real_time(&server));
    let events = events(5);
    for event in events.clone() {
        emitter.emit(event).expect("queued");
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(server.requests().is_empty(), "it waits for more");
    assert_eq!(emitter.stats().queued, 5);
    let delivered = emitter.flush().await.expect("sent");
    assert_eq!((delivered.confirmed, delivered.failed), (5, 0));
    let ids: Vec<_> = events.iter().map(|event| event.id.to_string()).collect();
    assert_eq!(batches(&server), [ids], "in their order");

    let again = emitter.flush().await.expect("nothing to send");
    assert_eq!((again.confirmed, again.failed), (0, 0));
    let stats = emitter.stats();
    assert_eq!((stats.queued, stats.confirmed), (0, 5));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn events_are_sent_together_if_they_come_together() {
    // Events that are emitted within the linger time: the clock stands still until all of them are.
    let kit = TestServer::builder().paused().start();
    let begun = kit.now();
    let emitter = kit.client().events().emitter();
    let emitter = emitter.linger(Duration::from_millis(500)).start();
    let emitter = emitter.expect("an emitter");
    for event in events(3) {
        emitter.emit(event).expect("queued");
    }
    let confirmed = kit.until(|_| (emitter.stats().confirmed == 3).then_some(()));
    kit.skip_waits(confirmed).await;
    let requests = kit.requests().of(op::create_events);
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0].body.len(), 3);
    assert!(kit.now() - begun >= TimeDelta::milliseconds(500));

    // As many events as the batch size allows.
    let server = Scripted::start([taken()]).await;
    let emitter = in_real_time(&server).events().emitter();
    let emitter = emitter.linger(NEVER).batch(2).start().expect("an emitter");
    for event in events(5) {
        emitter.emit(event).expect("queued");
    }
    emitter.flush().await.expect("sent");
    assert_eq!(sizes(&server), [2, 2, 1]);

    // Never more than 200 events, nor more than 4 MB.
    let server = Scripted::start([taken()]).await;
    let emitter = in_real_time(&server).events().emitter();
    let emitter = emitter.linger(NEVER).batch(1000).start();
    let emitter = emitter.expect("an emitter");
    for event in events(201) {
        emitter.emit(event).expect("queued");
    }
    emitter.flush().await.expect("sent");
    for _ in 0..4 {
        emitter.emit(of_size(1_400_000)).expect("queued");
    }
    emitter.flush().await.expect("sent");
    assert_eq!(sizes(&server), [200, 1, 2, 2]);
}

#[tokio::test]
async fn no_more_events_are_sent_a_second_than_the_rate_allows() {
    let server = Scripted::start([taken()]).await;
    let clock = FakeClock::default();
    let client = server.builder().clock(clock.clone()).build();
    let client = client.expect("a client");
    let emitter = client.events().emitter().linger(Duration::ZERO).rate(100);
    let emitter = emitter.start().expect("an emitter");
    for event in events(5000) {
        emitter.emit(event).expect("queued");
    }
    assert_eq!(emitter.close().await.confirmed, 5000);
    // 4000 events are sent at once, and then 100 a second.
    let waited: f64 = clock.waits().iter().sum();
    assert!((waited - 10.0).abs() < 0.01, "{waited}");
}

#[tokio::test]
async fn closing_sends_what_is_queued_and_ends_all_clones() {
    let server = Scripted::start([taken()]).await;
    let emitter = patient(&in_real_time(&server));
    let clone = emitter.clone();
    for event in events(3) {
        clone.emit(event).expect("queued");
    }
    let stats = emitter.close().await;
    assert_eq!((stats.queued, stats.confirmed), (0, 3));
    for refused in [clone.emit(event("test")), clone.send(event("test")).await] {
        let error = refused.expect_err("closed");
        assert!(error.is_invalid_request(), "{error}");
        assert!(error.to_string().contains("closed"), "{error}");
    }
    assert_eq!(clone.close().await, stats);
    assert_eq!(sizes(&server), [3]);
}

#[tokio::test]
async fn what_is_queued_when_the_last_clone_is_dropped_is_still_sent() {
    let server = Scripted::start([taken()]).await;
    let client = in_real_time(&server);
    let emitter = patient(&client);
    drop(client);
    for event in events(3) {
        emitter.clone().emit(event).expect("queued");
    }
    drop(emitter);
    let start = Instant::now();
    while server.requests().is_empty() {
        assert!(start.elapsed() < BUSY_TIMEOUT);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(sizes(&server), [3]);
}

#[tokio::test]
async fn events_are_sent_while_all_threads_of_the_program_are_busy() {
    let client = live().await;
    let emitter = client.events().emitter().start().expect("an emitter");
    emitter.emit(event(&unique("busy"))).expect("queued");
    // This loop keeps the only thread of the test's runtime busy.
    let start = Instant::now();
    while emitter.stats().confirmed == 0 {
        assert!(start.elapsed() < BUSY_TIMEOUT, "{:?}", emitter.stats());
        std::thread::sleep(Duration::from_millis(10));
    }
}
