//! Compares what is rendered with what Prefect has rendered, and tells errors apart.

use std::collections::BTreeMap;

use super::error::TemplateError;
use super::*;

const CORPUS: &str = include_str!("../../../tests/data/job_templates.json");

const ID: &str = "33333333-3333-4333-8333-333333333333";

fn no_env(_: &str) -> Option<String> {
    None
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// As text, numbers and the order of keys are compared, too.
fn text(value: &Value) -> String {
    serde_json::to_string(value).expect("JSON")
}

/// A case of the corpus, and what many cases share.
struct Case<'a> {
    case: &'a Value,
    shared: &'a Value,
}

impl Case<'_> {
    fn input(&self, key: &str) -> Option<&Value> {
        match self.case.get(key) {
            Some(Value::Bool(true)) => self.shared.get(key),
            value => value,
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        match self.input("environment")?.get(name)? {
            Value::Text(text) => Some(text.clone()),
            other => panic!("{other:?}"),
        }
    }

    /// Renders as the product does: what a step has named is what the next one gets.
    fn render(&self) -> Result<Value, TemplateError> {
        let template = Template::parse(&text(self.input("template").expect("a template")))?;
        let env = |name: &str| self.env(name);
        let applied = template.apply(self.input("deployment"), self.input("run"), &env)?;
        let blocks = applied.blocks().into_iter().filter_map(|block| {
            let data = self.input("blocks")?.get(&block.to_string())?;
            Some((block, data.clone()))
        });
        let filled = applied.put_blocks(&blocks.collect())?;
        let variables = filled.variables().into_iter().filter_map(|name| {
            let value = self.input("variables")?.get(&name)?.clone();
            Some((name, value))
        });
        Ok(filled.put_variables(&variables.collect()))
    }

    fn render_name(&self, configuration: &Value) -> Value {
        let context = self.shared.get("context").expect("a context");
        let Some(Value::Object(mut flow_run)) = context.get("flow_run").cloned() else {
            panic!("no flow run");
        };
        if let Some(Value::Object(other)) = self.case.get("context") {
            flow_run.extend(other);
        }
        let flow = context.get("flow").expect("a flow");
        let env = |name: &str| self.env(name);
        let flow_run = Value::Object(flow_run);
        render_name(configuration.get("name"), flow, &flow_run, &env)
    }

    /// What is wrong with this case.
    fn difference(&self) -> Option<String> {
        let expected = self.case.get("configuration");
        let rendered = match (self.render(), expected) {
            (Err(_), None) => return None,
            (Ok(rendered), Some(expected)) if text(&rendered) == text(expected) => rendered,
            (rendered, expected) => {
                let rendered = rendered.map(|it| text(&it)).map_err(|it| it.to_string());
                let expected = expected.map(text);
                return Some(format!("{rendered:?}\n  instead of {expected:?}"));
            }
        };
        let expected = text(self.case.get("prepared_name")?);
        let name = text(&self.render_name(&rendered));
        (name != expected).then(|| format!("the name {name}\n  instead of {expected}"))
    }
}

#[test]
fn all_cases_are_rendered_as_prefect_does() {
    let corpus = json(CORPUS);
    let shared = corpus.get("shared").expect("what cases share");
    let Some(Value::List(cases)) = corpus.get("cases") else {
        panic!("no cases");
    };
    assert_eq!(cases.len(), 677);
    let mut differences = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        if let Some(difference) = (Case { case, shared }).difference() {
            let name = case.get("name").map(text);
            let name = name.unwrap_or_else(|| text(case));
            differences.push(format!("case {number}, {name}: {difference}"));
        }
    }
    let count = differences.len();
    assert!(count == 0, "{count} differ:\n{}", differences.join("\n"));
}

