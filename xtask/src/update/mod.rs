//! `cargo xtask update`: takes the OpenAPI document of another version of Prefect, in one command.
//!
//! What follows from the document is written; what a person must decide is printed.

pub mod drift;
mod making;
#[path = "../../../src/local_server/requirements.rs"]
mod requirements;
pub mod stubs;
pub mod surface;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::Digest as _;

use crate::check::run;
use crate::codegen::document::{self, Operation, operations};
use crate::codegen::resources::{Table, unaccounted};
use crate::codegen::tables::{NAMES, NULLS, RESOURCES, Tables};
use crate::codegen::{Lowered, lower};
use crate::structure::read;
use drift::{Change, drift};
use making::{Environment, Made, to_yaml};
use surface::Surface;

/// The files that are written, from the folder of the workspace.
const DOCUMENT: &str = "openapi/prefect.yaml";
const SOURCE: &str = "openapi/source.yaml";
const SURFACE: &str = "openapi/surface.txt";
const README: &str = "README.md";
const CALLS: &str = "tests/all/coverage/unplaced.rs";

/// What to take, and whether to change anything.
pub struct Options {
    version: String,
    /// The file with the document, if it is not made.
    document: Option<PathBuf>,
    check: bool,
}

impl Options {
    /// Reads the arguments after `update`.
    pub fn read(arguments: &[&str]) -> Option<Self> {
        let [version, rest @ ..] = arguments else {
            return None;
        };
        let parts: Vec<_> = version.split('.').collect();
        let is_number = |part: &&str| part.parse::<u32>().is_ok();
        if parts.len() != 3 || parts[0] != "3" || !parts.iter().all(is_number) {
            return None;
        }
        let mut options = Self {
            version: (*version).to_owned(),
            document: None,
            check: false,
        };
        let mut rest = rest.iter();
        while let Some(option) = rest.next() {
            match *option {
                "--check" => options.check = true,
                "--document" => options.document = Some(PathBuf::from(rest.next()?)),
                _ => return None,
            }
        }
        Some(options)
    }
}

/// Takes the document of a version, and prints the drift and what is left to do.
pub fn update(root: &Path, options: &Options) -> Result<(), String> {
    let environment = match options.document {
        Some(_) => None,
        None => Some(Environment::install(&options.version)?),
    };
    let made = match (&options.document, &environment) {
        (Some(path), _) => Made {
            document: document::read(path).map_err(|problem| problem.to_string())?,
            frameworks: json!({}),
        },
        (None, Some(environment)) => environment.make()?,
        (None, None) => unreachable!("one of them is there"),
    };
    let planned = Plan::new(root, options, &made, environment.as_ref())?;
    planned.print();
    let changed = planned.changed(root)?;
    if options.check {
        return match changed.is_empty() {
            true => Ok(()),
            false => Err(format!("these files would change: {}", changed.join(", "))),
        };
    }
    for file in &changed {
        write(&root.join(file), &planned.files[file.as_str()])?;
    }
    println!("\nwritten: {}", changed.join(", "));
    let finished = finish(root);
    planned.print_todo();
    finished
}

/// What the update writes and says.
pub struct Plan {
    files: BTreeMap<&'static str, Vec<u8>>,
    changes: Vec<Change>,
    todo: Vec<String>,
}

