//! Schedules and automations that the builders make, sent to a real server.

use std::time::Duration;

use prefect_sdk::types::{
    Action, CronSchedule, DeploymentScheduleCreate, IntervalSchedule, RRuleSchedule, StateType,
    Trigger,
};
use prefect_sdk::{
    automations::{Automation, absence_of, actions, all_of, any_of, at_least, event, in_order},
    deployments::Schedule,
};
use serde_json::json;

use crate::support::{a_deployment, live, unique};

#[tokio::test]
async fn schedules_that_are_taken_here_are_taken_by_the_server_and_so_are_refusals() {
    let client = live().await;
    let id = a_deployment(&client).await;
    let schedules = client.deployments().schedules(id);
    for expression in [
        "0 6 * * *",
        "@daily",
        "*/5 8-18 * * mon-fri",
        "0 0 l * *",
        "0 9 13 * 5#2",
        "0 0 1 1 * 30",
    ] {
        let schedule = Schedule::cron(expression).expect(expression);
        let schedule = schedule.timezone("Europe/Berlin").expect("a zone").paused();
        schedules
            .create(vec![schedule.into()])
            .await
            .expect(expression);
    }
    for rule in [
        "FREQ=WEEKLY;BYDAY=MO",
        "RRULE:FREQ=DAILY;UNTIL=20991231T000000",
        "DTSTART:20260101T060000\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1",
    ] {
        let schedule = Schedule::rrule(rule).expect(rule).paused();
        schedules.create(vec![schedule.into()]).await.expect(rule);
    }
    let hourly = Schedule::interval(Duration::from_secs(3600))
        .expect("an hour")
        .paused();
    let hourly = hourly
        .parameters(json!({ "n": 1 }))
        .slug("hourly")
        .max_runs(3);
    let made = schedules.create(vec![hourly.into()]).await.expect("taken");
    assert_eq!(made[0].slug.as_deref(), Some("hourly"));
    assert_eq!(
        (*made[0].max_scheduled_runs, made[0].active),
        (Some(3), Some(false))
    );

    let refused = async |schedule: prefect_sdk::types::Schedule| {
        let schedule = DeploymentScheduleCreate::new(schedule).active(false);
        let error = schedules
            .create(vec![schedule.clone()])
            .await
            .expect_err("refused");
        // The server does not expect a rule without FREQ, and answers 500.
        let answered = error.is_validation() || error.status().is_some_and(|status| status == 500);
        assert!(answered, "{schedule:?}: {error}");
    };
    for expression in [
        "",
        "0 6 * *",
        "60 * * * *",
        "0 24 * * *",
        "a b c d e",
        "0 0 * * moon",
    ] {
        assert!(Schedule::cron(expression).is_err(), "{expression}");
        refused(CronSchedule::new(expression).into()).await;
    }
    for rule in ["", "FREQ=SOMETIMES", "BYDAY=MO", "FREQ=DAILY;BYHOUR=24"] {
        assert!(Schedule::rrule(rule).is_err(), "{rule}");
        refused(RRuleSchedule::new(rule).into()).await;
    }
    assert!(Schedule::interval(Duration::ZERO).is_err());
    refused(IntervalSchedule::new(Duration::ZERO).into()).await;
    let nowhere = Schedule::cron("@daily")
        .expect("good")
        .timezone("Europe/Nowhere");
    assert!(nowhere.expect_err("no zone").is_invalid_request());
    let nowhere = CronSchedule::new("@daily").timezone("Europe/Nowhere");
    refused(nowhere.into()).await;
}

#[tokio::test]
async fn every_form_of_trigger_and_action_is_taken_by_the_server_and_comes_back() {
    let client = live().await;
    let (id, minute) = (a_deployment(&client).await, Duration::from_secs(60));
    let triggers: [Trigger; 6] = [
        event("a.*")
            .or("b")
            .matching("prefect.resource.id", "x.*")
            .threshold(2)
            .within(minute)
            .into(),
        absence_of("a")
            .after("b")
            .for_each("prefect.resource.id")
            .within(minute)
            .into(),
        event("a")
            .related("prefect.resource.role", "flow")
            .also_related("prefect.resource.role", "tag")
            .into(),
        all_of([event("a"), event("b")]).within(minute).into(),
        at_least(1, [Trigger::from(any_of([event("a")])), event("b").into()]).into(),
        in_order([event("a"), event("b")]).within(minute).into(),
    ];
    for trigger in triggers {
        let name = unique("trigger");
        let automation = Automation::named(name.as_str())
            .when(trigger)
            .then(actions::do_nothing());
        let automation = automation
            .description("d")
            .tag("t")
            .disabled()
            .build()
            .expect("good");
        let made = client
            .automations()
            .create(&automation)
            .await
            .expect("taken");
        let found = client
            .automations()
            .get_by_name(&name)
            .await
            .expect("there");
        assert_eq!((found.id, found.enabled), (made.id, Some(false)));
        client.automations().delete(made.id).await.expect("deleted");
    }

    let types = client.block_types();
    types.install_system_types().await.expect("installed");
    let webhook = json!({ "url": "http://127.0.0.1:9/", "method": "POST" });
    let webhook = types
        .save("webhook", &unique("webhook"), webhook)
        .await
        .expect("a block")
        .id;
    let notifier = json!({ "url": "http://127.0.0.1:9/" });
    let notifier = types
        .save("slack-webhook", &unique("notify"), notifier)
        .await
        .expect("a block")
        .id;
    let automation = Automation::named(unique("actions"))
        .when(event("never"))
        .then(
            actions::run_deployment(id)
                .parameters(json!({ "n": 1 }))
                .schedule_after(60),
        )
        .then(actions::run_deployment_inferred())
        .then(actions::pause_deployment(id))
        .then(actions::resume_deployment_inferred())
        .then(actions::cancel_flow_run())
        .then(actions::delete_flow_run())
        .then(actions::suspend_flow_run())
        .then(actions::resume_flow_run())
        .then(actions::change_flow_run_state(StateType::Failed).message("late"))
        .then(actions::pause_work_queue_inferred())
        .then(actions::resume_work_pool_inferred())
        .then(actions::send_notification(notifier, "{{ flow_run.name }}").subject("s"))
        .then(actions::call_webhook(webhook).payload("{{ event.id }}"))
        .on_trigger(actions::pause_automation_inferred())
        .on_resolve(actions::do_nothing());
    let created = client
        .automations()
        .create(&automation.clone().build().expect("good"))
        .await;
    let made = created.expect("taken");
    assert_eq!(made.actions.len(), 13);
    assert!(
        made.actions
            .iter()
            .all(|action| !matches!(action, Action::Unknown(_)))
    );
    client
        .automations()
        .update(made.id, &automation.build_update().expect("good"))
        .await
        .expect("taken");
    client.automations().delete(made.id).await.expect("deleted");
}
