//! The inputs of task runs, as the server completes them.

use std::collections::BTreeMap;

use crate::types::{Tag, TaskRunInput};

type Inputs = BTreeMap<String, Vec<TaskRunInput>>;

/// The inputs with the words that say what each is, and without what the server does not know; `None` where one is none.
pub(super) fn complete(mut inputs: Inputs) -> Option<Inputs> {
    for input in inputs.values_mut().flatten() {
        let (tag, extra) = match input {
            TaskRunInput::TaskRun(input) => (&mut input.input_type, &mut input.extra),
            TaskRunInput::FlowRun(input) => (&mut input.input_type, &mut input.extra),
            TaskRunInput::Parameter(input) => (&mut input.input_type, &mut input.extra),
            TaskRunInput::Constant(input) => (&mut input.input_type, &mut input.extra),
            TaskRunInput::Unknown(_) => return None,
        };
        *tag = Tag::SENT;
        extra.clear();
    }
    Some(inputs)
}
