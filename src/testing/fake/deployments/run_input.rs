//! The input of a run that is resumed: checked as the parameters of runs are.

use super::hydrate::{Unfilled, hydrate};
use super::schema::{Conformity, How, Tree, conform};
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;
use crate::types::Json;

/// Why the server does not take an input.
pub(crate) enum BadInput {
    /// What it says.
    Reason(String),
    Refused(Refusal),
}

impl From<Refusal> for BadInput {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The input with what it stands for filled in.
pub(crate) fn filled_input(world: &World, input: &Json) -> Result<Json, BadInput> {
    let filled = hydrate(world, input).map_err(|unfilled| match unfilled {
        Unfilled::Message(why) => BadInput::Reason(format!("Error hydrating run input: {why}")),
        Unfilled::Refused(refusal) => BadInput::Refused(refusal),
    })?;
    // Written anew, without the spaces that were sent.
    Ok(Tree::parse(&filled).to_json())
}

/// Checks an input by the text of its schema.
pub(crate) fn check_input(input: &Json, schema: &str) -> Result<(), BadInput> {
    let schema = Json::from_text(schema.to_owned())
        .map_err(|_| BadInput::Reason("Run input schema is not valid JSON.".to_owned()))?;
    let how = How {
        preprocess: true,
        ..How::default()
    };
    match conform(&Tree::parse(input), &Tree::parse(&schema), how)? {
        Conformity::Conforms => Ok(()),
        Conformity::Violated(why) => Err(BadInput::Reason(format!("Reason: {why}"))),
        Conformity::BadSchema => Err(Refusal::message(500, "Internal Server Error").into()),
        Conformity::Circular => Err(BadInput::Reason(
            "Invalid schema: Unable to validate schema with circular references.".to_owned(),
        )),
    }
}
