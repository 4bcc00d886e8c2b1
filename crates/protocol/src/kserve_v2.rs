//! KServe V2, the Open Inference Protocol over REST, as `tritonclient.http` speaks it.
//!
//! Tensors travel as JSON, or as raw bytes behind the JSON (the binary extension, which tritonclient uses unless told
//! otherwise). Datatypes must be the model's own: a client of this protocol has read the metadata.
//!
//! What V2 cannot say: a map from class to number (`ZipMap`) goes out as a tensor `[rows, classes]` whose parameter
//! `classes` is a JSON list of the names; a sequence goes out as one tensor when its members have one shape.

mod request;
mod response;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use modelet_core::manifest::NonFinite;
use modelet_core::{
    Code, DType, Dim, Failure, FunctionError, FunctionName, InvocationId, OutputKind, PlatformError,
    Qualifier, Signature, Version,
};
use serde_json::json;

use crate::json::{Json, Writer};
use crate::protocol::{
    Decoded, FunctionContext, FunctionView, Operation, Protocol, ProtocolName, Refused, Reply, Request,
    Route, ServerState, failure_response, json_response,
};
use crate::sample::{Sample, nearest_body, python_lists, tensor};
use crate::{Inputs, layout, media, route, sample};

/// The protocol `/v2`.
#[derive(Debug)]
pub(crate) struct KserveV2;

/// How long the JSON at the beginning of a body is, when raw bytes follow it.
const JSON_LENGTH_HEADER: &str = "inference-header-content-length";

/// The datatype names of V2.
const DATATYPES: &[(DType, &str)] = &[
    (DType::Bool, "BOOL"),
    (DType::I8, "INT8"),
    (DType::I16, "INT16"),
    (DType::I32, "INT32"),
    (DType::I64, "INT64"),
    (DType::U8, "UINT8"),
    (DType::U16, "UINT16"),
    (DType::U32, "UINT32"),
    (DType::U64, "UINT64"),
    (DType::F16, "FP16"),
    (DType::BF16, "BF16"),
    (DType::F32, "FP32"),
    (DType::F64, "FP64"),
    (DType::Str, "BYTES"),
];

fn datatype(dtype: DType) -> &'static str {
    DATATYPES.iter().find(|(d, _)| *d == dtype).map_or("BYTES", |(_, name)| name)
}

/// A list of V2 input objects, which `/fn` takes as well.
pub(crate) fn read_inputs(list: Vec<Json>, signature: &Signature) -> Result<Inputs, FunctionError> {
    request::inputs(list, &mut request::Tail::none(), signature)
}

impl Protocol for KserveV2 {
    fn name(&self) -> ProtocolName {
        ProtocolName::KserveV2
    }

    fn route(
        &self,
        method: &Method,
        path: &str,
        _query: Option<&str>,
    ) -> Option<Result<Route, PlatformError>> {
        let pieces = route::pieces(path, "/v2")?;
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let (function, operation) = match pieces.as_slice() {
            [] => (None, Operation::ServerMetadata),
            ["health", "live"] => (None, Operation::ServerLive),
            ["health", "ready"] => (None, Operation::ServerReady),
            ["repository", "index"] => (None, Operation::ServerIndex),
            ["models", name] => (Some((*name, None)), Operation::Describe),
            ["models", name, "ready"] => (Some((*name, None)), Operation::Ready),
            ["models", name, "infer"] => (Some((*name, None)), Operation::Predict),
            ["models", name, "versions", version] => (Some((*name, Some(*version))), Operation::Describe),
            ["models", name, "versions", version, "ready"] => {
                (Some((*name, Some(*version))), Operation::Ready)
            }
            ["models", name, "versions", version, "infer"] => {
                (Some((*name, Some(*version))), Operation::Predict)
            }
            _ => {
                let known = "/v2, /v2/health/live, /v2/health/ready, /v2/repository/index, \
                             /v2/models/NAME[/versions/VERSION] and below it /ready and /infer";
                return Some(Err(route::unknown(path, known)));
            }
        };
        let method_allowed = match operation {
            Operation::Predict | Operation::ServerIndex => Method::POST,
            _ => Method::GET,
        };
        let route = || {
            route::allow(method, &[method_allowed], path)?;
            let qualifier = function.and_then(|(_, version)| version);
            Ok(Route {
                protocol: ProtocolName::KserveV2,
                function: function.map(|(name, _)| route::function_name(name)).transpose()?,
                qualifier: qualifier.map_or(Ok(Qualifier::Live), route::qualifier)?,
                operation,
                invocation: None,
            })
        };
        Some(route())
    }

    fn decode(&self, request: Request<'_>, ctx: &FunctionContext) -> Result<Decoded, Refused> {
        let signature = &ctx.signature;
        let read = request::read(&request, signature)
            .and_then(|read| layout::check_agreement(&read.inputs, signature).map(|()| read))
            .map_err(|mut error| {
                if matches!(error.code, Code::BadInput | Code::BadBody) && error.nearest.is_none() {
                    error.nearest = nearest_body(&self.samples(&ctx.name, signature));
                }
                error
            })?;
        layout::check_outputs(read.outputs.as_deref(), signature)?;
        Ok(Decoded { inputs: read.inputs, outputs: read.outputs, reply: Reply(Arc::new(read.reply)) })
    }

