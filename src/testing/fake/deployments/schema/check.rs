//! `Checker`: the keywords of a schema, one by one.

use super::meta::is_unique;
use super::problem::{Problem, Step};
use super::tree::{Quoted, Tree};

/// How deep references may go: beyond that Python gives up.
const MAX_DEPTH: usize = 200;

/// The formats that jsonschema may check.
const FORMATS: [&str; 19] = [
    "color",
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uuid",
];

/// Why a validation ends without a result.
pub(super) enum Stop {
    Circular,
    Unsupported(String),
}

/// Validates by one schema.
pub(super) struct Checker<'a> {
    root: &'a Tree,
    with_formats: bool,
}

impl<'a> Checker<'a> {
    pub(super) fn new(root: &'a Tree, with_formats: bool) -> Self {
        Self { root, with_formats }
    }

    pub(super) fn problems(&self, value: &Tree) -> Result<Vec<Problem>, Stop> {
        self.descend(value, self.root, 0)
    }

    fn descend(&self, value: &Tree, schema: &Tree, depth: usize) -> Result<Vec<Problem>, Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Circular);
        }
        let entries = match schema {
            Tree::Bool(false) => {
                let why = format!("False schema does not allow {value}");
                return Ok(vec![problem("", why)]);
            }
            Tree::Object(entries) => entries,
            _ => return Ok(Vec::new()),
        };
        let matches_type = schema.get("type").is_some_and(|kind| is_of(value, kind));
        let mut found = Vec::new();
        for (key, wanted) in entries {
            let mut problems = self.keyword(key, wanted, value, schema, depth + 1)?;
            for problem in &mut problems {
                // What comes from a schema further down has its type from there.
                let is_own = problem.path.is_empty() && !matches!(&**key, "$ref" | "allOf");
                problem.matches_type |= matches_type && is_own;
            }
            found.append(&mut problems);
        }
        Ok(found)
    }

    fn keyword(
        &self,
        key: &str,
        wanted: &Tree,
        value: &Tree,
        schema: &Tree,
        depth: usize,
    ) -> Result<Vec<Problem>, Stop> {
        let number = wanted.number();
        let one = |keyword, is_wrong: bool, why: &dyn Fn() -> String| {
            Ok(match is_wrong {
                true => vec![problem(keyword, why())],
                false => Vec::new(),
            })
        };
        // Whether a number of the value and the wanted one are in this relation.
        let compare = |has: Option<f64>, is_wrong: fn(&f64, &f64) -> bool| {
            has.zip(number)
                .is_some_and(|(has, wanted)| is_wrong(&has, &wanted))
        };
        let length = value.text().map(|text| text.chars().count() as f64);
        let items = value.items().map(|items| items.len() as f64);
        let members = value.entries().map(|entries| entries.len() as f64);
        let too = |empty: &str, otherwise: &str, edge: f64| match number == Some(edge) {
            true => format!("{value} {empty}"),
            false => format!("{value} {otherwise}"),
        };
        let (empty, full) = ("is expected to be empty", "should be non-empty");
        match key {
            "type" => one("type", !is_of(value, wanted), &|| {
                let names = wanted.items().unwrap_or(std::slice::from_ref(wanted));
                let names: Vec<_> = names.iter().map(Tree::to_string).collect();
                format!("{value} is not of type {}", names.join(", "))
            }),
            "enum" => {
                let values = wanted.items().unwrap_or_default();
                let is_wrong = !values.iter().any(|wanted| wanted.equals(value));
                one("enum", is_wrong, &|| {
                    format!("{value} is not one of {wanted}")
                })
            }
            "const" => one("const", !wanted.equals(value), &|| {
                format!("{wanted} was expected")
            }),
            "minimum" => one("minimum", compare(value.number(), f64::lt), &|| {
                format!("{value} is less than the minimum of {wanted}")
            }),
            "maximum" => one("maximum", compare(value.number(), f64::gt), &|| {
                format!("{value} is greater than the maximum of {wanted}")
            }),
            "exclusiveMinimum" => one(
                "exclusiveMinimum",
                compare(value.number(), f64::le),
                &|| format!("{value} is less than or equal to the minimum of {wanted}"),
            ),
            "exclusiveMaximum" => one(
                "exclusiveMaximum",
                compare(value.number(), f64::ge),
                &|| format!("{value} is greater than or equal to the maximum of {wanted}"),
            ),
            "minLength" => one("minLength", compare(length, f64::lt), &|| {
                too(full, "is too short", 1.0)
            }),
            "maxLength" => one("maxLength", compare(length, f64::gt), &|| {
                too(empty, "is too long", 0.0)
            }),
            "minItems" => one("minItems", compare(items, f64::lt), &|| {
                too(full, "is too short", 1.0)
            }),
            "maxItems" => one("maxItems", compare(items, f64::gt), &|| {
                too(empty, "is too long", 0.0)
            }),
            "minProperties" => one("minProperties", compare(members, f64::lt), &|| {
                too(full, "does not have enough properties", 1.0)
            }),
            "maxProperties" => one("maxProperties", compare(members, f64::gt), &|| {
                too(empty, "has too many properties", 0.0)
            }),
            "uniqueItems" => {
                let is_wrong = wanted.is_truthy() && value.items().is_some_and(|i| !is_unique(i));
                one("uniqueItems", is_wrong, &|| {
                    format!("{value} has non-unique elements")
                })
            }
            "required" => Ok(missing(value, wanted)),
            "properties" => self.properties(value, wanted, depth),
            "additionalProperties" => self.additional(value, wanted, schema, depth),
            "prefixItems" => {
                let schemas = wanted.items().unwrap_or_default();
                let pairs = value.items().unwrap_or_default().iter().zip(schemas);
                self.each(pairs.enumerate(), depth)
            }
            "items" => self.items(value, wanted, schema, depth),
            "allOf" => {
                let mut found = Vec::new();
                for schema in wanted.items().unwrap_or_default() {
                    found.append(&mut self.descend(value, schema, depth)?);
                }
                Ok(found)
            }
            "anyOf" => self.alternatives("anyOf", value, wanted, depth),
            "oneOf" => self.alternatives("oneOf", value, wanted, depth),
            "$ref" => {
                let target = wanted.text().and_then(|path| self.resolve(path));
                let target =
                    target.ok_or_else(|| Stop::Unsupported(format!("the reference {wanted}")))?;
                self.descend(value, target, depth)
            }
            "format" if self.with_formats && value.text().is_some() => {
                let is_checked = wanted.text().is_some_and(|name| FORMATS.contains(&name));
                match is_checked {
                    true => Err(Stop::Unsupported(format!("the format {wanted}"))),
                    false => Ok(Vec::new()),
                }
            }
            "pattern" if value.text().is_none() => Ok(Vec::new()),
            "$dynamicRef"
            | "$id"
            | "$anchor"
            | "$dynamicAnchor"
            | "contains"
            | "dependentRequired"
            | "dependentSchemas"
            | "if"
            | "multipleOf"
            | "not"
            | "pattern"
            | "patternProperties"
            | "propertyNames"
            | "unevaluatedItems"
            | "unevaluatedProperties" => {
                Err(Stop::Unsupported(format!("the keyword `{key}` of schemas")))
            }
            "$schema" if !wanted.text().is_some_and(|of| of.contains("2020-12")) => {
                Err(Stop::Unsupported(format!("schemas of {wanted}")))
            }
            _ => Ok(Vec::new()),
        }
    }

    fn properties(&self, value: &Tree, wanted: &Tree, depth: usize) -> Result<Vec<Problem>, Stop> {
        let mut found = Vec::new();
        for (name, schema) in wanted.entries().unwrap_or_default() {
            if let Some(member) = value.get(name) {
                let problems = self.descend(member, schema, depth)?;
                found.extend(at(problems, &Step::Key(name.clone())));
            }
        }
        Ok(found)
    }

    fn additional(
        &self,
        value: &Tree,
        wanted: &Tree,
        schema: &Tree,
        depth: usize,
    ) -> Result<Vec<Problem>, Stop> {
        if schema.get("patternProperties").is_some() {
            return Err(Stop::Unsupported("`patternProperties` of schemas".into()));
        }
        let declared = schema.get("properties");
        let is_declared = |name: &str| declared.is_some_and(|names| names.get(name).is_some());
        let members = value.entries().unwrap_or_default().iter();
        let mut extra: Vec<_> = members.filter(|(name, _)| !is_declared(name)).collect();
        extra.sort_by(|(one, _), (two, _)| one.cmp(two));
        let mut found = Vec::new();
        if wanted.entries().is_some() {
            for (name, member) in extra {
                let problems = self.descend(member, wanted, depth)?;
                found.extend(at(problems, &Step::Key(name.clone())));
            }
        } else if matches!(wanted, Tree::Bool(false)) && !extra.is_empty() {
            let verb = if extra.len() == 1 { "was" } else { "were" };
            let names: Vec<_> = extra
                .iter()
                .map(|(name, _)| Quoted(name).to_string())
                .collect();
            let names = names.join(", ");
            let why = format!("Additional properties are not allowed ({names} {verb} unexpected)");
            found.push(problem("additionalProperties", why));
        }
        Ok(found)
    }

    fn items(
        &self,
        value: &Tree,
        wanted: &Tree,
        schema: &Tree,
        depth: usize,
    ) -> Result<Vec<Problem>, Stop> {
        let prefix = schema.get("prefixItems").and_then(Tree::items);
        let prefix = prefix.map_or(0, <[Tree]>::len);
        let all = value.items().unwrap_or_default();
        let extra = all.get(prefix..).unwrap_or_default();
        if !matches!(wanted, Tree::Bool(false)) || extra.is_empty() {
            let pairs = all.iter().enumerate().skip(prefix);
            return self.each(pairs.map(|(i, item)| (i, (item, wanted))), depth);
        }
        let rest = match extra {
            [one] => one.clone(),
            many => Tree::List(many.to_vec()),
        };
        let noun = if prefix == 1 { "item" } else { "items" };
        let count = extra.len();
        let why = format!("Expected at most {prefix} {noun} but found {count} extra: {rest}");
        Ok(vec![problem("items", why)])
    }

    fn each<'t>(
        &self,
        pairs: impl Iterator<Item = (usize, (&'t Tree, &'t Tree))>,
        depth: usize,
    ) -> Result<Vec<Problem>, Stop> {
        let mut found = Vec::new();
        for (index, (item, schema)) in pairs {
            let problems = self.descend(item, schema, depth)?;
            found.extend(at(problems, &Step::Index(index)));
        }
        Ok(found)
    }

    fn alternatives(
        &self,
        keyword: &'static str,
        value: &Tree,
        wanted: &Tree,
        depth: usize,
    ) -> Result<Vec<Problem>, Stop> {
        let (mut context, mut fitting) = (Vec::new(), Vec::new());
        for schema in wanted.items().unwrap_or_default() {
            let problems = self.descend(value, schema, depth)?;
            match problems.is_empty() {
                true if keyword == "anyOf" => return Ok(Vec::new()),
                true => fitting.push(schema),
                false => context.extend(problems),
            }
        }
        match &*fitting {
            [] => {
                let why = format!("{value} is not valid under any of the given schemas");
                let problem = problem(keyword, why);
                Ok(vec![Problem { context, ..problem }])
            }
            [first, more @ ..] if keyword == "oneOf" && !more.is_empty() => {
                let all: Vec<_> = more.iter().chain([first]).map(|s| s.to_string()).collect();
                let why = format!("{value} is valid under each of {}", all.join(", "));
                Ok(vec![problem(keyword, why)])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// What a reference within the schema leads to.
    fn resolve(&self, reference: &str) -> Option<&'a Tree> {
        let mut at = self.root;
        for step in reference.strip_prefix('#')?.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            at = match at {
                Tree::List(items) => items.get(step.parse::<usize>().ok()?)?,
                other => other.get(&step)?,
            };
        }
        Some(at)
    }
}

