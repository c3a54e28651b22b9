//! What another document changes for users, in sentences.

use std::collections::BTreeMap;
use std::fmt;

use super::surface::{Shape, Surface, Type};

/// A change, and whether code that compiled before may not compile any more.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    pub is_breaking: bool,
    pub text: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = if self.is_breaking {
            "BREAKING"
        } else {
            "addition"
        };
        write!(f, "{weight}  {}", self.text)
    }
}

/// All changes between two surfaces.
pub fn drift(old: &Surface, new: &Surface) -> Vec<Change> {
    let mut changes = Changes(Vec::new());
    let renamed = changes.renamed(old, new);
    for (name, before) in &old.types {
        match new.types.get(name) {
            Some(after) => changes.of_type(name, before, after),
            None if renamed.contains_key(name.as_str()) => {}
            None => changes.gone(name, new),
        }
    }
    let is_known = |name: &String| {
        old.types.contains_key(name) || renamed.values().any(|new| *new == name.as_str())
    };
    for (name, ty) in new.types.iter().filter(|(name, _)| !is_known(name)) {
        changes.addition(format!("the type `{name}` ({}) is new", ty.kind()));
    }
    for (name, before) in &old.functions {
        match new.functions.get(name) {
            None => changes.breaking(format!("`{name}` is gone: calls of it do not compile")),
            Some(after) if after != before => changes.breaking(format!(
                "`{name}{before}` has become `{after}`: calls of it may not compile"
            )),
            Some(_) => {}
        }
    }
    for (name, signature) in &new.functions {
        if !old.functions.contains_key(name) {
            changes.addition(format!("`{name}{signature}` is new"));
        }
    }
    changes.0
}

struct Changes(Vec<Change>);

impl Changes {
    fn breaking(&mut self, text: String) {
        self.0.push(Change {
            is_breaking: true,
            text,
        });
    }

    fn addition(&mut self, text: String) {
        self.0.push(Change {
            is_breaking: false,
            text,
        });
    }

