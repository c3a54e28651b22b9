//! Which operation a request is, and what a second one of it would do.

use reqwest::Method;

/// An operation of the API, as the generated methods name theirs: the name of the method in
/// [`crate::raw`], and the path below the API's URL with its placeholders (`/flows/{id}`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operation(pub &'static str, pub &'static str);

/// What the same request does when it is carried out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twice {
    /// Nothing, as the first time: it reads.
    Nothing,
    /// Nothing more than once.
    Same,
    /// Nothing more than once, if the first has ended: the server looks before it locks.
    SameInTurn,
    /// Nothing more, unless the body has a `name`: then the second reply is a 404.
    SameUnlessRenamed,
    /// Nothing more, but the second reply is a 404.
    Gone,
    /// Nothing more, when the body carries this key.
    Keyed(Key),
    /// The second is refused with a 409, for the name is taken; the object is found at this path. If
    /// somebody else creates an equal one in the moment that the reply is lost, it is taken for
    /// ours: nothing tells the two apart.
    Taken(Place),
    /// Nothing more than once, when this filter of the body names the objects by their ids; else as
    /// [`Twice::DoubleInParts`]: with a limit, the second would be done to the next ones.
    SameById(&'static str),
    /// It is done twice.
    Double,
    /// It is done twice; and as it is done in several transactions, even a refusal of the server's may
    /// come after a part of it.
    DoubleInParts,
}

/// What the server knows a repetition by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// `idempotency_key` of the body: a second request is answered with the first's flow run.
    FlowRun,
    /// The same, of each element of the body.
    FlowRuns,
    /// `state.state_details.transition_id`: a second request changes nothing, and is answered with a
    /// rejection.
    Transition,
}

/// Where to read what a create has created: below the URL of the request, by a field of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub below: &'static str,
    pub field: &'static str,
    pub read_by: Operation,
}

const fn at(below: &'static str, field: &'static str, read_by: Operation) -> Twice {
    Twice::Taken(Place {
        below,
        field,
        read_by,
    })
}

impl Operation {
    pub fn name(self) -> &'static str {
        self.0
    }

    pub fn template(self) -> &'static str {
        self.1
    }

    /// What a second request would do.
    pub fn twice(self, method: &Method) -> Twice {
        match *method {
            // One that is not in the table counts as done twice, and fails a test.
            Method::POST => post_twice(self.name()).unwrap_or(Twice::Double),
            Method::PATCH => patch_twice(self.name()),
            Method::DELETE => Twice::Gone,
            Method::PUT => Twice::Same,
            _ => Twice::Nothing,
        }
    }

    /// Whether carrying it out changes anything on the server.
    pub fn changes_something(self, method: &Method) -> bool {
        self.twice(method) != Twice::Nothing
    }

    /// Whether the server may be asked this whatever its version: such a request is about the server
    /// itself.
    pub fn is_probe(self) -> bool {
        matches!(
            self.template(),
            "/admin/version" | "/csrf-token" | "/health" | "/hello" | "/ready" | "/version"
        )
    }
}

/// A PATCH sets what it says; but one that finds its object by a name may change that name.
fn patch_twice(operation: &str) -> Twice {
    match operation {
        "update_concurrency_limit_v2"
        | "update_variable_by_name"
        | "update_work_queue_for_work_pool" => Twice::SameUnlessRenamed,
        _ => Twice::Same,
    }
}

/// The POSTs of the API.
fn post_twice(operation: &str) -> Option<Twice> {
    let twice = match operation {
        // Reading.
        "average_flow_run_lateness"
        | "flow_run_history"
        | "task_run_history"
        | "next_runs_by_flow"
        | "validate_obj"
        | "validate_template"
        | "validate_template_for_automation" => Twice::Nothing,
        read if ["read_", "count_", "filter_", "paginate_"]
            .iter()
            .any(|verb| read.starts_with(verb)) =>
        {
            Twice::Nothing
        }
        // Reading what is scheduled; when it was last asked for is noted down.
        "get_scheduled_flow_runs" | "get_scheduled_flow_runs_for_deployments" => Twice::Same,

        // Created unless it is there, by name, tag, checksum, id or key.
        "create_block_schema"
        | "create_concurrency_limit"
        | "create_deployment"
        | "create_events"
        | "create_flow"
        | "install_system_block_types" => Twice::Same,
        // The same, or slots given back by whose they are; but one that is still being done is not seen.
        "bulk_decrement_active_slots_with_lease"
        | "create_task_run"
        | "decrement_concurrency_limits_v1" => Twice::SameInTurn,
        // Set to what it then is.
        "pause_deployment"
        | "renew_concurrency_lease"
        | "reset_concurrency_limit_by_tag"
        | "resume_deployment"
        | "schedule_deployment"
        | "worker_heartbeat" => Twice::Same,

        // Known to the server by a key.
        "create_flow_run" | "create_flow_run_from_deployment" => Twice::Keyed(Key::FlowRun),
        "bulk_create_flow_runs_from_deployment" => Twice::Keyed(Key::FlowRuns),
        "set_flow_run_state" => Twice::Keyed(Key::Transition),

        // One of each name.
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

        // Done each time. A task run's state has no policy that looks at the transition id; resuming
        // what runs is refused.
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
        | "set_task_run_state" => Twice::Double,

        "bulk_delete_deployments" => Twice::SameById("deployments"),
        "bulk_delete_flow_runs" => Twice::SameById("flow_runs"),
        "bulk_delete_flows" => Twice::SameById("flows"),
        // Object by object, batch by batch.
        "bulk_set_flow_run_state" | "create_logs" => Twice::DoubleInParts,
        _ => return None,
    };
    Some(twice)
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
            .filter(|(name, ..)| post_twice(name).is_none())
            .collect();
        assert!(
            missing.is_empty(),
            "say what they do when done twice: {missing:?}"
        );
    }

    #[test]
    fn every_name_in_the_tables_is_an_operation() {
        let source = include_str!("operation.rs").split("#[cfg(test)]").next();
        let tables = source.and_then(|source| source.split_once("fn patch_twice"));
        let (_, tables) = tables.expect("the tables");
        let quoted = tables.split('"').skip(1).step_by(2);
        for name in quoted.filter(|name| {
            *name != "flow_runs"
                && name.contains('_')
                && !name.ends_with('_')
                && !name.starts_with('/')
        }) {
            let known = OPERATIONS.iter().any(|(operation, ..)| *operation == name);
            assert!(known, "{name} is no operation");
        }
    }

    #[test]
    fn what_a_create_has_made_is_read_where_the_document_says() {
        for (name, method, path) in OPERATIONS {
            if let Some(Twice::Taken(place)) = post_twice(name).filter(|_| *method == "POST") {
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
                assert_eq!(patch_twice(name), Twice::SameUnlessRenamed, "{name}");
            }
        }
    }
}
