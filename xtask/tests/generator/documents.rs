//! Whole documents: the vendored one, and those of older versions.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::codegen::document::{self, operations, schemas};
use crate::codegen::resources::{Table, unaccounted};
use crate::codegen::tables::Tables;
use crate::codegen::{Lowered, lower, write};
use xtask::update::sha256;
use xtask::update::surface::Surface;

/// The documents of older versions, and the vendored one.
const VERSIONS: [&str; 7] = [
    "3.0.11", "3.4.25", "3.5.0", "3.6.29", "3.8.8", "3.9.0", VENDORED,
];
pub const VENDORED: &str = "vendored";

pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

pub fn read(version: &str) -> Value {
    if version == VENDORED {
        return document::read(&root().join("openapi/prefect.yaml"))
            .expect("the vendored document");
    }
    let path = root().join(format!("tests/documents/prefect-{version}.json.gz"));
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("a document");
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("gzipped text");
    document::parse(&text).expect("an OpenAPI document")
}

pub fn tables() -> Tables {
    Tables::read(&root().join("openapi")).expect("the tables")
}

pub fn table() -> Table {
    let handles = document::read(&root().join("openapi/resources.yaml")).expect("the resources");
    Table::read(&handles).expect("a table of resources")
}

fn lowered(version: &str) -> Lowered {
    lower(read(version), &tables()).unwrap_or_else(|problem| panic!("{version}: {problem}"))
}

#[test]
fn every_version_becomes_a_client_without_an_edit() {
    for version in VERSIONS {
        let document = lowered(version).document;
        for (file, text) in
            write(&document, &table()).unwrap_or_else(|problem| panic!("{version}: {problem}"))
        {
            // Macro calls and items alike must parse as Rust.
            if let Err(error) = syn::parse_file(&text) {
                panic!("{version}: {file} is not Rust: {error}");
            }
        }
    }
}

#[test]
fn every_operation_has_a_resource_or_a_reason_to_have_none() {
    let (unassigned, obsolete) = unaccounted(&lowered(VENDORED).document, &table()).expect("names");
    assert_eq!(
        unassigned,
        Vec::<String>::new(),
        "give them a place in openapi/resources.yaml"
    );
    assert_eq!(
        obsolete,
        Vec::<String>::new(),
        "no operation has these names any more"
    );
    for (operation, reason) in &table().elsewhere {
        assert!(reason.len() > 20, "{operation} has no reason");
    }
}

#[test]
fn an_operation_that_the_table_does_not_have_is_noticed() {
    let mut document = lowered(VENDORED).document;
    let flows = document["paths"]["/flows/"]["post"].clone();
    document["paths"]["/flows/newer"]["post"] = flows;
    document["paths"]["/flows/newer"]["post"]["operationId"] = json!("create_newer_flow");
    let (unassigned, _) = unaccounted(&document, &table()).expect("names");
    assert_eq!(unassigned, ["create_newer_flow"]);
}

#[test]
fn all_operations_are_methods_and_none_is_named_after_its_path() {
    let upstream = read(VENDORED);
    let document = lowered(VENDORED).document;
    let files = write(&document, &table()).expect("generates");
    let (_, client) = &files[0];
    let methods: BTreeSet<&str> = client
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub async fn "))
        .filter_map(|line| line.split(['<', '(', ' ']).next())
        .collect();
    assert_eq!(methods.len(), operations(&upstream).len());
    for operation in operations(&document) {
        let id = operation.id().expect("a name");
        assert!(methods.contains(id), "{id}");
        for end in ["_get", "_post", "_put", "_patch", "_delete", "__"] {
            assert!(
                !id.ends_with(end) && !id.contains("__"),
                "{id} is named after {}",
                operation.path
            );
        }
    }
}

#[test]
fn no_default_is_left_anywhere() {
    fn search(value: &Value, at: &str) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    // `default` may only be a property's name.
                    assert!(
                        key != "default" || at.ends_with(".properties"),
                        "{at}.default"
                    );
                    search(value, &format!("{at}.{key}"));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| search(item, at)),
            _ => {}
        }
    }
    search(&lowered(VENDORED).document, "$");
}

