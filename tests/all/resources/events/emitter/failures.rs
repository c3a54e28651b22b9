//! Events that cannot be sent, lost replies, and faulty connections.

use super::*;
use crate::support::http::Message;
use crate::support::{Fault, FaultProxy};

#[tokio::test]
async fn what_cannot_be_sent_is_counted_and_given_back() {
    let server = Scripted::start([refusal(503)]).await;
    let client = in_real_time(&server);
    // The emitter follows the retry policy of the client that it is made from.
    for (client, attempts) in [(client.with_retry(RetryPolicy::none()), 1), (client, 1 + 6)] {
        let failure_log = FailureLog::default();
        // There is no room for others while these are kept.
        let emitter = client.events().emitter().linger(NEVER).capacity(2);
        let emitter = emitter.on_failure(failure_log.note()).start();
        let emitter = emitter.expect("an emitter");
        let events = events(2);
        for event in events.clone() {
            emitter.emit(event).expect("queued");
        }
        let delivered = emitter.flush().await.expect("given up");
        assert_eq!((delivered.confirmed, delivered.failed), (0, 2));
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        assert_eq!(failure_log.all(), [(ids, Some(503))]);
        assert_eq!(server.requests().len(), attempts);
        let stats = emitter.close().await;
        assert_eq!((stats.queued, stats.failed), (0, 2));
    }
}

/// However long the server is away, and however often it is asked meanwhile.
#[tokio::test]
async fn an_outage_loses_nothing_that_the_queue_has_room_for() {
    for outage in [refusal(503), refusal(502), refusal(429), Step::Drop] {
        let steps = std::iter::repeat_n(outage, 100).chain([taken()]);
        let server = Scripted::start(steps).await;
        let emitter = patient(&server.client());
        for event in events(300) {
            emitter.emit(event).expect("queued");
        }
        let delivered = emitter.flush().await.expect("sent");
        assert_eq!((delivered.confirmed, delivered.failed), (300, 0));
    }
}

#[tokio::test]
async fn what_a_server_asks_for_is_waited_for() {
    let later = refusal(429).header("retry-after", "30");
    let server = Scripted::start([later.clone(), later, taken()]).await;
    let clock = FakeClock::default();
    let client = server.builder().clock(clock.clone()).build();
    let emitter = client.expect("a client").events().emitter().start();
    let emitter = emitter.expect("an emitter");
    emitter.emit(event("test")).expect("queued");
    assert_eq!(emitter.flush().await.expect("sent").confirmed, 1);
    let waited: f64 = clock.waits().iter().sum();
    assert!((60.0..73.0).contains(&waited), "{waited}");
}

/// A 500 may be due to an event, or to the server. In a short outage nothing is lost, and few requests are sent.
#[tokio::test]
async fn a_short_time_of_errors_500_loses_nothing() {
    // The batch, and each of its events.
    let each = 1 + 200;
    for errors in [1, 100, each, each + 2] {
        let steps = std::iter::repeat_n(refusal(500), errors).chain([taken()]);
        let server = Scripted::start(steps).await;
        let emitter = patient(&in_real_time(&server));
        for event in events(200) {
            emitter.emit(event).expect("queued");
        }
        let delivered = emitter.flush().await.expect("sent");
        assert_eq!(
            (delivered.confirmed, delivered.failed),
            (200, 0),
            "{errors}"
        );
    }
}

/// Before, each of 50 batches had all of its attempts: an hour.
#[tokio::test]
async fn closing_takes_no_longer_than_it_is_given() {
    for absent in [Step::Hang, refusal(503)] {
        let server = Scripted::start([absent]).await;
        let failure_log = FailureLog::default();
        let emitter = in_real_time(&server).events().emitter().capacity(MANY);
        let emitter = emitter.on_failure(failure_log.note()).start();
        let emitter = emitter.expect("an emitter");
        for event in events(MANY) {
            emitter.emit(event).expect("queued");
        }
        let closing = emitter.close_within(Duration::from_millis(300));
        let stats = tokio::time::timeout(BUSY_TIMEOUT, closing).await;
        let stats = stats.expect("in time");
        assert_eq!((stats.queued, stats.failed), (0, MANY as u64));
        let failed = failure_log
            .all()
            .iter()
            .map(|(ids, _)| ids.len())
            .sum::<usize>();
        assert_eq!(failed, MANY, "all are given back");
    }
}

