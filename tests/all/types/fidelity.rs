//! The generated types: three states, open enums and unions, exact numbers, redacted secrets.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use prefect_sdk::types::*;
use serde_json::json;
use uuid::Uuid;
use wiremock::ResponseTemplate;

use crate::support::answering;

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("encodes")
}

#[test]
fn nothing_is_sent_that_was_not_set() {
    assert_eq!(text(&DeploymentUpdate::default()), "{}");
    assert_eq!(text(&ReadFlowRunsRequest::default()), "{}");
    assert_eq!(text(&WorkPoolUpdate::new()), "{}");
    assert_eq!(text(&DeploymentScheduleUpdate::new()), "{}");
    // The server recognises an action by its `type` tag: only the tag is sent without being set.
    assert_eq!(
        text(&PauseDeployment::new()),
        r#"{"type":"pause-deployment"}"#
    );
}

#[test]
fn a_field_is_unset_null_or_a_value_and_reads_like_an_option() {
    let update = |json: &str| serde_json::from_str::<DeploymentUpdate>(json).expect("decodes");
    let (unset, null, value) = (
        update("{}"),
        update(r#"{"version":null}"#),
        update(r#"{"version":"1"}"#),
    );
    assert!(unset.version.is_unset() && !unset.version.is_null());
    assert!(null.version.is_null() && !null.version.is_unset());
    assert_eq!(value.version.as_deref(), Some("1"));
    assert!(unset.version.is_none() && null.version.is_none());
    assert_ne!(unset, null);

    let mut changed = DeploymentUpdate::new();
    assert_eq!(changed.version.as_mut(), None);
    assert_eq!(text(&changed), "{}", "reading sets nothing");
    changed.version = "2".into();
    assert_eq!(text(&changed), r#"{"version":"2"}"#);
    assert_eq!(changed.version.take().as_deref(), Some("2"));
    assert_eq!(text(&changed), "{}");
}

#[test]
fn open_enums_keep_what_they_do_not_know() {
    let state: StateType = serde_json::from_str(r#""HIBERNATING""#).expect("decodes");
    assert_eq!(state, StateType::Unknown("HIBERNATING".to_owned()));
    assert_eq!(
        (state.to_string().as_str(), state.as_ref()),
        ("HIBERNATING", "HIBERNATING")
    );
    assert_eq!(text(&state), r#""HIBERNATING""#);
    assert_eq!("FAILED".parse::<StateType>(), Ok(StateType::Failed));
}

#[test]
fn enums_that_are_only_sent_are_closed_and_copy() {
    fn copied<T: Copy>(value: T) -> (T, T) {
        (value, value)
    }
    assert_eq!(copied(FlowRunSort::IdDesc).0.as_str(), "ID_DESC");
    let unknown = FlowRunSort::from_str("ID_SIDEWAYS").expect_err("no such order");
    assert_eq!(unknown.to_string(), r#""ID_SIDEWAYS" is no FlowRunSort"#);
}

#[test]
fn each_action_is_the_variant_of_its_tag() {
    let id = Uuid::nil();
    for (json, is_right) in [
        (
            json!({"type": "pause-deployment"}),
            (|a| matches!(a, Action::PauseDeployment(_))) as fn(&Action) -> bool,
        ),
        (
            json!({"type": "run-deployment", "parameters": {"a": 1}}),
            |a| matches!(a, Action::RunDeployment(_)),
        ),
        (
            json!({"type": "call-webhook", "block_document_id": id}),
            |a| matches!(a, Action::CallWebhook(_)),
        ),
        (json!({}), |a| matches!(a, Action::DoNothing(_))),
        (json!({"block_document_id": id, "body": "b"}), |a| {
            matches!(a, Action::SendNotification(_))
        }),
        (json!({"type": "brew-coffee", "cups": 1.0}), |a| {
            matches!(a, Action::Unknown(_))
        }),
    ] {
        let action: Action = serde_json::from_value(json.clone()).expect("decodes");
        assert!(is_right(&action), "{json} became {action:?}");
        assert_eq!(serde_json::to_value(&action).expect("encodes"), json);
    }
    let broken = json!({"type": "call-webhook", "block_document_id": "no id"});
    serde_json::from_value::<Action>(broken).expect_err("a known action that does not fit");
}

#[test]
fn triggers_nest_and_schedules_are_told_apart() {
    let event = EventTrigger::new(EventTriggerPosture::Reactive)
        .expect(["a"])
        .within(10);
    let compound = CompoundTrigger::new([event.clone()], None, 2);
    let sequence = SequenceTrigger::new([Trigger::from(compound), event.into()], Seconds::from(60));
    let json = text(&Trigger::from(sequence));
    let back: Trigger = serde_json::from_str(&json).expect("decodes");
    let Trigger::Sequence(sequence) = &back else {
        panic!("{back:?}")
    };
    assert!(matches!(sequence.triggers[0], Trigger::Compound(_)));
    assert!(matches!(sequence.triggers[1], Trigger::Event(_)));
    assert_eq!(text(&back), json);

    let schedule = |json: &str| serde_json::from_str::<Schedule>(json).expect("decodes");
    assert!(matches!(
        schedule(r#"{"interval":60,"timezone":"UTC"}"#),
        Schedule::Interval(_)
    ));
    assert!(matches!(
        schedule(r#"{"cron":"* * * * *","timezone":"UTC"}"#),
        Schedule::Cron(_)
    ));
    assert!(matches!(
        schedule(r#"{"rrule":"FREQ=DAILY","timezone":"UTC"}"#),
        Schedule::RRule(_)
    ));
}

#[test]
fn numbers_survive_to_the_last_bit() {
    let json = r#"{"parameters":{"n":1180591620717411303424,"i":1,"f":1.0,"e":1E2,"min":5e-324,"deep":[-0.0]}}"#;
    let run: FlowRunUpdate = serde_json::from_str(json).expect("decodes");
    assert_eq!(text(&run), json);
    // The first is one that serde_json's default parser gets wrong by a unit in the last place.
    for float in [
        "3.6330636020101366",
        "0.1",
        "1e16",
        "1.7976931348623157e308",
    ] {
        let number: Number = serde_json::from_str(float).expect("decodes");
        assert_eq!(
            number.as_f64().to_bits(),
            float.parse::<f64>().expect("a float").to_bits()
        );
        let back: f64 = text(&number).parse().expect("a float");
        assert_eq!(back.to_bits(), number.as_f64().to_bits(), "{float}");
    }
    let labels =
        r#"{"name":"f","labels":{"a":true,"b":1,"c":1.0,"d":"1","e":1180591620717411303424}}"#;
    let flow: FlowCreate = serde_json::from_str(labels).expect("decodes");
    assert_eq!(text(&flow), labels);
}

#[test]
fn numbers_compare_by_value_and_are_finite_on_the_wire() {
    assert!(Seconds::from(3600) > Seconds::from(1.5));
    assert_eq!(Seconds::from(60), Seconds::from(Duration::from_secs(60)));
    for not_finite in [f64::NAN, f64::INFINITY] {
        let limit = ConcurrencyLimitV2Create::new("l", 1).slot_decay_per_second(not_finite);
        serde_json::to_string(&limit).expect_err("JSON has no such number, and null would clear");
    }
    serde_json::from_str::<Seconds>(r#""inf""#).expect_err("no duration");
}

#[test]
fn date_times_of_all_years_and_offsets_are_read_and_written_as_servers_can_read_them() {
    for (sent, written) in [
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("2024-01-01T00:00:00+05:30", "2023-12-31T18:30:00Z"),
        // In UTC these are in the years 0 and 10000, which Python does not support.
        ("0001-01-01T00:00:00+05:30", "0001-01-01T18:29:00+23:59"),
        ("9999-12-31T23:59:59-05:00", "9999-12-31T05:00:59-23:59"),
    ] {
        let json = format!(r#"{{"interval":60.0,"anchor_date":"{sent}"}}"#);
        let schedule: IntervalSchedule = serde_json::from_str(&json).expect("decodes");
        let expected: DateTime<Utc> = sent.parse().expect("a date-time");
        assert_eq!(schedule.anchor_date, Some(expected), "{sent}");
        let back = serde_json::to_value(&schedule).expect("encodes");
        assert_eq!(back["anchor_date"], written);
    }
}

#[test]
fn secrets_are_not_in_debug_output() {
    let secret = "hunter2";
    let block =
        BlockDocumentCreate::new(Uuid::nil(), Uuid::nil()).data(json!({ "password": secret }));
    let settings: Settings = serde_json::from_value(json!({
        "api": { "auth_string": secret, "key": secret, "url": "http://h/api" },
        "server": { "database": { "password": secret, "connection_url": secret } },
        "client": { "custom_headers": { "x": secret } },
    }))
    .expect("decodes");
    let token: CsrfToken = serde_json::from_value(json!({
        "id": Uuid::nil(), "token": secret, "client": "c", "expiration": "2024-01-01T00:00:00Z",
    }))
    .expect("decodes");
    for shown in [
        format!("{block:?}"),
        format!("{settings:?}"),
        format!("{token:#?}"),
    ] {
        assert!(
            !shown.contains(secret) && shown.contains("[redacted]"),
            "{shown}"
        );
    }
    assert!(
        text(&block).contains(secret),
        "a redacted secret is sent all the same"
    );
}

#[tokio::test]
async fn a_newer_servers_reply_is_read_and_written_back_unchanged() {
    let id = Uuid::new_v4();
    let automation = json!({
        "id": id,
        "name": "a",
        "trigger": {
            "type": "event", "posture": "Telepathic", "within": 1.5, "sensitivity": 1e3,
            "match": {"a": ["b", "c"]},
        },
        "actions": [{"type": "brew-coffee", "cups": 2}, {"type": "do-nothing", "mood": null}],
        "owner": {"x": [1.0, 2]},
    });
    let (client, _server) = answering(ResponseTemplate::new(200).set_body_json(&automation)).await;
    let read = client
        .raw()
        .read_automation(&id)
        .await
        .expect("reads")
        .into_inner();
    let Trigger::Event(trigger) = &read.trigger else {
        panic!("{:?}", read.trigger)
    };
    assert_eq!(
        trigger.posture,
        EventTriggerPosture::Unknown("Telepathic".to_owned())
    );
    assert!(matches!(
        read.actions[..],
        [Action::Unknown(_), Action::DoNothing(_)]
    ));
    assert_eq!(read.extra["owner"], Json::from(json!({"x": [1.0, 2]})));
    assert_eq!(serde_json::to_value(&read).expect("encodes"), automation);
}

#[tokio::test]
async fn an_older_servers_reply_may_lack_what_may_be_null() {
    let id = Uuid::new_v4();
    let run = json!({"id": id, "name": "r", "flow_id": id});
    let (client, _server) = answering(ResponseTemplate::new(200).set_body_json(&run)).await;
    let read = client
        .raw()
        .read_flow_run(&id)
        .await
        .expect("reads")
        .into_inner();
    assert!(read.deployment_id.is_none() && read.labels.is_none());
    assert_eq!(serde_json::to_value(&read).expect("encodes"), run);
}

#[test]
fn undeclared_keys_are_kept_and_sent_but_their_values_are_not_shown() {
    let filter: ReadFlowsRequest =
        serde_json::from_value(json!({"limit": 1, "new": [1]})).expect("decodes");
    assert_eq!(
        filter.extra,
        BTreeMap::from([("new".to_owned(), Json::from(json!([1])))])
    );
    assert_eq!(text(&filter), r#"{"limit":1,"new":[1]}"#);
    assert!(
        format!("{filter:?}").contains(r#"extra: ["new"]"#),
        "{filter:?}"
    );
}

#[test]
fn json_is_equal_when_it_says_the_same() {
    let json = |text: &str| serde_json::from_str::<Json>(text).expect("JSON");
    assert_eq!(
        json(r#"{"a": [1, {"b": "é"}], "c": null}"#),
        json("{\"c\":null,\"a\":[1,{\"b\":\"\\u00e9\"}]}")
    );
    assert_ne!(json("1"), json("1.0"));
    assert_ne!(json(r#"{"a":1}"#), json(r#"{"a":1,"b":2}"#));
    assert_ne!(json("[1,2]"), json("[2,1]"));
}

/// Triggers in triggers, with a key that no member declares.
fn nested(levels: usize, tag: &str) -> String {
    let before = format!(r#"{{{tag}"require":"any","within":null,"unknown":1,"triggers":["#);
    before.repeat(levels) + &"]}".repeat(levels)
}

const TAG: &str = r#""type":"compound","#;

/// Without a tag, each level is tried as each of the members: it took seconds at 16 levels, and would never end at 60.
#[test]
fn nested_unions_are_read_in_bounded_time() {
    for levels in [2, 16, 60, 20_000] {
        let text = nested(levels, "");
        let trigger: Trigger = serde_json::from_str(&text).expect("a trigger");
        let is_typed = matches!(trigger, Trigger::Compound(_));
        assert!(is_typed, "{levels}");
        let encoded = serde_json::to_string(&trigger).expect("JSON");
        assert!(encoded.len() == text.len(), "nothing is lost at {levels}");
    }
}

/// Deeper than the stack would hold.
#[test]
fn what_is_nested_deeper_than_anybody_needs_is_kept_as_unknown() {
    for levels in [20, 20_000] {
        let text = nested(levels, TAG);
        let mut trigger: Trigger = serde_json::from_str(&text).expect("a trigger");
        let encoded = serde_json::to_string(&trigger).expect("JSON");
        assert!(encoded.len() == text.len(), "nothing is lost");
        for _ in 1..20 {
            let Trigger::Compound(compound) = trigger else {
                panic!("not typed")
            };
            trigger = compound.triggers.into_iter().next().expect("one");
        }
    }
}
