//! Whole documents: the vendored one, and those of older versions.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::codegen::document::{self, operations, schemas};
use crate::codegen::resources::{Table, unaccounted};
use crate::codegen::{Lowered, lower, write};

const VERSIONS: [&str; 4] = ["3.0.11", "3.4.25", "3.6.29", "3.8.8"];

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(version: &str) -> Value {
    if version == "3.8.8" {
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

fn nulls() -> Value {
    document::read(&root().join("openapi/nulls.yaml")).expect("the table of nulls")
}

fn overlay() -> Value {
    document::read(&root().join("openapi/overlay.yaml")).expect("the overlay")
}

fn table() -> Table {
    let handles = document::read(&root().join("openapi/resources.yaml")).expect("the resources");
    Table::read(&handles).expect("a table of resources")
}

fn lowered(version: &str) -> Lowered {
    lower(read(version), &overlay(), &nulls())
        .unwrap_or_else(|problem| panic!("{version}: {problem}"))
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
    let (unassigned, obsolete) = unaccounted(&lowered("3.8.8").document, &table()).expect("names");
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
    let mut document = lowered("3.8.8").document;
    let flows = document["paths"]["/flows/"]["post"].clone();
    document["paths"]["/flows/newer"]["post"] = flows;
    document["paths"]["/flows/newer"]["post"]["operationId"] = json!("create_newer_flow");
    let (unassigned, _) = unaccounted(&document, &table()).expect("names");
    assert_eq!(unassigned, ["create_newer_flow"]);
}

#[test]
fn all_187_operations_are_methods_and_none_is_named_after_its_path() {
    let upstream = read("3.8.8");
    assert_eq!(operations(&upstream).len(), 187);
    let document = lowered("3.8.8").document;
    let files = write(&document, &table()).expect("generates");
    let (_, client) = &files[0];
    let methods: BTreeSet<&str> = client
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub async fn "))
        .filter_map(|line| line.split(['<', '(']).next())
        .collect();
    assert_eq!(methods.len(), 187);
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
    search(&lowered("3.8.8").document, "$");
}

#[test]
fn the_vendored_document_is_the_one_its_readme_names() {
    let readme = std::fs::read_to_string(root().join("openapi/README.md")).expect("a README");
    let text = std::fs::read(root().join("openapi/prefect.yaml")).expect("the document");
    assert!(
        readme.contains(&sha256(&text)),
        "openapi/README.md names another sha256: {}",
        sha256(&text)
    );
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn json_with_the_api_prefix_gives_the_same_client_as_yaml_without() {
    let plain = read("3.8.8");
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
                let at = id.rfind(&suffix).expect("the path is in the id");
                operation["operationId"] = json!(format!("{}_api{}", &id[..at], &id[at..]));
            }
            (format!("/api{path}"), item)
        })
        .collect();
    let text = serde_json::to_string(&prefixed).expect("JSON");
    let prefixed = lower(
        document::parse(&text).expect("a document"),
        &overlay(),
        &nulls(),
    )
    .expect("lowers");
    let (one, two) = (
        write(&prefixed.document, &table()).expect("generates"),
        write(&lowered("3.8.8").document, &table()).expect("generates"),
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