impl Plan {
    fn new(
        root: &Path,
        options: &Options,
        made: &Made,
        environment: Option<&Environment>,
    ) -> Result<Self, String> {
        let text = |file: &str| read(&root.join(file));
        let (old, new) = (vendored(root)?, made.document.clone());
        let version = &options.version;
        let tables = Tables::read(&root.join("openapi")).map_err(|problem| problem.to_string())?;
        let resources = text("openapi/resources.yaml")?;
        let table = parse_table(&resources)?;
        let before =
            lower(old, &tables).map_err(|problem| format!("the vendored document: {problem}"))?;
        let after = lower(new, &tables).map_err(|problem| {
            format!(
                "the document of {version} has something that no rule knows: {problem}\n\
                 add a rule in codegen/normalise, or an action in openapi/overlay.yaml if it is peculiar to Prefect"
            )
        })?;
        let stubs = stubs::stubs(&after.document, &table)?;
        let resources = stubs::write(&resources, &stubs)?;
        let names = stubs::write_names(
            &text("openapi/names.yaml")?,
            &after.names.unpinned,
            &after.names.obsolete,
        );
        let surface_of = |lowered: &Lowered, table: &Table| {
            Surface::of(&lowered.document, table).map_err(|problem| problem.to_string())
        };
        let table = parse_table(&resources)?;
        let (old, new) = (surface_of(&before, &table)?, surface_of(&after, &table)?);
        let yaml = to_yaml(&made.document, environment)?;
        let count = operations(&after.document).len();
        // The same document may be made with other patches of the frameworks.
        let is_same = fs::read(root.join(DOCUMENT)).is_ok_and(|known| known == yaml);
        let source = match is_same {
            true => text(SOURCE)?,
            false => source(version, &made.frameworks, &yaml),
        };
        let files = BTreeMap::from([
            (SOURCE, source.into_bytes()),
            (DOCUMENT, yaml),
            (SURFACE, new.text().into_bytes()),
            ("openapi/resources.yaml", resources.into_bytes()),
            ("openapi/names.yaml", names.into_bytes()),
            (README, readme(&text(README)?, version, count)?.into_bytes()),
            (
                CALLS,
                stubs::write_calls(&text(CALLS)?, &stubs)?.into_bytes(),
            ),
        ]);
        Ok(Self {
            files,
            changes: drift(&old, &new),
            todo: todo(&after, &before, &table, &stubs)?,
        })
    }

    fn print(&self) {
        for change in &self.changes {
            println!("{change}");
        }
        let breaking = self
            .changes
            .iter()
            .filter(|change| change.is_breaking)
            .count();
        match (self.changes.len(), breaking) {
            (0, _) => println!("no drift: users of the SDK see no difference"),
            (all, 0) => println!(
                "{all} changes, none of them breaking: a minor version (a patch before 1.0)"
            ),
            (all, breaking) => println!(
                "{all} changes, {breaking} of them breaking: a major version (a minor one before 1.0)"
            ),
        }
    }

    /// The files whose text is another now.
    fn changed(&self, root: &Path) -> Result<Vec<String>, String> {
        let mut changed = Vec::new();
        for (file, text) in &self.files {
            if fs::read(root.join(file)).ok().as_ref() != Some(text) {
                changed.push((*file).to_owned());
            }
        }
        Ok(changed)
    }

    fn print_todo(&self) {
        println!("\nleft for a person:");
        for line in &self.todo {
            println!("* {line}");
        }
        println!("* read the drift above, and say in CHANGELOG.md what users should know of it");
        println!("* run `cargo xtask check`");
    }
}