    /// The types that have another name now: they are gone, and exactly one new type is equal.
    fn renamed<'a>(&mut self, old: &'a Surface, new: &'a Surface) -> BTreeMap<&'a str, &'a str> {
        let mut renamed = BTreeMap::new();
        for (name, before) in &old.types {
            if new.types.contains_key(name) {
                continue;
            }
            let is_new = |other: &&String| !old.types.contains_key(*other);
            let mut equal = new
                .types
                .iter()
                .filter(|(_, after)| after.shape == before.shape);
            let equal = (equal.next(), equal.next());
            if let (Some((other, _)), None) = equal
                && is_new(&other)
            {
                self.breaking(format!(
                    "the type `{name}` is called `{other}` now: pin its old name in openapi/names.yaml if it is an inline type"
                ));
                renamed.insert(name.as_str(), other.as_str());
            }
        }
        renamed
    }

    fn gone(&mut self, name: &str, new: &Surface) {
        let halves = [format!("{name}Input"), format!("{name}Output")];
        if halves.iter().all(|half| new.types.contains_key(half)) {
            let [input, output] = halves;
            let differ = match (&new.types[&input].shape, &new.types[&output].shape) {
                (Shape::Object(sent), Shape::Object(read)) => {
                    let differ = |key: &&String| sent.get(*key) != read.get(*key);
                    let keys: Vec<_> = sent.keys().chain(read.keys()).filter(differ).collect();
                    keys.iter()
                        .map(|key| format!("`{key}`"))
                        .collect::<Vec<_>>()
                        .join(", ")
                }
                _ => "the whole".to_owned(),
            };
            self.breaking(format!(
                "the type `{name}` is split into `{input}` and `{output}`, which differ in {differ}: if that means the same, \
                 make it one by a rule in codegen/normalise or an action in openapi/overlay.yaml"
            ));
        } else {
            self.breaking(format!(
                "the type `{name}` is gone: code that names it does not compile"
            ));
        }
    }

    fn of_type(&mut self, name: &str, before: &Type, after: &Type) {
        if before.is_sent && !after.is_sent && matches!(after.shape, Shape::Object(_)) {
            self.breaking(format!(
                "`{name}` is only read now: `{name}::new` and its setters are gone"
            ));
        } else if !before.is_sent && after.is_sent && matches!(after.shape, Shape::Object(_)) {
            self.addition(format!(
                "`{name}` may be sent now, by `{name}::new` and setters"
            ));
        }
        match (&before.shape, &after.shape) {
            (Shape::Object(old), Shape::Object(new)) => self.of_fields(name, after, old, new),
            (
                Shape::Enum {
                    is_open: was_open,
                    values: old,
                },
                Shape::Enum {
                    is_open,
                    values: new,
                },
            ) => {
                if was_open != is_open {
                    self.breaking(format!(
                        "the enum `{name}` {} values that it does not know",
                        if *is_open {
                            "keeps now"
                        } else {
                            "does not keep any more"
                        }
                    ));
                }
                for value in new.difference(old) {
                    self.addition(format!(
                        "the enum `{name}` has the new value `{value}`: a `match` has a wildcard already{}",
                        if after.is_sent { ", and older servers may refuse it" } else { "" }
                    ));
                }
                for value in old.difference(new) {
                    self.breaking(format!("the enum `{name}` has lost the value `{value}`"));
                }
            }
            (Shape::Union(old), Shape::Union(new)) => {
                for (variant, held) in old {
                    match new.get(variant) {
                        None => self.breaking(format!("the union `{name}` has lost `{variant}`")),
                        Some(other) if other != held => self.breaking(format!(
                            "`{name}::{variant}` holds `{other}` instead of `{held}`"
                        )),
                        Some(_) => {}
                    }
                }
                for variant in new.keys().filter(|variant| !old.contains_key(*variant)) {
                    self.addition(format!("the union `{name}` has the new member `{variant}`"));
                }
            }
            (Shape::Alias(old), Shape::Alias(new)) if old == new => {}
            (Shape::Alias(old), Shape::Alias(new)) => {
                self.breaking(format!(
                    "`{name}` was another name of `{old}` and is one of `{new}`"
                ));
            }
            (old, new) if old != new => self.breaking(format!(
                "`{name}` was {} and is {}",
                before.kind(),
                after.kind()
            )),
            _ => {}
        }
    }

    fn of_fields(
        &mut self,
        name: &str,
        after: &Type,
        old: &BTreeMap<String, (String, String)>,
        new: &BTreeMap<String, (String, String)>,
    ) {
        for (key, (old_kind, old_ty)) in old {
            let Some((kind, ty)) = new.get(key) else {
                self.breaking(format!("the field `{name}.{key}` is gone"));
                continue;
            };
            if ty != old_ty {
                self.breaking(format!(
                    "the field `{name}.{key}` is `{ty}` instead of `{old_ty}`"
                ));
            }
            if kind != old_kind {
                self.of_kind(&format!("{name}.{key}"), after, old_kind, kind);
            }
        }
        for (key, (kind, ty)) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
            let is_argument = after.is_sent && kind.starts_with("required");
            // One that may be null may also be missing from a reply.
            let is_needed = after.is_read && kind == "required";
            if is_argument {
                self.breaking(format!(
                    "the field `{name}.{key}` ({ty}) is new and required: one more argument of `{name}::new`"
                ));
            }
            if is_needed {
                self.breaking(format!(
                    "the field `{name}.{key}` ({ty}) is new and required: replies of older servers, which lack it, cannot be read \
                     unless an action in openapi/overlay.yaml makes it optional"
                ));
            }
            if !is_argument && !is_needed {
                self.addition(format!("the field `{name}.{key}` ({ty}) is new"));
            }
        }
    }

    /// Another kind of field: what that means depends on whether it is sent or only read.
    fn of_kind(&mut self, field: &str, ty: &Type, old: &str, new: &str) {
        let rust = |kind: &str| match kind {
            "required" => "its bare type",
            "optional" | "json" => "an `Option`",
            "constant" => "a constant",
            _ => "a `Field`",
        };
        let said = |kind: &str| match kind {
            "required" => "required",
            "required_nullable" => "required, or null",
            "optional" | "json" => "optional",
            "nullable" => "optional, or null",
            "value_only" => "optional, or null, which is not sent",
            _ => "constant",
        };
        let what = format!("the field `{field}` was {} and is {}", said(old), said(new));
        let argument = match (old.starts_with("required"), new.starts_with("required")) {
            (true, false) if ty.is_sent => ", one argument of `new` less",
            (false, true) if ty.is_sent => ", one more argument of `new`",
            (false, true) if new == "required" => ", so that replies without it cannot be read",
            _ => "",
        };
        if rust(old) == rust(new) && argument.is_empty() {
            // A setter that takes no null any more, or that takes it now.
            match new {
                "value_only" => {
                    self.breaking(format!("{what}: its setter takes no `None` any more"))
                }
                _ => self.addition(what),
            }
        } else {
            self.breaking(format!(
                "{what}: it is {} instead of {}{argument}",
                rust(new),
                rust(old)
            ));
        }
    }
}

impl Type {
    fn kind(&self) -> &'static str {
        match (&self.shape, self.is_sent, self.is_read) {
            (Shape::Object(_), true, true) => "an object, sent and read",
            (Shape::Object(_), true, false) => "an object, sent",
            (Shape::Object(_), false, _) => "an object, read",
            (Shape::Enum { .. }, ..) => "an enum",
            (Shape::Union(_), ..) => "a union",
            (Shape::Alias(_), ..) => "another name",
        }
    }
}
