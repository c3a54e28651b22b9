//! Unions as enums whose variants hold the value of a member.

use serde_json::Value;

use super::{Context, docs, rust_type};
use crate::codegen::document::schemas;
use crate::codegen::normalise::pascal_case;
use crate::codegen::problem::{Problem, Result};

/// Writes one enum: its member is chosen by tag where all members have one, else by the best fit.
pub fn write(context: &Context<'_>, schema: &Value) -> Result<String> {
    let members: Vec<&Value> = schema["anyOf"].as_array().into_iter().flatten().collect();
    let types = members
        .iter()
        .enumerate()
        .map(|(i, member)| rust_type::of(&format!("{}.anyOf[{i}]", context.at), member))
        .collect::<Result<Vec<_>>>()?;
    let tags: Option<Vec<(String, String)>> = members
        .iter()
        .map(|member| tag(context.document, member))
        .collect();
    let tags = tags.filter(|tags| tags.iter().all(|(key, _)| *key == tags[0].0));

    let mut out = format!(
        "union! {{\n{}    pub enum {}",
        docs::indent(&context.docs(schema)),
        context.name
    );
    if let Some((key, _)) = tags.as_ref().and_then(|tags| tags.first()) {
        out.push_str(&format!(" by {key:?}"));
    }
    out.push_str(" {\n");
    let mut names: Vec<String> = Vec::new();
    for (i, ty) in types.iter().enumerate() {
        let name = match &tags {
            Some(tags) => pascal_case(&tags[i].1),
            None => variant_name(context.name, ty, &types),
        };
        let clash = names.contains(&name) || name == "Unknown";
        if clash || syn::parse_str::<syn::Ident>(&name).is_err() {
            return Err(Problem::new(
                context.at,
                format!(
                    "no variant can be called `{name}`; a rule in normalise::unions has to merge or rename it"
                ),
            ));
        }
        match &tags {
            Some(tags) => out.push_str(&format!("        {:?} {name}({ty}),\n", tags[i].1)),
            None => out.push_str(&format!("        {name}({ty}),\n")),
        }
        names.push(name);
    }
    out.push_str("    }\n}\n");
    Ok(out)
}

/// The constant property of an object, by which a union recognises it.
fn tag(document: &Value, member: &Value) -> Option<(String, String)> {
    let schema = schemas(document).get(rust_type::target(member)?)?;
    let mut constants = schema["properties"]
        .as_object()?
        .iter()
        .filter_map(|(key, property)| {
            property.get("x-const")?;
            Some((key.clone(), property["enum"][0].as_str()?.to_owned()))
        });
    constants.next()
}

/// `Interval` for an `IntervalSchedule` in a `Schedule`; else the type's name, or its kind.
fn variant_name(union: &str, ty: &str, all: &[String]) -> String {
    if all
        .iter()
        .all(|ty| ty.len() > union.len() && ty.ends_with(union))
    {
        return ty[..ty.len() - union.len()].to_owned();
    }
    match ty {
        "String" => "Text".to_owned(),
        "i64" => "Integer".to_owned(),
        "bool" => "Bool".to_owned(),
        "Uuid" => "Id".to_owned(),
        "DateTime<Utc>" => "Time".to_owned(),
        ty if ty.starts_with("Vec<") => "List".to_owned(),
        ty if ty.starts_with("BTreeMap<") => "Map".to_owned(),
        ty => ty.to_owned(),
    }
}