/// What a person must decide, a line each.
fn todo(
    after: &Lowered,
    before: &Lowered,
    table: &Table,
    stubs: &[stubs::Stub],
) -> Result<Vec<String>, String> {
    let mut todo = Vec::new();
    for stub in stubs {
        todo.push(format!(
            "openapi/resources.yaml: review the place, the name and the summary of `{}` (`client.{}().{}`)",
            stub.operation, stub.resource, stub.method
        ));
        let call = match stub.needs_nothing {
            true => format!("move the call of `{}` out of {CALLS}", stub.operation),
            false => format!(
                "tests/all/coverage/: call `{}`, which needs arguments",
                stub.operation
            ),
        };
        todo.push(call);
    }
    let (_, obsolete) =
        unaccounted(&after.document, table).map_err(|problem| problem.to_string())?;
    for operation in obsolete {
        todo.push(format!(
            "openapi/{RESOURCES}: `{operation}` does not exist any more: remove its line, and its call in tests/all/coverage/"
        ));
    }
    let known: Vec<_> = operations(&before.document);
    let is_new_post = |operation: &&Operation<'_>| {
        operation.method == "post" && !known.iter().any(|old| old.id() == operation.id())
    };
    for operation in operations(&after.document).iter().filter(is_new_post) {
        todo.push(format!(
            "src/transport/idempotency.rs: may `{}` be sent again after a lost reply?",
            operation.id().unwrap_or_default()
        ));
    }
    for field in &after.nulls.unknown {
        todo.push(format!(
            "openapi/{NULLS}: what does null do to `{field}`? (Its test tries every line.)"
        ));
    }
    for field in &after.nulls.obsolete {
        todo.push(format!(
            "openapi/{NULLS}: `{field}` does not exist, or cannot be null, any more"
        ));
    }
    for parameter in &after.dropped {
        todo.push(format!(
            "codegen/normalise/parameters.rs: callers cannot set `{parameter}`, because its operation has a body, too"
        ));
    }
    for (name, at) in &after.names.unpinned {
        todo.push(format!(
            "openapi/{NAMES}: is `{name}` a good name for {at}?"
        ));
    }
    for action in after
        .overlay
        .iter()
        .filter(|action| action.hits == 0 && !action.older)
    {
        todo.push(format!(
            "openapi/overlay.yaml: nothing has the target `{}` any more",
            action.target
        ));
    }
    for (rule, _) in after.rules.iter().filter(|(_, hits)| *hits == 0) {
        todo.push(format!(
            "codegen/normalise: the rule `{rule}` matches nothing any more"
        ));
    }
    Ok(todo)
}

/// Rewrites the summaries that the generator's tests compare, and compiles the whole workspace.
fn finish(root: &Path) -> Result<(), String> {
    let mut failed = Vec::new();
    for command in [
        "UPDATE_GOLDEN=1 cargo test --quiet -p xtask --test generator",
        "cargo fmt --all",
        "cargo check --quiet --workspace --all-targets --all-features",
    ] {
        failed.extend(run(root, command).err());
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "\n{}: the files are written, but what its output names needs a person",
            failed.join(", ")
        )),
    }
}

fn vendored(root: &Path) -> Result<Value, String> {
    document::read(&root.join(DOCUMENT)).map_err(|problem| problem.to_string())
}

fn parse_table(text: &str) -> Result<Table, String> {
    let parsed = document::parse(text).and_then(|document| Table::read(&document));
    parsed.map_err(|problem| problem.to_string())
}

/// Where the document comes from: the one place that names the version.
fn source(version: &str, frameworks: &Value, yaml: &[u8]) -> String {
    let mut text = format!(
        "# Where prefect.yaml comes from. `cargo xtask update` writes this; the build and the tests read the version here.\n\
         prefect: \"{version}\"\n"
    );
    for (name, version) in frameworks.as_object().into_iter().flatten() {
        text.push_str(&format!("{name}: {version}\n"));
    }
    text.push_str(&format!("sha256: {}\n", sha256(yaml)));
    text
}

/// The SHA-256 of a file, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = sha2::Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The README with the version and the number of operations.
fn readme(text: &str, version: &str, count: usize) -> Result<String, String> {
    const SENTENCE: &str = "The types and operations are those of Prefect ";
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let missing = || format!("README.md has lost the sentence {SENTENCE:?} or the table after it");
    let sentence = lines
        .iter()
        .position(|line| line.starts_with(SENTENCE))
        .ok_or_else(missing)?;
    let rest = lines[sentence][SENTENCE.len()..]
        .split_once(". ")
        .map(|(_, rest)| rest.to_owned());
    lines[sentence] = format!("{SENTENCE}{version}. {}", rest.ok_or_else(missing)?);
    let row = lines[sentence..]
        .iter()
        .position(|line| line.contains("| all ") && !line.contains("its own"));
    let row = sentence + row.ok_or_else(missing)?;
    lines[row] = format!("| {version} | all {count} |");
    Ok(lines.join("\n") + "\n")
}

fn write(path: &Path, text: &[u8]) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
