//! Artifacts, automations, events, variables, searches, and the server itself.

use std::time::Duration;

use chrono::Utc;
use prefect_sdk::artifacts::Artifact;
use prefect_sdk::types::*;
use serde_json::json;
use uuid::Uuid;

use super::tour::Tour;
use crate::support::in_time;

pub async fn visit(tour: &Tour) {
    artifacts(tour).await;
    automations(tour).await;
    events(tour).await;
    variables(tour).await;
    let client = &tour.client;

    let searches = client.saved_searches();
    let search = tour
        .step(
            "save a search",
            searches.create(&SavedSearchCreate::new("s")),
        )
        .await;
    let search = search.expect("a search").id;
    tour.step("get", searches.get(search)).await;
    tour.step("list", searches.list()).await;
    tour.step("delete", searches.delete(search)).await;

    tour.step("settings", client.admin().settings()).await;
    tour.step("version", client.version()).await;
    tour.step("health", client.health()).await;
    tour.step("ready", client.ready()).await;
    tour.step(
        "collections",
        client.collections().view("aggregate-worker-metadata"),
    )
    .await;
    tour.step("hello", client.raw().hello()).await;
    tour.step("version", client.raw().server_version()).await;
}

async fn artifacts(tour: &Tour) {
    let artifacts = tour.client.artifacts();
    let made = Artifact::markdown("# Hello").key("tour");
    let made = tour.step("publish", artifacts.create(&made.into())).await;
    let id = (*made.expect("an artifact").id.as_ref().expect("its id")).to_owned();
    tour.step("get", artifacts.get(id)).await;
    tour.step("get the latest", artifacts.get_latest("tour"))
        .await;
    tour.step("list", artifacts.list().key("tour")).await;
    tour.step("count", artifacts.count().of_type("markdown"))
        .await;
    tour.step("list the latest", artifacts.list_latest().key_like("to"))
        .await;
    tour.step("count the latest", artifacts.count_latest())
        .await;
    tour.step(
        "update",
        artifacts.update(id, &Artifact::markdown("# Bye").into()),
    )
    .await;
    tour.step("delete", artifacts.delete(id)).await;
}

async fn automations(tour: &Tour) {
    let automations = tour.client.automations();
    let trigger = EventTrigger::new(EventTriggerPosture::Reactive)
        .expect(["tour.never"])
        .threshold(1);
    let trigger = Trigger::Event(trigger.within(Duration::from_secs(0)));
    let actions = || [Action::DoNothing(DoNothing::new())];
    let made = AutomationCreate::new("tour", trigger.clone(), actions());
    let id = tour
        .step("create", automations.create(&made))
        .await
        .expect("an automation")
        .id;
    tour.step("get", automations.get(id)).await;
    tour.step("get by name", automations.get_by_name("tour"))
        .await;
    tour.step("list", automations.list().name("tour")).await;
    tour.step("count", automations.count()).await;
    // Servers before 3.8 take no filter for the count.
    for (name, expected) in [("tour", 1), ("nobody", 0)] {
        let count = tour.step("count", automations.count().name(name)).await;
        assert_eq!(count, Some(expected), "{name}");
    }
    tour.step("switch off", automations.set_enabled(id, false))
        .await;
    tour.step(
        "update",
        automations.update(id, &AutomationUpdate::new("tour", trigger, actions())),
    )
    .await;
    let resource = format!("prefect.deployment.{}", Uuid::new_v4());
    tour.step("related", automations.list_related_to(&resource))
        .await;
    tour.step("owned", automations.delete_owned_by(&resource))
        .await;
    tour.step(
        "template",
        automations.validate_template("{{ flow_run.name }}"),
    )
    .await;
    tour.step(
        "any template",
        automations.validate_any_template("{{ flow_run.name }}"),
    )
    .await;
    tour.step("delete", automations.delete(id)).await;
}

/// Emits more than a page of events, so that the next page is requested.
async fn events(tour: &Tour) {
    let events = tour.client.events();
    let name = format!("tour.{}", Uuid::new_v4().simple());
    let resource: Resource =
        serde_json::from_value(json!({ "prefect.resource.id": "tour" })).expect("a resource");
    let event = || Event::new(Utc::now(), name.as_str(), resource.clone(), Uuid::new_v4());
    for _ in 0..3 {
        tour.step("emit", events.create((0..20).map(|_| event())))
            .await;
    }
    // The server stores them every 5 s, or later while its database is locked.
    let stored = async {
        loop {
            let listed = tour.step("list", events.list().name(name.as_str())).await;
            let found = listed.expect("events").len();
            assert!(found <= 60, "{found}");
            if found == 60 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    in_time("what is stored", stored).await;
    let filter = EventFilter::new();
    tour.step(
        "count",
        events.count_by(Countable::Event, &CountAccountEventsRequest::new(filter)),
    )
    .await;
}

async fn variables(tour: &Tour) {
    let variables = tour.client.variables();
    let made = tour
        .step(
            "create",
            variables.create(&VariableCreate::new("tour", "1")),
        )
        .await;
    let id = made.expect("a variable").id;
    tour.step("get", variables.get(id)).await;
    tour.step("get by name", variables.get_by_name("tour"))
        .await;
    tour.step("list", variables.list().name_like("to")).await;
    tour.step("count", variables.count()).await;
    tour.step(
        "update",
        variables.update(id, &VariableUpdate::new().value("2")),
    )
    .await;
    tour.step(
        "update by name",
        variables.update_by_name("tour", &VariableUpdate::new().tags(["t"])),
    )
    .await;
    tour.step("delete", variables.delete(id)).await;
    tour.step(
        "create",
        variables.create(&VariableCreate::new("tour", "1")),
    )
    .await;
    tour.step("delete by name", variables.delete_by_name("tour"))
        .await;
}
