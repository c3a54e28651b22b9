//! Objects that must exist: they are created or updated, whichever is needed.

use prefect_sdk::ErrorKind;
use prefect_sdk::types::*;
use serde::Deserialize;
use serde_json::json;

use crate::support::{Log, Scripted, live, reply, subscribe, unique};

#[derive(Debug, Deserialize)]
struct Secret {
    value: String,
}

#[tokio::test]
async fn a_variable_is_set_whether_it_is_there_or_not_and_read_as_any_type() {
    let client = live().await;
    let variables = client.variables();
    let name = unique("rows");
    assert_eq!(variables.value::<u32>(&name).await.expect("none"), None);
    for value in [1, 2] {
        variables.set(&name, value).await.expect("set");
        assert_eq!(variables.value(&name).await.expect("read"), Some(value));
    }
    variables
        .update_by_name(&name, &VariableUpdate::new().tags(["kept"]))
        .await
        .expect("tagged");
    let any = json!({ "a": [1, null, "x"], "b": 1.5 });
    variables.set(&name, any.clone()).await.expect("set");
    assert_eq!(variables.value(&name).await.expect("read"), Some(any));
    let tags = variables.get_by_name(&name).await.expect("there").tags;
    assert_eq!(tags, Some(vec!["kept".to_owned()]));
    let error = variables.value::<u32>(&name).await.expect_err("no number");
    assert_eq!(error.kind(), ErrorKind::Decode);
    let error = variables
        .delete_by_name("not-there")
        .await
        .expect_err("none");
    assert!(error.is_not_found());
    assert!(
        variables
            .set("Not a name", 1)
            .await
            .expect_err("refused")
            .is_validation()
    );
}

/// Somebody else creates the variable between the two requests.
#[tokio::test]
async fn what_was_created_in_the_meantime_is_updated_after_all() {
    let gone = || reply(404, json!({ "detail": "Variable not found." }));
    let taken = reply(
        409,
        json!({ "detail": "A variable with this name already exists." }),
    );
    let server = Scripted::start([gone(), taken, reply(204, json!(null))]).await;
    server
        .client()
        .variables()
        .set("rows", 1)
        .await
        .expect("set");
    let requests = server.requests();
    let methods: Vec<_> = requests.iter().map(|request| request.method()).collect();
    assert_eq!(methods, ["PATCH", "POST", "PATCH"]);
}

#[tokio::test]
async fn a_work_pool_that_is_there_is_updated_but_keeps_its_type() {
    let log = Log::default();
    let client = live().await;
    let name = unique("pool");
    let pools = client.work_pools();
    let made = pools
        .ensure(&WorkPoolCreate::new(name.as_str()).type_("process"))
        .await
        .expect("made");
    let again = WorkPoolCreate::new(name.as_str())
        .type_("docker")
        .concurrency_limit(3);
    let changed = {
        let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
        let _guard = subscribe(subscriber);
        pools.ensure(&again).await.expect("changed")
    };
    assert_eq!((changed.id, changed.type_.as_str()), (made.id, "process"));
    assert_eq!(*changed.concurrency_limit, Some(3));
    assert!(
        log.text()
            .contains("the type of a work pool cannot be changed")
    );
    // The template belongs to the type, and is not changed either.
    let template = json!({ "job_configuration": {}, "variables": {} });
    let other = WorkPoolCreate::new(name.as_str())
        .type_("docker")
        .base_job_template(template);
    let kept = pools.ensure(&other).await.expect("kept");
    assert_eq!(kept.base_job_template, made.base_job_template);
    // A field that is not set is left alone; null counts as set.
    let kept = pools
        .ensure(&WorkPoolCreate::new(name.as_str()))
        .await
        .expect("kept");
    assert_eq!(*kept.concurrency_limit, Some(3));
    let cleared = pools
        .ensure(&WorkPoolCreate::new(name.as_str()).concurrency_limit(None))
        .await;
    assert_eq!(*cleared.expect("cleared").concurrency_limit, None);

    let queues = pools.queues(&name);
    for priority in [3, 4] {
        let queue = WorkQueueCreate::new("urgent").priority(priority);
        assert_eq!(
            queues.ensure(&queue).await.expect("a queue").priority,
            Some(priority)
        );
    }
    let nowhere = client.work_pools().queues("not-there");
    let error = nowhere
        .ensure(&WorkQueueCreate::new("urgent"))
        .await
        .expect_err("no pool");
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn a_global_limit_is_as_it_was_last_said_to_be() {
    let client = live().await;
    let limits = client.global_concurrency_limits();
    let name = unique("limit");
    let made = limits
        .ensure(&ConcurrencyLimitV2Create::new(name.as_str(), 2))
        .await
        .expect("made");
    let held = BulkIncrementActiveSlotsRequest::new(1, [name.as_str()]);
    limits.increment(&held).await.expect("a slot");
    let changed = limits
        .ensure(&ConcurrencyLimitV2Create::new(name.as_str(), 5))
        .await
        .expect("changed");
    assert_eq!(
        (changed.id, changed.limit, changed.active_slots),
        (made.id, 5, 1)
    );
    assert!(
        limits
            .get_opt(&unique("none"))
            .await
            .expect("answers")
            .is_none()
    );
}

#[tokio::test]
async fn queues_are_found_by_the_beginning_of_their_names_over_several_pages() {
    let client = live().await;
    let pool = unique("pool");
    client
        .work_pools()
        .create(&WorkPoolCreate::new(pool.as_str()).type_("process"))
        .await
        .expect("a pool");
    let queues = client.work_pools().queues(&pool);
    for number in 0..25 {
        queues
            .create(&WorkQueueCreate::new(format!("a-{number}")))
            .await
            .expect("a queue");
    }
    queues
        .create(&WorkQueueCreate::new("b"))
        .await
        .expect("a queue");
    let found = queues
        .list()
        .name_prefix("a-")
        .page_size(10)
        .await
        .expect("listed");
    assert_eq!(found.len(), 25);
}

#[tokio::test]
async fn a_block_is_stored_whether_it_is_there_or_not() {
    let client = live().await;
    let types = client.block_types();
    types.install_system_types().await.expect("installed");
    let name = unique("block");
    let mut ids = Vec::new();
    for value in ["one", "two"] {
        let block = types.save("secret", &name, json!({ "value": value })).await;
        ids.push(block.expect("stored").id);
        let stored: Secret = types
            .document_with_secrets("secret", &name)
            .await
            .expect("read");
        assert_eq!(stored.value, value);
    }
    assert_eq!(ids[0], ids[1]);
    let nothing = types.save("no-such-type", &name, json!({})).await;
    assert!(nothing.expect_err("no type").is_not_found());
}