    fn error(&self, failure: &Failure, _invocation: Option<&InvocationId>) -> Response<Bytes> {
        let mut text = failure.to_string();
        if let Some(hint) = failure.hint() {
            text = format!("{text}; {hint}");
        }
        if let Failure::Function(FunctionError { nearest: Some(nearest), .. }) = failure {
            text = format!("{text}. A request that fits: {nearest}");
        }
        failure_response(failure, &json!({ "error": text }))
    }

    fn describe(&self, view: &FunctionView<'_>, _headers: &HeaderMap) -> Response<Bytes> {
        let model = view.card.model();
        let unknown = Signature::default();
        let signature = model.map_or(&unknown, |model| &model.signature);
        let inputs =
            signature.inputs.iter().map(|spec| metadata(&spec.name, spec.dtype, spec.shape.as_deref()));
        let outputs = signature.outputs.iter().map(|spec| match &spec.kind {
            OutputKind::Tensor { dtype, shape } => metadata(&spec.name, *dtype, shape.as_deref()),
            OutputKind::Map { value, per_row: true, .. } => {
                metadata(&spec.name, *value, Some(&[Dim::Dynamic, class_count(spec.classes.as_deref())]))
            }
            OutputKind::Map { value, .. } => {
                metadata(&spec.name, *value, Some(&[class_count(spec.classes.as_deref())]))
            }
            OutputKind::Sequence { dtype } => metadata(&spec.name, *dtype, None),
        });
        let body = json!({
            "name": view.card.name,
            "versions": view.versions.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "platform": format!("{}_modelet", model.map_or(view.card.computed_by(), |model| &model.format)),
            "inputs": inputs.collect::<Vec<_>>(),
            "outputs": outputs.collect::<Vec<_>>(),
        });
        json_response(StatusCode::OK, &body)
    }

    fn server(&self, route: &Route, state: &ServerState<'_>) -> Response<Bytes> {
        let ok = state.ok;
        let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        match route.operation {
            Operation::ServerMetadata => json_response(
                StatusCode::OK,
                &json!({
                    "name": "modelet",
                    "version": env!("CARGO_PKG_VERSION"),
                    "extensions": ["binary_tensor_data", "model_repository"],
                }),
            ),
            Operation::ServerLive => json_response(status, &json!({ "live": ok })),
            // Triton's model repository extension. At zero, too: a call would be answered.
            Operation::ServerIndex => {
                let entry = |(name, version): &(FunctionName, Version)| json!({ "name": name, "version": version.to_string(), "state": "READY" });
                json_response(StatusCode::OK, &json!(state.functions.iter().map(entry).collect::<Vec<_>>()))
            }
            _ => match &route.function {
                Some(name) => json_response(status, &json!({ "name": name, "ready": ok })),
                None => json_response(status, &json!({ "ready": ok })),
            },
        }
    }

    fn samples(&self, name: &FunctionName, signature: &Signature) -> Vec<Sample> {
        if !sample::fits(signature) {
            return Vec::new();
        }
        let mut json = Writer::new(u64::MAX, NonFinite::Null);
        json.raw("{\"inputs\": [");
        let mut python = Vec::new();
        for (at, spec) in signature.inputs.iter().filter(|spec| !spec.optional).enumerate() {
            let tensor = tensor(spec);
            let head = format!(
                "{{\"name\": {}, \"shape\": {:?}, \"datatype\": \"{}\", \"data\": ",
                serde_json::Value::from(spec.name.as_str()),
                tensor.shape(),
                datatype(spec.dtype)
            );
            json.raw(if at == 0 { "" } else { ", " });
            json.raw(&head);
            if json.flat(&spec.name, &tensor).is_err() {
                return Vec::new();
            }
            json.raw("}");
            let element = match spec.dtype {
                DType::Str => "\"text\"",
                DType::Bool => "True",
                dtype if dtype.is_float() => "0.5",
                _ => "1",
            };
            python.push(format!("{head}{}}}", python_lists(&[tensor.len()], element)));
        }
        json.raw("]}");
        let Ok(body) = json.finish() else { return Vec::new() };
        vec![Sample {
            protocol: ProtocolName::KserveV2,
            path: format!("/v2/models/{name}/infer"),
            content_type: media::JSON,
            body,
            python: Some(format!("import json; print(json.dumps({{\"inputs\": [{}]}}))", python.join(", "))),
        }]
    }
}

/// One tensor of the metadata; a free size is -1, and so is a rank that the model does not tell.
fn metadata(name: &str, dtype: DType, shape: Option<&[Dim]>) -> serde_json::Value {
    let size = |dim: &Dim| dim.fixed().and_then(|n| i64::try_from(n).ok()).unwrap_or(-1);
    let shape: Vec<i64> = shape.map_or_else(|| vec![-1], |dims| dims.iter().map(size).collect());
    json!({ "name": name, "datatype": datatype(dtype), "shape": shape })
}

fn class_count(classes: Option<&[String]>) -> Dim {
    classes.map_or(Dim::Dynamic, |names| Dim::Fixed(names.len()))
}

#[cfg(test)]
mod tests;
