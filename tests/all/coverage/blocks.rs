//! Block types, schemas and documents, and what the server keeps in blocks.

use prefect_sdk::types::*;
use serde_json::json;

use super::tour::Tour;

pub async fn visit(tour: &Tour) {
    let client = &tour.client;
    let types = client.block_types();
    tour.step("install", types.install_system_types()).await;
    let mainframe = BlockTypeCreate::new("Mainframe", "mainframe");
    let kind = tour
        .step("create a type", types.create(&mainframe))
        .await
        .expect("a type")
        .id;
    tour.step("get", types.get(kind)).await;
    tour.step("get by slug", types.get_by_slug("mainframe"))
        .await;
    tour.step("list", types.list().slug("mainframe")).await;
    tour.step(
        "update",
        types.update(kind, &BlockTypeUpdate::new().description("d".to_owned())),
    )
    .await;

    let schemas = client.block_schemas();
    let fields = json!({
        "type": "object",
        "title": "Mainframe",
        "properties": { "host": { "type": "string" }, "password": { "type": "string" } },
        "secret_fields": ["password"],
        "block_type_slug": "mainframe",
        "block_schema_references": {},
    });
    let schema = BlockSchemaCreate::new(kind)
        .fields(fields)
        .version("1.0")
        .capabilities(["compute"]);
    let schema = tour
        .step("create a schema", schemas.create(&schema))
        .await
        .expect("a schema");
    tour.step("get", schemas.get(schema.id)).await;
    tour.step("by checksum", schemas.get_by_checksum(&schema.checksum))
        .await;
    tour.step(
        "by version",
        schemas.get_version_by_checksum(&schema.checksum, "1.0"),
    )
    .await;
    tour.step("list", schemas.list().block_type_id(kind)).await;
    tour.step("capabilities", schemas.capabilities()).await;

    let documents = client.block_documents();
    let data = json!({ "host": "h", "password": "p" });
    let block = BlockDocumentCreate::new(schema.id, kind)
        .name("main".to_owned())
        .data(data);
    let block = tour
        .step("create a block", documents.create(&block))
        .await
        .expect("a block")
        .id;
    tour.step("get", documents.get(block)).await;
    tour.step("get with secrets", documents.get_with_secrets(block))
        .await;
    tour.step("list", documents.list().name("main")).await;
    tour.step("count", documents.count()).await;
    let update = BlockDocumentUpdate::new().data(json!({ "host": "i" }));
    tour.step("update", documents.update(block, &update)).await;
    tour.step("of the type", types.documents("mainframe")).await;
    tour.step("by name", types.get_document("mainframe", "main"))
        .await;
    tour.step("delete", documents.delete(block)).await;
    tour.step("delete the schema", schemas.delete(schema.id))
        .await;
    tour.step("delete the type", types.delete(kind)).await;

    let storage = types
        .get_by_slug("local-file-system")
        .await
        .expect("a system type")
        .id;
    let schema = schemas
        .list()
        .block_type_id(storage)
        .first()
        .await
        .expect("answers");
    let block = BlockDocumentCreate::new(schema.expect("a schema").id, storage)
        .name("results".to_owned())
        .data(json!({ "basepath": "/tmp" }));
    let block = documents.create(&block).await.expect("a block").id;
    let admin = client.admin();
    tour.step(
        "keep results",
        admin.set_default_result_storage(&ServerDefaultResultStorageUpdate::new(block)),
    )
    .await;
    tour.step("where", admin.default_result_storage()).await;
    tour.step("nowhere", admin.clear_default_result_storage())
        .await;
}