#[tokio::test]
async fn a_client_that_is_shut_down_sends_what_is_queued_or_says_what_is_left() {
    let server = Scripted::start([taken()]).await;
    let client = in_real_time(&server);
    let emitter = patient(&client);
    emitter.emit(event("test")).expect("queued");
    client.shutdown(BUSY_TIMEOUT).await.expect("sent");
    assert_eq!(sizes(&server), [1]);
    emitter.emit(event("test")).expect_err("closed");

    let server = Scripted::start([Step::Hang]).await;
    let client = in_real_time(&server);
    let emitter = patient(&client);
    for event in events(7) {
        emitter.emit(event).expect("queued");
    }
    let error = client.shutdown(Duration::from_millis(300)).await;
    let error = error.expect_err("not sent");
    assert!(
        error.to_string().contains("7 events are not sent"),
        "{error}"
    );
}

#[tokio::test]
async fn a_panic_in_on_failure_does_not_stop_the_emitter() {
    let server = Scripted::start([refusal(401), taken()]).await;
    let client = server.client();
    let emitter = client.events().emitter();
    let emitter = emitter.on_failure(|_, error| panic!("on purpose: {error}"));
    let emitter = emitter.start().expect("an emitter");
    emitter.emit(event("test")).expect("queued");
    assert_eq!(emitter.flush().await.expect("given up").failed, 1);
    emitter.emit(event("test")).expect("queued");
    assert_eq!(emitter.flush().await.expect("sent").confirmed, 1);
}

#[tokio::test]
async fn nobody_waits_for_ever_when_an_observer_panics() {
    let server = Scripted::start([taken()]).await;
    let builder = server.builder().observer(|_| panic!("on purpose"));
    let client = builder.build().expect("a client");
    let emitter = client.events().emitter().capacity(1).start();
    let emitter = emitter.expect("an emitter");
    emitter.emit(event("test")).expect("queued");
    emitter.flush().await.expect_err("the sender is gone");
    assert!(emitter.send(event("test")).await.is_err());
    let stats = emitter.close().await;
    assert_eq!((stats.queued, stats.failed), (0, 1));
}

/// The server refuses a batch as a whole (422), or stops in the middle of it (500).
#[tokio::test]
async fn one_bad_event_does_not_make_the_others_of_its_batch_fail() {
    let client = live().await;
    let name = unique("batch");
    let good = || event(&name);
    let poison = good();
    let poisoned = poison.id.to_string();
    let proxy =
        FaultProxy::start(
            client.api_url(),
            move |request: &Message| match String::from_utf8_lossy(&request.body)
                .contains(&poisoned)
            {
                true => Fault::Answer(refusal(500)),
                false => Fault::None,
            },
        );
    let sender = proxy.await.builder().build().expect("a client");
    let failure_log = FailureLog::default();
    let emitter = sender.events().emitter().linger(NEVER);
    let emitter = emitter.on_failure(failure_log.note()).start();
    let emitter = emitter.expect("an emitter");
    // Of two members with the same name, the server reads the second.
    let mut refused = event(&name);
    refused.extra.insert("id".to_owned(), Json::from("none"));
    let (one, two, three, four) = (good(), good(), good(), good());

    for event in [&one, &refused, &poison, &two] {
        emitter.emit(event.clone()).expect("queued");
    }
    let delivered = emitter.flush().await.expect("sent");
    assert_eq!((delivered.confirmed, delivered.failed), (2, 2));
    let failures = [(vec![refused.id], Some(422)), (vec![poison.id], Some(500))];
    assert_eq!(failure_log.all(), failures);

    for event in [&three, &poison, &four] {
        emitter.emit(event.clone()).expect("queued");
    }
    let delivered = emitter.flush().await.expect("sent");
    assert_eq!((delivered.confirmed, delivered.failed), (2, 1));

    let ids = [one.id, two.id, three.id, four.id];
    let found = stored(&client, &ids).await;
    let found: BTreeSet<_> = found.iter().map(|event| event.id).collect();
    assert_eq!(found, BTreeSet::from(ids));
}

#[tokio::test]
async fn events_sent_one_by_one_fail_together_on_an_error_that_concerns_all() {
    let bad = reply(422, json!({"detail": "bad"}));
    let unauthorized = reply(401, json!({"detail": "no"}));
    let server = Scripted::start([bad, taken(), unauthorized]).await;
    let failure_log = FailureLog::default();
    let emitter = in_real_time(&server).events().emitter().linger(NEVER);
    let emitter = emitter.on_failure(failure_log.note()).start();
    let emitter = emitter.expect("an emitter");
    let events = events(4);
    for event in events.clone() {
        emitter.emit(event).expect("queued");
    }
    let delivered = emitter.flush().await.expect("given up");
    assert_eq!((delivered.confirmed, delivered.failed), (1, 3));
    let rest: Vec<_> = events[1..].iter().map(|event| event.id).collect();
    assert_eq!(failure_log.all(), [(rest, Some(401))]);
    assert_eq!(sizes(&server), [4, 1, 1]);
}

