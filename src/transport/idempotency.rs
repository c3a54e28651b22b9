//! What each operation does when it is executed twice; a test compares the table with the document.

use reqwest::Method;

use super::operation::Operation;

/// The effect of executing the same request a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// None, and the first execution had none either: the request only reads.
    Safe,
    /// None beyond that of the first.
    Idempotent,
    /// None, if the first execution has ended: the server reads before it locks.
    IdempotentInOrder,
    /// None, unless the body has a `name`: then the second reply is a 404.
    IdempotentUnlessRenamed,
    /// None, but the second reply is a 404.
    IdempotentDelete,
    /// None, when the body carries this key.
    ByKey(Key),
    /// The second request is refused with a 409, because the name is in use; the object is found at this
    /// path. If another program creates an equal object just when the reply is lost, it is taken for the
    /// object of this call: nothing distinguishes the two.
    ByUniqueName(UniqueName),
    /// None, when this filter of the body selects the objects by their ids; otherwise as for
    /// [`NotIdempotentInParts`](Self::NotIdempotentInParts), because with a limit the second request is
    /// executed for the next objects.
    IdempotentById(&'static str),
    /// The request is executed twice.
    NotIdempotent,
    /// The request is executed twice. It takes several transactions, so a part of it may be executed even if
    /// the server refuses it.
    NotIdempotentInParts,
}

/// The key by which the server recognises a repeated request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// `idempotency_key` of the body: a second request is answered with the flow run of the first.
    FlowRun,
    /// The same, in each element of the body.
    FlowRuns,
    /// `state.state_details.transition_id`: a second request changes nothing, and is answered with a
    /// rejection.
    Transition,
}

/// Where to read an object after its creation: below the URL of the request, by a field of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UniqueName {
    pub below: &'static str,
    pub field: &'static str,
    pub read_by: Operation,
}

const fn at(below: &'static str, field: &'static str, read_by: Operation) -> Idempotency {
    Idempotency::ByUniqueName(UniqueName {
        below,
        field,
        read_by,
    })
}

impl Idempotency {
    /// The idempotency of an operation with this method.
    pub(super) fn of(operation: Operation, method: &Method) -> Self {
        match *method {
            // A POST that is missing in the table counts as not idempotent, and fails a test.
            Method::POST => post_idempotency(operation.name()).unwrap_or(Self::NotIdempotent),
            Method::PATCH => patch_idempotency(operation.name()),
            Method::DELETE => Self::IdempotentDelete,
            Method::PUT => Self::Idempotent,
            _ => Self::Safe,
        }
    }
}

/// A PATCH sets the fields that it names; but one that finds its object by a name may change that name.
fn patch_idempotency(operation: &str) -> Idempotency {
    match operation {
        "update_concurrency_limit_v2"
        | "update_variable_by_name"
        | "update_work_queue_for_work_pool" => Idempotency::IdempotentUnlessRenamed,
        _ => Idempotency::Idempotent,
    }
}

