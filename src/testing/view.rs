//! What a test sees of the fake, and does to it, without a client.

use uuid::Uuid;

use super::fake;
use super::server::TestServer;
use crate::types::{FlowRunResponse, ReceivedEvent, StateCreate, StateType, TaskRun};

/// What the fake holds. All of these panic on a server that [answers by rules only](super::TestServerBuilder::only_rules).
impl TestServer {
    /// The flow run.
    ///
    /// # Panics
    ///
    /// If there is none with this id.
    pub fn flow_run(&self, id: Uuid) -> FlowRunResponse {
        fake::flow_run(&self.world(), id).unwrap_or_else(|| panic!("there is no flow run {id}"))
    }

    /// The names of the states that a flow run has had, the first one first.
    ///
    /// # Panics
    ///
    /// If there is no flow run with this id.
    pub fn states(&self, id: Uuid) -> Vec<String> {
        fake::state_names(&self.world(), id).unwrap_or_else(|| panic!("there is no flow run {id}"))
    }

    /// All flow runs, in the order of their creation.
    pub fn flow_runs(&self) -> Vec<FlowRunResponse> {
        fake::flow_runs(&self.world())
    }

    /// The task runs of a flow run, in the order of their creation.
    pub fn task_runs(&self, flow_run: Uuid) -> Vec<TaskRun> {
        fake::task_runs_of(&self.world(), flow_run)
    }

    /// The log lines of a flow run and its tasks, by their times.
    pub fn lines(&self, flow_run: Uuid) -> Vec<String> {
        fake::lines_of(&self.world(), flow_run)
    }

    /// All events, in the order in which they came.
    pub fn events(&self) -> Vec<ReceivedEvent> {
        fake::all_events(&self.world())
    }

    /// Cancels a flow run as somebody at Prefect's UI does: its state becomes CANCELLING, or CANCELLED where nothing runs.
    ///
    /// # Panics
    ///
    /// If there is no flow run with this id.
    pub fn cancel(&self, id: Uuid) {
        self.set_state(id, StateCreate::new(StateType::Cancelling));
    }

    /// Proposes a state for a flow run; whether the server's rules take it shows in [`states`](Self::states).
    ///
    /// # Panics
    ///
    /// If there is no flow run with this id.
    pub fn set_state(&self, id: Uuid, state: StateCreate) {
        let known = fake::propose_state(&mut self.world(), id, state);
        assert!(known, "there is no flow run {id}");
        self.kit().note_change();
    }

    fn world(&self) -> std::sync::MutexGuard<'_, fake::World> {
        let world = self.kit().world();
        world.expect("the server answers by rules only: it has no fake")
    }
}