/// Renders a template whose job configuration is given, with these job variables and blocks.
fn render(configuration: &str, variables: &str, blocks: &[(BlockRef, &str)]) -> String {
    let template = format!(r#"{{"job_configuration": {configuration}, "variables": {{}}}}"#);
    let blocks = blocks.iter().map(|(block, it)| (block.clone(), json(it)));
    let rendered = Template::parse(&template)
        .and_then(|it| it.apply(Some(&json(variables)), None, &no_env))
        .and_then(|it| it.put_blocks(&blocks.collect()));
    match rendered {
        Ok(filled) => text(&filled.put_variables(&BTreeMap::new())),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_error_of_a_template_says_where_it_is() {
    let error = |json: &str| Template::parse(json).expect_err("an error").to_string();
    assert_eq!(
        error("{"),
        "`base_job_template`: this is not JSON: EOF while parsing an object at line 1 column 1"
    );
    assert_eq!(
        error("{}"),
        "`base_job_template`: the key `job_configuration` is missing"
    );
    assert_eq!(
        error(r#"{"job_configuration": {}, "variables": {"properties": {"a": true}}}"#),
        "`base_job_template.variables.properties.a`: this is a boolean, but must be an object"
    );
    assert_eq!(
        error(
            r#"{"job_configuration": {"env": {}}, "variables": {"properties": {"env": {"default": "A=1"}}}}"#
        ),
        "`base_job_template.variables.properties.env.default`: this is a text, but must be an object"
    );
}

#[test]
fn an_error_of_job_variables_says_where_it_is() {
    assert_eq!(
        render("{}", "[]", &[]),
        "`deployment.job_variables`: this is a list, but must be an object"
    );
    assert_eq!(
        render("{}", r#"{"a.b": null, "a.b.c": 1}"#, &[]),
        "`job_variables.a.b.c`: `a.b` is null, so it can have no members"
    );
    assert_eq!(
        render(r#"{"env": {}}"#, r#"{"env": "A=1"}"#, &[]),
        "`job_variables.env`: this is a text, but must be an object"
    );
    let process = Template::parse(PROCESS_TEMPLATE).expect("a template");
    let (deployment, run) = (json(r#"{"env": {}}"#), json(r#"{"env": null}"#));
    let applied = process.apply(Some(&deployment), Some(&run), &no_env);
    assert_eq!(
        applied.err().map(|it| it.to_string()).as_deref(),
        Some(
            "`run.job_variables.env`: this is null, but must be an object, because it extends the `env` of the deployment"
        )
    );
}

#[test]
fn an_error_of_a_block_names_it() {
    assert_eq!(
        render(
            r#"{"a": {"b": ["{{ x }}", "<{{ prefect.blocks.secret.token.k }}>"]}}"#,
            "{}",
            &[]
        ),
        "`job_configuration.a.b[0]`: the server has no block document `secret/token`"
    );
    let id = format!(r#"{{"a": {{"$ref": {{"block_document_id": "{ID}"}}}}}}"#);
    assert_eq!(
        render(&id, "{}", &[]),
        format!("`job_configuration.a`: the server has no block document `{ID}`")
    );
    assert_eq!(
        render(&id.replace(ID, "token"), "{}", &[]),
        "`job_configuration.a.$ref.block_document_id`: this must be the id of a block document, which is a UUID"
    );
    assert_eq!(
        render(r#"{"a": {"$ref": "x"}}"#, "{}", &[]),
        "`job_configuration.a.$ref`: this is a text, but must be an object"
    );
    assert_eq!(
        render(r#"{"a": "{{ prefect.blocks.secret }}"}"#, "{}", &[]),
        "`job_configuration.a`: the placeholder `prefect.blocks.secret` must name a type and a block, as `prefect.blocks.secret.token` does"
    );
}

#[test]
fn an_error_of_data_does_not_show_them() {
    let block = BlockRef::Named {
        slug: "json".to_owned(),
        name: "login".to_owned(),
    };
    let blocks = [(block, r#"{"user": {"password": "secret"}}"#)];
    let rendered = |text: &str| render(&format!(r#"{{"a": "{text}"}}"#), "{}", &blocks);
    assert_eq!(
        rendered("{{ prefect.blocks.json.login.user.password }}"),
        r#"{"a":"secret"}"#
    );
    assert_eq!(
        rendered("{{ prefect.blocks.json.login.user.name }}"),
        "`job_configuration.a`: the block document `json/login` has no `user.name`"
    );
    assert_eq!(
        rendered("<{{ prefect.blocks.json.login.user }}>"),
        "`job_configuration.a`: `prefect.blocks.json.login.user` is an object, which cannot be a part of a text"
    );
}

#[test]
fn each_block_and_variable_is_named_once() {
    let template = format!(
        r#"{{"job_configuration": {{
            "a": "{{{{ prefect.blocks.json.x.one }}}}{{{{ prefect.blocks.json.x.two }}}}",
            "b": {{"$ref": {{"block_document_id": "{ID}"}}, "c": "{{{{ prefect.blocks.lost.one }}}}"}},
            "d": ["{{{{ prefect.variables.v }}}}", "{{{{ prefect.variables.v }}}}"]
        }}, "variables": {{}}}}"#
    );
    let template = Template::parse(&template).expect("a template");
    let applied = template.apply(None, None, &no_env).expect("applied");
    let blocks = applied.blocks();
    let names: Vec<_> = blocks.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["json/x", ID]);
    let data = json(r#"{"one": 1, "two": "{{ prefect.variables.w }}"}"#);
    let data = blocks.into_iter().map(|block| (block, data.clone()));
    let filled = applied.put_blocks(&data.collect()).expect("filled");
    assert_eq!(Vec::from_iter(filled.variables()), ["v", "w"]);
}

#[test]
fn the_template_of_processes_can_be_rendered() {
    let process = Template::parse(PROCESS_TEMPLATE).expect("a template");
    let deployment = json(r#"{"command": "./job", "env.A": "1", "working_dir": "/srv"}"#);
    let applied = process.apply(Some(&deployment), None, &no_env);
    let filled = applied.and_then(|it| it.put_blocks(&BTreeMap::new()));
    let rendered = filled.expect("filled").put_variables(&BTreeMap::new());
    assert_eq!(
        text(&rendered),
        r#"{"command":"./job","env":{"A":"1"},"stream_output":true,"working_dir":"/srv"}"#
    );
}

#[test]
fn a_dotted_key_cannot_nest_without_end() {
    let variables = format!(r#"{{"a{}": 1}}"#, ".a".repeat(1_000_000));
    let error = render("{}", &variables, &[]);
    assert!(error.ends_with("this key has 1000001 parts, more than 100"));
}

#[test]
fn a_float_half_way_between_two_texts_becomes_the_even_one() {
    assert_eq!(
        render(
            r#"{"a": "<{{ x }}>"}"#,
            r#"{"x": 31619498421306.8125}"#,
            &[]
        ),
        r#"{"a":"<31619498421306.812>"}"#
    );
}

#[test]
fn values_keep_the_order_of_keys_and_their_numbers() {
    let value = r#"{"z":[1,1.0,-0.0,18446744073709551615,null],"a":{"b":"\"ü"}}"#;
    assert_eq!(text(&json(value)), value);
    assert_eq!(
        text(&json(r#"{"a":1,"b":2,"a":{"c":3}}"#)),
        r#"{"a":{"c":3},"b":2}"#
    );
    let sorted = serde_json::Value::from(json(value));
    assert_eq!(
        text(&Value::from(sorted)),
        r#"{"a":{"b":"\"ü"},"z":[1,1.0,-0.0,18446744073709551615,null]}"#
    );
}
