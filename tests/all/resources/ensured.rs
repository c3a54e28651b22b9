//! `ensure` changes what differs, and nothing else; `plan` says what that is.

use prefect_sdk::Client;
use prefect_sdk::automations::{Automation, actions, event};
use prefect_sdk::ensure::{Ensured, PlannedAction};
use prefect_sdk::types::*;
use serde_json::json;

use crate::support::{Scripted, live, reply, unique};

fn cron(expression: &str) -> DeploymentScheduleCreate {
    DeploymentScheduleCreate::new(CronSchedule::new(expression)).active(false)
}

async fn wanted_deployment(client: &Client) -> DeploymentCreate {
    let flow = client
        .flows()
        .ensure(&FlowCreate::new(unique("flow")))
        .await;
    let hourly = IntervalSchedule::new(3600);
    let hourly = DeploymentScheduleCreate::new(hourly)
        .active(false)
        .slug("hourly");
    DeploymentCreate::new(unique("deployment"), flow.expect("a flow").id)
        .description("first")
        .parameters(json!({"rows": 1.0, "names": ["a"]}))
        .tags(["one", "two"])
        .concurrency_limit(3)
        .schedules([cron("0 6 * * *"), hourly])
}

#[tokio::test]
async fn a_deployment_keeps_the_ids_of_schedules_that_are_as_they_are_wanted() {
    let client = live().await;
    let deployments = client.deployments();
    let wanted = wanted_deployment(&client).await;
    let plan = deployments.plan(&wanted).await.expect("planned");
    assert_eq!(plan.action, PlannedAction::Create);
    let made = deployments.ensure(&wanted).await.expect("made");
    assert!(matches!(made, Ensured::Created(_)));
    let again = deployments.ensure(&wanted).await.expect("the same");
    assert!(!again.is_changed());
    assert_eq!(again.into_inner(), made.clone().into_inner());

    // One schedule with another time, one with another number of runs, and one more.
    let hourly = DeploymentScheduleCreate::new(IntervalSchedule::new(7200)).slug("hourly");
    let wanted =
        wanted
            .description("second")
            .schedules([cron("0 6 * * *"), hourly, cron("0 7 * * *")]);
    let plan = deployments.plan(&wanted).await.expect("planned");
    let fields: Vec<_> = plan.changes.iter().map(|change| &*change.field).collect();
    assert_eq!(fields, ["description", "schedules"]);
    assert!(
        plan.to_string()
            .contains(r#"description: "first" becomes "second""#),
        "{plan}"
    );
    let changed = deployments.ensure(&wanted).await.expect("changed");
    assert!(matches!(changed, Ensured::Updated(_)));
    let ids = |deployment: &DeploymentResponse| {
        let schedules = deployment.schedules.iter().flatten();
        schedules.map(|schedule| schedule.id).collect::<Vec<_>>()
    };
    let (before, after) = (ids(&made), ids(&changed));
    assert_eq!(after.len(), 3);
    assert!(
        before.iter().all(|id| after.contains(id)),
        "{before:?} {after:?}"
    );
    assert_eq!(changed.tags, made.tags);
    let hourly = changed.schedules.iter().flatten();
    let mut hourly = hourly.filter(|schedule| schedule.slug == "hourly");
    // It was paused, and this was not named.
    assert_eq!(hourly.next().expect("there").active, Some(false));
    assert!(
        !deployments
            .ensure(&wanted)
            .await
            .expect("the same")
            .is_changed()
    );

    let fewer = wanted
        .schedules([cron("0 7 * * *")])
        .concurrency_limit(None);
    let fewer = deployments.ensure(&fewer).await.expect("changed");
    assert_eq!(ids(&fewer).len(), 1);
    assert!(fewer.global_concurrency_limit.is_none());
}

/// An update would give the trigger a new id, and what it has counted would be forgotten.
#[tokio::test]
async fn an_automation_that_is_equal_is_not_touched() {
    let client = live().await;
    let (automations, name) = (client.automations(), unique("automation"));
    let wanted = |threshold| {
        let failed = event("prefect.flow-run.Failed").threshold(threshold);
        let automation = Automation::named(&*name).tag("etl").when(failed);
        automation
            .then(actions::do_nothing())
            .build()
            .expect("valid")
    };
    let made = automations.ensure(&wanted(3)).await.expect("made");
    assert!(matches!(made, Ensured::Created(_)));
    let again = automations.ensure(&wanted(3)).await.expect("the same");
    assert!(
        matches!(&again, Ensured::Unchanged(same) if *same == *made),
        "{again:?}"
    );
    let changed = automations.ensure(&wanted(4)).await.expect("changed");
    assert!(matches!(changed, Ensured::Updated(_)));
    assert_eq!(changed.id, made.id);
    assert!(
        !automations
            .ensure(&wanted(4))
            .await
            .expect("the same")
            .is_changed()
    );
}

#[tokio::test]
async fn variables_flows_limits_and_blocks_are_left_alone_when_they_are_equal() {
    let client = live().await;
    let variable = |value: i64| VariableCreate::new("rows", value).tags(["etl"]);
    let name = unique("rows");
    let variable = |value| {
        let mut variable = variable(value);
        variable.name.clone_from(&name);
        variable
    };
    let variables = client.variables();
    assert!(
        variables
            .ensure(&variable(1))
            .await
            .expect("made")
            .is_changed()
    );
    assert!(
        !variables
            .ensure(&variable(1))
            .await
            .expect("same")
            .is_changed()
    );
    let plan = variables
        .plan(&variable(2))
        .await
        .expect("planned")
        .to_string();
    // A variable may be a secret.
    assert!(plan.ends_with("value: a new value"), "{plan}");
    let changed = variables.ensure(&variable(2)).await.expect("changed");
    assert_eq!(changed.value, Json::from(2));

    let flow = FlowCreate::new(unique("flow"));
    let made = client.flows().ensure(&flow).await.expect("made");
    assert!(
        !client
            .flows()
            .ensure(&flow)
            .await
            .expect("same")
            .is_changed()
    );
    let tagged = client
        .flows()
        .ensure(&flow.tags(["a"]))
        .await
        .expect("changed");
    assert!(tagged.is_changed() && tagged.id == made.id);

    let (limits, tag) = (client.concurrency_limits(), unique("tag"));
    assert!(limits.ensure(&tag, 2).await.expect("made").is_changed());
    assert!(!limits.ensure(&tag, 2).await.expect("same").is_changed());
    let plan = limits.plan(&tag, 3).await.expect("planned").to_string();
    assert!(plan.contains("concurrency_limit: 2 becomes 3"), "{plan}");

    let (blocks, slug) = (client.block_types(), unique("type"));
    let kind = BlockTypeCreate::new(&*slug, &*slug);
    let kind = blocks.create(&kind).await.expect("a type").id;
    let fields = json!({
        "title": slug, "type": "object", "secret_fields": ["password"],
        "properties": {"password": {"type": "string", "format": "password"}},
    });
    let schema = BlockSchemaCreate::new(kind).fields(fields);
    client
        .block_schemas()
        .create(&schema)
        .await
        .expect("a schema");
    let data = |password: &str| json!({"password": password});
    for (password, is_changed) in [("hunter2", true), ("hunter2", false), ("hunter3", true)] {
        let plan = blocks
            .plan(&slug, "a", data(password))
            .await
            .expect("planned");
        assert!(!plan.to_string().contains("hunter"), "{plan}");
        let block = blocks
            .ensure(&slug, "a", data(password))
            .await
            .expect("stored");
        assert_eq!(block.is_changed(), is_changed);
    }
}

/// Somebody else creates the pool between the two requests; a conflict for another reason is passed on.
#[tokio::test]
async fn what_was_created_in_the_meantime_is_compared_after_all() {
    let gone = || reply(404, json!({"detail": "Work pool not found."}));
    let taken = || {
        reply(
            409,
            json!({"detail": "A work pool with this name already exists."}),
        )
    };
    let id = uuid::Uuid::new_v4();
    let pool = json!({
        "id": id, "created": null, "updated": null, "name": "p", "type": "process",
        "concurrency_limit": 3, "default_queue_id": id,
    });
    let server = Scripted::start([gone(), taken(), reply(200, pool)]).await;
    let client = server.client();
    let wanted = WorkPoolCreate::new("p").concurrency_limit(3);
    let found = client.work_pools().ensure(&wanted).await.expect("there");
    assert!(!found.is_changed());
    let server = Scripted::start([gone(), taken(), gone()]).await;
    let error = server.client().work_pools().ensure(&wanted).await;
    assert!(error.expect_err("another reason").is_conflict());
}

/// A queue is one of a pool: alone, its name would move the deployment to another pool.
#[tokio::test]
async fn a_deployment_moves_to_the_queue_of_the_pool_that_is_wanted() {
    let client = live().await;
    let (deployments, pool) = (client.deployments(), unique("pool"));
    let wanted_pool = WorkPoolCreate::new(&*pool).type_("process");
    client
        .work_pools()
        .ensure(&wanted_pool)
        .await
        .expect("a pool");
    let wanted = wanted_deployment(&client).await.work_pool_name(&*pool);
    deployments.ensure(&wanted).await.expect("made");
    let wanted = wanted.work_queue_name("urgent");
    let moved = deployments.ensure(&wanted).await.expect("moved");
    assert!(moved.is_changed());
    assert_eq!(
        (&moved.work_pool_name, &moved.work_queue_name),
        (&Field::from(pool), &"urgent".into())
    );
    assert!(
        !deployments
            .ensure(&wanted)
            .await
            .expect("the same")
            .is_changed()
    );
}

#[tokio::test]
async fn a_limit_that_deployments_share_is_neither_deleted_nor_changed() {
    let client = live().await;
    let (deployments, limits) = (client.deployments(), client.global_concurrency_limits());
    let shared = ConcurrencyLimitV2Create::new(unique("shared"), 5);
    let shared = limits.ensure(&shared).await.expect("a limit").into_inner();
    let base = wanted_deployment(&client).await;

    // Its own limit, and no shared one: the same each time.
    let own = base
        .clone()
        .concurrency_limit(3)
        .global_concurrency_limit_id(None);
    assert!(deployments.ensure(&own).await.expect("made").is_changed());
    assert!(
        !deployments
            .ensure(&own)
            .await
            .expect("the same")
            .is_changed()
    );

    let mut bound = base.clone().global_concurrency_limit_id(shared.id);
    bound.concurrency_limit = Field::UNSET;
    bound.name = unique("bound");
    for wanted in [bound.clone(), bound.clone().concurrency_limit(None)] {
        let made = deployments.ensure(&wanted).await.expect("bound");
        let limit = made.global_concurrency_limit.as_ref().expect("a limit");
        assert_eq!((limit.id, limit.limit), (shared.id, 5));
    }
    let mut changed = bound.clone().concurrency_limit(3);
    changed.global_concurrency_limit_id = Field::UNSET;
    let error = deployments.ensure(&changed).await.expect_err("shared");
    assert!(error.is_invalid_request(), "{error}");
    let mut without = bound.concurrency_limit(None);
    without.global_concurrency_limit_id = Field::UNSET;
    let without = deployments.ensure(&without).await.expect("unbound");
    assert!(without.global_concurrency_limit.is_none());
    let kept = limits.get(&shared.name).await.expect("still there");
    assert_eq!(kept.limit, 5);
}