fn problem(keyword: &'static str, message: String) -> Problem {
    Problem {
        path: Vec::new(),
        keyword,
        message,
        matches_type: false,
        context: Vec::new(),
    }
}

fn at(mut problems: Vec<Problem>, step: &Step) -> Vec<Problem> {
    for problem in &mut problems {
        problem.path.insert(0, step.clone());
    }
    problems
}

fn missing(value: &Tree, names: &Tree) -> Vec<Problem> {
    if value.entries().is_none() {
        return Vec::new();
    }
    let names = names.items().unwrap_or_default().iter();
    let names = names.filter_map(Tree::text);
    let missing = names.filter(|name| value.get(name).is_none());
    let why = missing.map(|name| format!("{} is a required property", Quoted(name)));
    why.map(|why| problem("required", why)).collect()
}

/// Whether a value is of a type, or of one of several.
fn is_of(value: &Tree, kind: &Tree) -> bool {
    let is_one = |kind: &Tree| match kind.text() {
        Some("array") => value.items().is_some(),
        Some("object") => value.entries().is_some(),
        Some("string") => value.text().is_some(),
        Some("null") => matches!(value, Tree::Null),
        Some("boolean") => matches!(value, Tree::Bool(_)),
        Some("number") => value.number().is_some(),
        Some("integer") => value.is_integer(),
        _ => false,
    };
    match kind {
        Tree::List(kinds) => kinds.iter().any(is_one),
        kind => is_one(kind),
    }
}
