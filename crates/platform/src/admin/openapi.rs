//! The list of operations, from which come both the routes and their OpenAPI description.

use axum::routing::{delete, get, post, put};
use modelet_core::Traffic;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::admin::views::{
    ColdStarts, Deleted, Deployed, FunctionList, FunctionView, LayerView, LogPage, PlatformView, SecretList,
    SecretView, UsagePage, VersionDeleted,
};
use crate::admin::{
    Handlers, aliases, exposition, functions, layers, metrics, platform, secrets, usage, versions,
};

/// Name, place (`query` or `header`), type, meaning.
pub(crate) type Parameter = (&'static str, &'static str, &'static str, &'static str);

/// One operation of the admin API.
pub(crate) struct Operation {
    pub(crate) path: &'static str,
    pub(crate) handler: Handlers,
    method: &'static str,
    id: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    /// Media type of the request's body.
    body: Option<&'static str>,
    /// What a body of JSON says.
    says: Option<fn(&mut SchemaGenerator) -> Schema>,
    answer: fn(&mut SchemaGenerator) -> Schema,
    /// Media type of the answer.
    media: &'static str,
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Operation {
    /// An operation without parameters and body.
    fn plain(
        (method, path): (&'static str, &'static str),
        handler: Handlers,
        (id, summary): (&'static str, &'static str),
        answer: fn(&mut SchemaGenerator) -> Schema,
    ) -> Self {
        Self {
            path,
            handler,
            method,
            id,
            summary,
            parameters: &[],
            body: None,
            says: None,
            answer,
            media: "application/json",
        }
    }
}

/// Every operation. A new one is one entry here.
pub(crate) fn operations() -> Vec<Operation> {
    functions_and_usage()
        .into_iter()
        .chain(versions_operations())
        .chain(layers_operations())
        .chain(secrets_operations())
        .chain([read_metrics()])
        .collect()
}

fn functions_and_usage() -> Vec<Operation> {
    const FUNCTIONS: &str = "/api/v1/functions";
    const FUNCTION: &str = "/api/v1/functions/{name}";
    vec![
        Operation::plain(
            ("get", "/api/v1/platform"),
            get(platform),
            ("platform", "The platform itself"),
            of::<PlatformView>,
        ),
        Operation::plain(
            ("get", FUNCTIONS),
            get(functions::list),
            ("listFunctions", "All functions"),
            of::<FunctionList>,
        ),
        Operation::plain(
            ("get", FUNCTION),
            get(functions::describe),
            ("describeFunction", "One function"),
            of::<FunctionView>,
        ),
        Operation::plain(
            ("delete", FUNCTION),
            delete(functions::delete),
            (
                "deleteFunction",
                "Deletes a function with all its versions and logs; calls in flight end first",
            ),
            of::<Deleted>,
        ),
        read_logs(),
        Operation {
            parameters: usage::COLD_STARTS_PARAMETERS,
            ..Operation::plain(
                ("get", "/api/v1/functions/{name}/cold-starts"),
                get(usage::cold_starts),
                (
                    "coldStarts",
                    "The last cold starts of a function, with all phases, and the last starts that failed",
                ),
                of::<ColdStarts>,
            )
        },
        Operation {
            parameters: usage::USAGE_PARAMETERS,
            ..Operation::plain(
                ("get", "/api/v1/usage"),
                get(usage::usage),
                ("usage", "What was used, by function and version"),
                of::<UsagePage>,
            )
        },
    ]
}

fn versions_operations() -> Vec<Operation> {
    vec![
        deploy(),
        Operation::plain(
            ("delete", "/api/v1/functions/{name}/versions/{version}"),
            delete(versions::delete),
            ("deleteVersion", "Deletes a version that gets no calls; those in flight end first"),
            of::<VersionDeleted>,
        ),
        Operation {
            body: Some("application/json"),
            says: Some(of::<aliases::Route>),
            ..Operation::plain(
                ("put", "/api/v1/functions/{name}/aliases/live"),
                put(aliases::route),
                (
                    "route",
                    "Gives the calls to one version, or to two of which one is tried with a part of them",
                ),
                of::<Traffic>,
            )
        },
    ]
}

fn layers_operations() -> Vec<Operation> {
    const LAYER: &str = "/api/v1/layers/{sha256}";
    vec![
        Operation::plain(
            ("get", LAYER),
            get(layers::describe),
            ("describeLayer", "Whether the platform has a layer of packages"),
            of::<LayerView>,
        ),
        Operation {
            body: Some("application/x-tar"),
            ..Operation::plain(
                ("put", LAYER),
                put(layers::store),
                ("storeLayer", "Stores a layer of packages, which is checked against its name"),
                of::<LayerView>,
            )
        },
    ]
}

fn secrets_operations() -> Vec<Operation> {
    const SECRET: &str = "/api/v1/secrets/{name}";
    vec![
        Operation::plain(
            ("get", "/api/v1/secrets"),
            get(secrets::list),
            ("listSecrets", "The names of all secrets"),
            of::<SecretList>,
        ),
        Operation {
            body: Some("application/octet-stream"),
            ..Operation::plain(
                ("put", SECRET),
                put(secrets::set),
                ("setSecret", "Stores a secret; instances that run keep the value that they started with"),
                of::<SecretView>,
            )
        },
        Operation::plain(
            ("delete", SECRET),
            delete(secrets::remove),
            ("removeSecret", "Removes a secret"),
            of::<SecretView>,
        ),
    ]
}

fn deploy() -> Operation {
    let summary = "Publishes an artifact as the next version and makes it live; all of it or nothing";
    Operation {
        parameters: &[
            (versions::HEADER_SHA256, "header", "string", "SHA-256 of the body, hexadecimal"),
            (
                versions::HEADER_EVIDENCE,
                "header",
                "string",
                "JSON: what was measured when the engine was chosen",
            ),
            (
                versions::HEADER_LIVE_WHEN,
                "header",
                "string",
                "`ready`: it becomes live once an instance of it is ready, and not at all if none can be; `asked`: it gets no calls before it is given some",
            ),
            (
                versions::HEADER_CANARY,
                "header",
                "integer",
                "the part of the calls that it gets at first, percent; all without it",
            ),
        ],
        body: Some("application/x-tar"),
        ..Operation::plain(
            ("post", "/api/v1/functions/{name}/versions"),
            post(versions::deploy),
            ("deploy", summary),
            of::<Deployed>,
        )
    }
}

fn read_metrics() -> Operation {
    Operation {
        media: exposition::MEDIA_TYPE,
        ..Operation::plain(
            ("get", "/metrics"),
            get(metrics::metrics),
            ("metrics", "What was counted since the start, and what there is now, for Prometheus"),
            of::<String>,
        )
    }
}

fn read_logs() -> Operation {
    let summary = "The log of a function: invocations, output of instances, events";
    Operation {
        parameters: &[
            ("after", "query", "integer", "only rows after this seq; without it, the last rows"),
            ("limit", "query", "integer", "at most this many rows, 100 by default"),
            ("wait_ms", "query", "integer", "when there are none, wait this long for some, 60000 at most"),
            (
                "level",
                "query",
                "string",
                "only what matters at least so much: debug, info, warning, error, critical",
            ),
            ("call", "query", "string", "only of the call with this id"),
            ("within_ms", "query", "integer", "only of the last so many milliseconds"),
        ],
        ..Operation::plain(
            ("get", "/api/v1/functions/{name}/logs"),
            get(functions::logs),
            ("readLogs", summary),
            of::<LogPage>,
        )
    }
}

/// The OpenAPI 3.1 document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for operation in operations() {
        let described = describe(&operation, &mut generator);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = described;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "modelet admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Deploys and looks after functions. Functions themselves answer at /fn/NAME and under /v2.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": generator.take_definitions(true)},
    })
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<_> = operation
        .parameters
        .iter()
        .map(|(name, place, kind, meaning)| {
            json!({"name": name, "in": place, "description": meaning, "schema": {"type": kind}})
        })
        .collect();
    let in_path = operation.path.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    for (name, _) in in_path {
        parameters.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    }
    let answer = (operation.answer)(generator);
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "done", "content": {operation.media: {"schema": answer}}},
            "default": {
                "description": "a failure: {\"error\": {\"code\", \"message\", \"hint\"}}",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
        },
    });
    if let Some(media) = operation.body {
        let schema = operation.says.map_or_else(|| json!({}), |says| json!(says(generator)));
        described["requestBody"] = json!({"required": true, "content": {media: {"schema": schema}}});
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_in_the_document_has_a_definition() {
        let document = document();
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let mut references = 0;
        for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name} is used and not defined");
            references += 1;
        }
        assert!(references > 10, "{references}");
        assert_eq!(document["paths"].as_object().unwrap().len(), 13);
    }
}