#[test]
fn the_document_is_the_one_that_its_source_names_and_the_readme_counts_it() {
    let file = |path: &str| std::fs::read_to_string(root().join(path)).expect(path);
    let source = document::parse(&file("openapi/source.yaml")).expect("YAML");
    let sum = sha256(file("openapi/prefect.yaml").as_bytes());
    assert_eq!(source["sha256"], json!(sum), "run `cargo xtask update`");
    let (readme, version) = (
        file("README.md"),
        source["prefect"].as_str().expect("a version"),
    );
    let count = operations(&read(VENDORED)).len();
    for said in [
        format!("those of Prefect {version}."),
        format!("| {version} | all {count} |"),
    ] {
        assert!(readme.contains(&said), "README.md lacks {said:?}");
    }
}

/// What users see of the generated part: a reviewer of a change reads the difference of this file.
#[test]
fn the_surface_is_as_reviewed() {
    let lowered = lowered(VENDORED);
    assert_eq!(lowered.names, Default::default(), "openapi/names.yaml");
    let text = Surface::of(&lowered.document, &table())
        .expect("a surface")
        .text();
    let path = root().join("openapi/surface.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == reviewed,
        "openapi/surface.txt is another: review the change, then run with UPDATE_GOLDEN=1"
    );
}

#[test]
fn json_with_the_api_prefix_gives_the_same_client_as_yaml_without() {
    let plain = read(VENDORED);
    let mut prefixed = plain.clone();
    let paths = prefixed["paths"].as_object_mut().expect("paths");
    *paths = std::mem::take(paths)
        .into_iter()
        .map(|(path, mut item)| {
            for operation in item.as_object_mut().expect("an item").values_mut() {
                // FastAPI builds ids from the whole path.
                let id = operation["operationId"].as_str().expect("an id").to_owned();
                let suffix: String = path
                    .chars()
                    .map(|c| if c.is_alphanumeric() { c } else { '_' })
                    .collect();
                // (But an operation may have another id.)
                if let Some(at) = id.rfind(&suffix) {
                    operation["operationId"] = json!(format!("{}_api{}", &id[..at], &id[at..]));
                }
            }
            (format!("/api{path}"), item)
        })
        .collect();
    let text = serde_json::to_string(&prefixed).expect("JSON");
    let prefixed = document::parse(&text).expect("a document");
    let prefixed = lower(prefixed, &tables()).expect("lowers");
    let (one, two) = (
        write(&prefixed.document, &table()).expect("generates"),
        write(&lowered(VENDORED).document, &table()).expect("generates"),
    );
    assert_eq!(one[0].1, two[0].1);
}

/// The numbers that a reviewer of a new rule or a new document checks.
fn summary(version: &str) -> String {
    let Lowered {
        document,
        rules,
        overlay,
        nulls,
        ..
    } = lowered(version);
    let mut out = format!(
        "operations {}\ntypes {}\n",
        operations(&document).len(),
        schemas(&document).len()
    );
    for (rule, hits) in rules {
        out.push_str(&format!("rule {rule} {hits}\n"));
    }
    for action in overlay
        .iter()
        .filter(|action| action.hits == 0 && !action.older)
    {
        out.push_str(&format!("obsolete {}\n", action.target));
    }
    for field in nulls.unknown {
        out.push_str(&format!("null unknown {field}\n"));
    }
    out
}

/// `UPDATE_GOLDEN=1` rewrites the golden files.
#[test]
fn the_summary_of_each_version_is_as_reviewed() {
    for version in VERSIONS {
        let path: &Path = &root().join(format!("xtask/tests/generator/golden/{version}.txt"));
        let summary = summary(version);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &summary).expect("written");
        }
        let golden = std::fs::read_to_string(path).expect("a reviewed summary");
        assert_eq!(
            summary, golden,
            "{version}: review the change, then run with UPDATE_GOLDEN=1"
        );
    }
}

#[test]
fn the_history_interval_has_the_servers_name_in_every_version() {
    for version in VERSIONS {
        let document = lowered(version).document;
        let fields = &schemas(&document)["FlowRunHistoryRequest"]["properties"];
        assert!(fields.get("history_interval").is_none(), "{version}");
        assert!(
            fields.get("history_interval_seconds").is_some(),
            "{version}"
        );
    }
}