/// The idempotency of each POST of the API.
fn post_idempotency(operation: &str) -> Option<Idempotency> {
    let idempotency = match operation {
        // Reads.
        "average_flow_run_lateness"
        | "flow_run_history"
        | "task_run_history"
        | "next_runs_by_flow"
        | "validate_obj"
        | "validate_template"
        | "validate_template_for_automation" => Idempotency::Safe,
        read if ["read_", "count_", "filter_", "paginate_"]
            .iter()
            .any(|verb| read.starts_with(verb)) =>
        {
            Idempotency::Safe
        }
        // Reads what is scheduled, and records the time of the request.
        "get_scheduled_flow_runs" | "get_scheduled_flow_runs_for_deployments" => {
            Idempotency::Idempotent
        }

        // Creates unless the object exists, by name, tag, checksum, id or key.
        "create_block_schema"
        | "create_concurrency_limit"
        | "create_deployment"
        | "create_events"
        | "create_flow"
        | "install_system_block_types" => Idempotency::Idempotent,
        // The same, or returns the slots of a holder; but the server does not notice a request that is still
        // being executed.
        "bulk_decrement_active_slots_with_lease"
        | "create_task_run"
        | "decrement_concurrency_limits_v1" => Idempotency::IdempotentInOrder,
        // Sets a value.
        "pause_deployment"
        | "renew_concurrency_lease"
        | "reset_concurrency_limit_by_tag"
        | "resume_deployment"
        | "schedule_deployment"
        | "worker_heartbeat" => Idempotency::Idempotent,

        // The server recognises a key.
        "create_flow_run" | "create_flow_run_from_deployment" => Idempotency::ByKey(Key::FlowRun),
        "bulk_create_flow_runs_from_deployment" => Idempotency::ByKey(Key::FlowRuns),
        "set_flow_run_state" => Idempotency::ByKey(Key::Transition),

        // Names are unique.
        "create_block_type" => {
            let path = "/block_types/slug/{slug}";
            at("slug/", "slug", Operation("read_block_type_by_slug", path))
        }
        "create_concurrency_limit_v2" => {
            let path = "/v2/concurrency_limits/{id_or_name}";
            at("", "name", Operation("read_concurrency_limit_v2", path))
        }
        "create_variable" => {
            let path = "/variables/name/{name}";
            at("name/", "name", Operation("read_variable_by_name", path))
        }
        "create_work_pool" => {
            let path = "/work_pools/{name}";
            at("", "name", Operation("read_work_pool", path))
        }
        "create_work_queue" => {
            let path = "/work_queues/name/{name}";
            at("name/", "name", Operation("read_work_queue_by_name", path))
        }
        "create_work_queue_for_work_pool" => {
            let path = "/work_pools/{work_pool_name}/queues/{name}";
            at("", "name", Operation("read_work_queue_for_work_pool", path))
        }

        // Executed each time. No policy checks the transition id of a task run's state; resuming a run that
        // is running is refused.
        "bulk_decrement_active_slots"
        | "bulk_increment_active_slots"
        | "bulk_increment_active_slots_with_lease"
        | "create_artifact"
        | "create_automation"
        | "create_block_document"
        | "create_deployment_schedules"
        | "create_flow_run_input"
        | "increment_concurrency_limits_v1"
        | "resume_flow_run"
        | "set_task_run_state" => Idempotency::NotIdempotent,

        "bulk_delete_deployments" => Idempotency::IdempotentById("deployments"),
        "bulk_delete_flow_runs" => Idempotency::IdempotentById("flow_runs"),
        "bulk_delete_flows" => Idempotency::IdempotentById("flows"),
        // Executed object by object, batch by batch.
        "bulk_set_flow_run_state" | "create_logs" => Idempotency::NotIdempotentInParts,
        _ => return None,
    };
    Some(idempotency)
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! operations {
        ($($name:literal $upstream:literal $method:literal $path:literal $body:tt $reply:tt,)*) => {
            /// Name, method and path of every operation.
            const OPERATIONS: &[(&str, &str, &str)] = &[$(($name, $method, $path)),*];
        };
    }

    macro_rules! schemas {
        ($($any:tt)*) => {};
    }

    include!(concat!(env!("OUT_DIR"), "/table.rs"));

    #[test]
    fn every_post_of_the_document_is_in_the_table() {
        let posts = OPERATIONS.iter().filter(|(_, method, _)| *method == "POST");
        let missing: Vec<_> = posts
            .filter(|(name, ..)| post_idempotency(name).is_none())
            .collect();
        assert!(
            missing.is_empty(),
            "say whether they are idempotent: {missing:?}"
        );
    }

    #[test]
    fn every_name_in_the_tables_is_an_operation() {
        let source = include_str!("idempotency.rs").split("#[cfg(test)]").next();
        let tables = source.and_then(|source| source.split_once("fn patch_idempotency"));
        let (_, tables) = tables.expect("the tables");
        let quoted = tables.split('"').skip(1).step_by(2);
        for name in quoted.filter(|name| {
            *name != "flow_runs"
                && name.contains('_')
                && !name.ends_with('_')
                && !name.starts_with('/')
        }) {
            let known = OPERATIONS.iter().any(|(operation, ..)| *operation == name);
            assert!(known, "{name} is not an operation");
        }
    }

    #[test]
    fn what_a_create_has_made_is_read_where_the_document_says() {
        for (name, method, path) in OPERATIONS {
            if let Some(Idempotency::ByUniqueName(place)) =
                post_idempotency(name).filter(|_| *method == "POST")
            {
                let Operation(reader, template) = place.read_by;
                assert!(OPERATIONS.contains(&(reader, "GET", template)), "{reader}");
                let collection = path.trim_end_matches('/');
                let below = template.strip_prefix(collection).expect("below it");
                assert!(below.starts_with(&format!("/{}{{", place.below)), "{below}");
            }
        }
    }

    #[test]
    fn a_patch_that_finds_by_name_and_may_rename_is_in_the_table() {
        for (name, method, path) in OPERATIONS {
            let by_name = path.ends_with("name}") || path.ends_with("name}/queues/{name}");
            if *method == "PATCH" && by_name && *name != "update_work_pool" {
                assert_eq!(
                    patch_idempotency(name),
                    Idempotency::IdempotentUnlessRenamed,
                    "{name}"
                );
            }
        }
    }
}