#[tokio::test]
async fn a_lost_reply_doubles_nothing() {
    let client = live().await;
    let proxy = FaultProxy::losing_one_reply(client.api_url(), "POST", "/events").await;
    let through = proxy.builder().build().expect("a client");
    let emitter = patient(&through);
    let events = events(3);
    for event in events.clone() {
        emitter.emit(event).expect("queued");
    }
    let stats = emitter.close().await;
    assert_eq!((stats.confirmed, stats.failed), (3, 0));
    assert!(proxy.delivered().len() >= 2, "it was sent again");
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    stored(&client, &ids).await;
    // The server stores what it has received within 5 s.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(stored(&client, &ids).await.len(), 3);
}

const MANY: usize = 10_000;

#[tokio::test]
async fn ten_thousand_events_are_stored_once_each_though_every_fifth_request_is_spoilt() {
    // A server of its own: a server has room for 10,000 events of all senders together.
    let server = LocalServer::start().await.expect("a server");
    let direct = server.client().expect("a client");
    let spoilt = Arc::new(AtomicUsize::new(0));
    let proxy = FaultProxy::start(direct.api_url(), spoiling(66, Arc::clone(&spoilt))).await;
    let client = proxy.builder().build().expect("a client");
    let failure_log = FailureLog::default();
    // Small batches, so that there are more requests to spoil, and as fast as the server stores them.
    let emitter = client.events().emitter().batch(50).rate(500);
    let emitter = emitter.on_failure(failure_log.note()).start();
    let emitter = emitter.expect("an emitter");

    let name = unique("many");
    let start = Utc::now() - TimeDelta::seconds(MANY as i64);
    let mut emitted = BTreeSet::new();
    for number in 0..MANY {
        let mut event = event(&name);
        // Each event has a time of its own: events of the same time have no fixed order across pages.
        event.occurred = start + TimeDelta::milliseconds(number as i64);
        emitted.insert(event.id);
        emitter.emit(event).expect("queued");
    }
    emitter.flush().await.expect("sent");
    let stats = emitter.close().await;
    let spoilt = spoilt.load(Ordering::Relaxed);
    println!("{spoilt} requests spoilt; {stats:?}");
    assert!(spoilt > 20, "{spoilt}");
    assert_eq!((stats.queued, stats.dropped), (0, 0));
    assert_eq!(stats.confirmed + stats.failed, MANY as u64);
    assert!(stats.confirmed >= 9_900, "{stats:?}");
    let failed: BTreeSet<_> = failure_log
        .all()
        .into_iter()
        .flat_map(|(ids, _)| ids)
        .collect();
    assert_eq!(stats.failed, failed.len() as u64);

    let (rows, listed) = loop {
        let rows = until_stored(&direct, &name, stats.confirmed as i64).await;
        let listed = direct.events().list().name(name.as_str()).await;
        // Events that have failed may be stored while the others are listed.
        if count_of(&direct, &name).await == rows {
            break (rows, listed.expect("listed"));
        }
    };
    let listed: Vec<_> = listed.iter().map(|it| it.id).collect();
    let found: BTreeSet<_> = listed.iter().copied().collect();
    assert_eq!(
        (listed.len(), rows),
        (found.len(), found.len() as i64),
        "each once"
    );
    assert!(found.is_subset(&emitted), "and nothing else");
    // An event that failed may have been stored all the same.
    let lost: Vec<_> = emitted.difference(&found).collect();
    assert!(lost.iter().all(|id| failed.contains(id)), "{lost:?}");
    server.stop().await.expect("it stops");
}

/// Waits until the server has stored at least this many events of a name and no more come. Returns how many.
async fn until_stored(client: &Client, name: &str, least: i64) -> i64 {
    in_time("what is stored", async {
        let mut before = -1;
        loop {
            let rows = count_of(client, name).await;
            if rows >= least && rows == before {
                return rows;
            }
            before = rows;
            // The server stores what it has received within 5 s.
            tokio::time::sleep(Duration::from_secs(6)).await;
        }
    })
    .await
}

/// How many events of a name the server has stored.
async fn count_of(client: &Client, name: &str) -> i64 {
    let named = EventNameFilter::new().name([name]);
    let request = ReadEventsRequest::new().filter(EventFilter::new().event(named));
    let page = client.raw().read_events(&request.limit(1)).await;
    page.expect("read").into_inner().total
}
