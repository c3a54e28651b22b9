//! Variables.

use serde_json::{Value, json};
use uuid::Uuid;

use super::call::Call;
use super::filter::{self, Column};
use super::lifecycle::{Change, Object, emit};
use super::page;
use super::reply::{Refusal, Reply};
use super::world::{Handler, World, row};
use crate::types::{Variable, VariableCreate, VariableUpdate};

/// The most characters of a name.
const MAX_NAME: usize = 255;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("create_variable", create),
    ("read_variable", read),
    ("read_variable_by_name", read_by_name),
    ("read_variables", list),
    ("count_variables", count),
    ("update_variable", update),
    ("update_variable_by_name", update_by_name),
    ("delete_variable", delete),
    ("delete_variable_by_name", delete_by_name),
];

fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: VariableCreate = call.body()?;
    check_name(&body.name)?;
    if by_name(world, &body.name).is_ok() {
        return Err(Refusal::detail(
            409,
            format!("A variable with the name '{}' already exists.", body.name),
        ));
    }
    let id = Uuid::new_v4();
    let mut variable: Variable = row(json!({
        "id": id, "created": world.now, "updated": world.now, "name": body.name, "value": null, "tags": [],
    }))?;
    variable.value = body.value;
    variable.tags = Some(body.tags.unwrap_or_default());
    world.variables.insert(id, variable);
    tell(world, Change::Created, id);
    Ok(Reply::created(found(world, id)?))
}

fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(found(world, call.id("id")?)?))
}

fn read_by_name(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = by_name(world, call.text("name"))?;
    Ok(Reply::ok(found(world, id)?))
}

fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let mut rows = matching(world, &body["variables"])?;
    match page::sort(&body, "NAME_ASC") {
        "NAME_ASC" => rows.sort_by(|a, b| a.name.cmp(&b.name)),
        "NAME_DESC" => rows.sort_by(|a, b| b.name.cmp(&a.name)),
        "CREATED_DESC" => page::descending(&mut rows, |row| *row.created),
        "UPDATED_DESC" => page::descending(&mut rows, |row| *row.updated),
        other => return Err(Refusal::unsupported(format!("the order {other}"))),
    }
    Ok(Reply::ok(&page::page(rows, &body)?))
}

fn count(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(
        &matching(world, &call.json()?["variables"])?.len(),
    ))
}

fn update(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    change(world, id, call.body()?)
}

fn update_by_name(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.body()?;
    let id = by_name(world, call.text("name"))?;
    change(world, id, body)
}

fn change(world: &mut World, id: Uuid, body: VariableUpdate) -> Result<Reply, Refusal> {
    let now = world.now;
    body.name.as_deref().map_or(Ok(()), check_name)?;
    found(world, id)?;
    if let Some(name) = body.name.as_deref()
        && by_name(world, name).is_ok_and(|other| other != id)
    {
        return Err(Refusal::integrity());
    }
    // Neither column takes null.
    if body.name.is_null() || body.tags.is_null() {
        return Err(Refusal::integrity());
    }
    if let Some(variable) = world.variables.get_mut(id) {
        variable.updated = now.into();
        if let Some(name) = body.name.into_option() {
            variable.name = name;
        }
        if let Some(value) = body.value {
            variable.value = value;
        }
        if let Some(tags) = body.tags.into_option() {
            variable.tags = Some(tags);
        }
    }
    tell(world, Change::Updated, id);
    Ok(Reply::no_content())
}

/// Refuses a name that the server does.
fn check_name(name: &str) -> Result<(), Refusal> {
    let is_allowed =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    match name.len() <= MAX_NAME && name.chars().all(is_allowed) {
        true => Ok(()),
        false => Err(Refusal::invalid(
            &["body", "name"],
            "value_error",
            "Value error, Variable name must only contain lowercase letters, numbers, and dashes or underscores.",
        )),
    }
}

fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    found(world, id)?;
    Ok(remove(world, id))
}

fn delete_by_name(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = by_name(world, call.text("name"))?;
    Ok(remove(world, id))
}

fn remove(world: &mut World, id: Uuid) -> Reply {
    tell(world, Change::Deleted, id);
    world.variables.remove(id);
    Reply::no_content()
}

/// Emits the event of a change.
fn tell(world: &mut World, change: Change, id: Uuid) {
    let Some(variable) = world.variables.get(id) else {
        return;
    };
    let name = variable.name.clone();
    let payload = json!({"name": name, "value": variable.value, "tags": variable.tags});
    let object = Object {
        kind: "variable",
        id,
        name: &name,
        related: Vec::new(),
    };
    emit(world, change, object, &payload);
}

fn found(world: &World, id: Uuid) -> Result<&Variable, Refusal> {
    world.variables.get(id).ok_or_else(missing)
}

fn by_name(world: &World, name: &str) -> Result<Uuid, Refusal> {
    let row = world.variables.find(|row| row.name == name);
    row.map(|row| row.id).ok_or_else(missing)
}

fn missing() -> Refusal {
    Refusal::not_found("Variable not found.")
}

fn matching<'a>(world: &'a World, filter: &Value) -> Result<Vec<&'a Variable>, Refusal> {
    world.select(&world.variables, |row| {
        filter::matches(filter, &move |word, _| {
            Some(match word {
                "id" => Column::Id(Some(row.id)),
                "name" => Column::Text(Some(&row.name)),
                "tags" => Column::Tags(row.tags.as_deref().unwrap_or_default()),
                _ => return None,
            })
        })
    })
}
