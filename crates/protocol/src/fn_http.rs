//! modelet's own protocol: `POST /fn/NAME` takes what people really send, by content type.
//!
//! | Content-Type | read as |
//! |---|---|
//! | `application/json` | the forms that `forms` lists |
//! | `text/csv`, with `header=present` or `absent` | a table, one row a line |
//! | `application/x-npy`, or anything that begins like npy | one array |
//! | `application/octet-stream` | the elements of the one input, little-endian |
//! | `text/plain` | the text itself for a function of one string; else as if there were no type |
//! | `application/cloudevents+json` | the data of the event, by its own type |
//! | `image/jpeg` and others, and raw bytes | the file itself, for a function of one file |
//! | none, or what `curl -d` says | JSON when it is, CSV otherwise |
//!
//! The answer is JSON, CSV or npy, by `Accept`. `?output=NAME` asks for one output.

mod bind;
mod cloud_event;
mod describe;
mod forms;
mod hosted;
mod ranked;
mod reply;
mod samples;
mod table;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use modelet_core::{
    Code, DType, Failure, FileKind, FunctionError, FunctionName, InvocationId, PlatformError, Qualifier,
    Signature,
};

use crate::json::Json;
use crate::media::{self, MediaType};
use crate::number::{Number, Numbers};
use crate::protocol::{
    Decoded, FunctionContext, FunctionView, Operation, Protocol, ProtocolName, Refused, Reply, Request,
    Route, ServerState, failure_response, json_response,
};
use crate::sample::{Sample, nearest_body};
use crate::text::quoted;
use crate::{json, layout, npy, raw, route, sample};

use forms::Read;
use reply::FnReply;

/// The protocol `/fn/NAME`.
#[derive(Debug)]
pub(crate) struct FnHttp;

impl Protocol for FnHttp {
    fn name(&self) -> ProtocolName {
        ProtocolName::Fn
    }

    fn route(
        &self,
        method: &Method,
        path: &str,
        _query: Option<&str>,
    ) -> Option<Result<Route, PlatformError>> {
        let pieces = route::pieces(path, "/fn")?;
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let (name, qualifier, invocation) = match pieces.as_slice() {
            [name] => name.split_once(':').map_or((*name, None, None), |(name, q)| (name, Some(q), None)),
            [name, "versions", version] if !name.contains(':') => (*name, Some(*version), None),
            [name, "invocations", id] if !name.contains(':') => (*name, None, Some(*id)),
            _ => {
                return Some(Err(route::unknown(
                    path,
                    "/fn/NAME, /fn/NAME:VERSION, /fn/NAME/versions/VERSION and /fn/NAME/invocations/ID",
                )));
            }
        };
        let route = || {
            let (operation, allowed) = match (invocation, method) {
                (Some(_), _) => (Operation::Result, &[Method::GET][..]),
                (None, &Method::POST) => (Operation::Predict, &[Method::POST, Method::GET][..]),
                (None, _) => (Operation::Describe, &[Method::POST, Method::GET][..]),
            };
            route::allow(method, allowed, path)?;
            Ok(Route {
                protocol: ProtocolName::Fn,
                function: Some(route::function_name(name)?),
                qualifier: qualifier.map_or(Ok(Qualifier::Live), route::qualifier)?,
                operation,
                invocation: invocation.map(|id| InvocationId(id.to_owned())),
            })
        };
        Some(route())
    }

    fn decode(&self, request: Request<'_>, ctx: &FunctionContext) -> Result<Decoded, Refused> {
        let accept = media::accepted(request.headers, &[media::JSON, media::CSV, media::NPY])?;
        let asked = route::query_values(request.query, "output");
        Ok(decoded(read(&request, &ctx.signature), asked, accept, ctx)?)
    }

    fn error(&self, failure: &Failure, invocation: Option<&InvocationId>) -> Response<Bytes> {
        #[derive(serde::Serialize)]
        struct Body<D> {
            error: D,
        }
        failure_response(failure, &Body { error: detail(failure, invocation) })
    }

    fn describe(&self, view: &FunctionView<'_>, headers: &HeaderMap) -> Response<Bytes> {
        describe::response(view, headers)
    }

    fn server(&self, _route: &Route, state: &ServerState<'_>) -> Response<Bytes> {
        let status = if state.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json_response(status, &serde_json::json!({ "ready": state.ok }))
    }

    fn samples(&self, name: &FunctionName, signature: &Signature) -> Vec<Sample> {
        if !sample::fits(signature) {
            return Vec::new();
        }
        samples::all(name, signature)
    }
}

/// A request below a function's path, `/fn/NAME/REST`: what an application behind that path is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below<'a> {
    /// The function.
    pub function: FunctionName,
    /// Which version of it.
    pub qualifier: Qualifier,
    /// The path that is the function's: `/fn/NAME`.
    pub root: &'a str,
    /// The path that is the application's: `/`, `/docs`.
    pub path: &'a str,
}

/// Reads the path of a request below a function's; `None` for any other, the function's own included.
pub fn below(path: &str) -> Option<Below<'_>> {
    let rest = path.strip_prefix("/fn/")?;
    let end = path.len() - rest.len() + rest.find('/')?;
    let (root, path) = path.split_at(end);
    let name = route::percent_decode(&root["/fn/".len()..]);
    let (name, qualifier) = name.split_once(':').map_or((name.as_str(), None), |(name, q)| (name, Some(q)));
    let qualifier = qualifier.map_or(Ok(Qualifier::Live), route::qualifier).ok()?;
    Some(Below { function: route::function_name(name).ok()?, qualifier, root, path })
}

/// A path as the function's own, which may be none, and the rest of it: `/docs` is `("", "/docs")`, `/fn/NAME` `("/fn/NAME", "/")`.
pub fn split(path: &str) -> (&str, &str) {
    match below(path) {
        Some(below) => (below.root, below.path),
        None if path.starts_with("/fn/") => (path, "/"),
        None => ("", path),
    }
}

/// A JSON body that was parsed already, answered in JSON.
pub(crate) fn decode_json(json: Json, ctx: &FunctionContext) -> Result<Decoded, FunctionError> {
    decoded(forms::read(json, &ctx.signature), Vec::new(), media::JSON, ctx)
}

/// What was read, checked against the signature. `asked`: outputs that were asked for beside the body.
fn decoded(
    read: Result<Read, FunctionError>,
    asked: Vec<String>,
    accept: &'static str,
    ctx: &FunctionContext,
) -> Result<Decoded, FunctionError> {
    let signature = &ctx.signature;
    let read = read.and_then(|read| layout::check_agreement(&read.inputs, signature).map(|()| read));
    let read = read.map_err(|error| with_nearest(error, &ctx.name, signature))?;
    let outputs = read.outputs.or_else(|| (!asked.is_empty()).then_some(asked));
    layout::check_outputs(outputs.as_deref(), signature)?;
    let reply = FnReply { accept, form: read.form };
    reply.check(outputs.as_deref(), signature)?;
    Ok(Decoded { inputs: read.inputs, outputs, reply: Reply(std::sync::Arc::new(reply)) })
}

/// All that there is to say of a failure, as the member `error` of an answer.
pub(crate) fn detail<'a>(
    failure: &'a Failure,
    invocation: Option<&'a InvocationId>,
) -> impl serde::Serialize + use<'a> {
    #[derive(serde::Serialize)]
    struct Detail<'a> {
        code: &'a str,
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expected: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        found: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        nearest: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        invocation: Option<&'a str>,
        /// The class of what the function's code raised.
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<&'a str>,
    }
    let function = match failure {
        Failure::Function(error) => Some(error),
        Failure::Platform(_) => None,
    };
    Detail {
        code: failure.code().as_str(),
        message: failure.to_string(),
        hint: failure.hint(),
        field: function.and_then(|e| e.field.as_deref()),
        expected: function.and_then(|e| e.expected.as_deref()),
        found: function.and_then(|e| e.found.as_deref()),
        nearest: function.and_then(|e| e.nearest.as_deref()),
        invocation: invocation.map(|id| id.0.as_str()),
        kind: function.and_then(|e| e.raised.as_ref()).map(|raised| raised.kind.as_str()),
    }
}

/// Adds a request that would have been right to a failure that has none.
fn with_nearest(mut error: FunctionError, name: &FunctionName, signature: &Signature) -> FunctionError {
    if error.nearest.is_none() && matches!(error.code, Code::BadInput | Code::BadBody) {
        error.nearest = nearest_body(&FnHttp.samples(name, signature));
    }
    error
}

/// The body by its content type.
fn read(request: &Request<'_>, signature: &Signature) -> Result<Read, FunctionError> {
    let body = &request.body;
    let media = MediaType::of_body(request.headers);
    let essence = media.as_ref().map_or("", |media| media.essence.as_str());
    let charset = media.as_ref().and_then(|media| media.parameter("charset"));
    if let Some(other) = charset.filter(|c| !matches!(*c, "utf-8" | "utf8" | "us-ascii")) {
        return Err(unsupported(&format!("text in the charset {}", quoted(other)), signature));
    }
    if body.starts_with(npy::MAGIC) {
        return read_npy(body, signature);
    }
    match essence {
        media::CSV | "application/csv" => {
            Read::table(table::read(body, media.as_ref().and_then(|m| m.parameter("header")), signature)?)
        }
        media::NPY | "application/npy" => read_npy(body, signature),
        _ if raw::is_file(essence, body, signature) => {
            let spec = raw::only_input(signature, "a file")?;
            Read::table(vec![(spec.name.clone(), raw::read_file(body, spec)?)])
        }
        media::OCTETS => {
            let spec = raw::only_input(signature, "a raw body")?;
            Read::table(vec![(spec.name.clone(), raw::read(body, spec)?)])
        }
        media::TEXT => match signature.inputs.as_slice() {
            [spec] if spec.dtype == DType::Str => {
                Read::table(vec![(spec.name.clone(), raw::read_text(body, spec)?)])
            }
            _ => read_untyped(body, signature),
        },
        "" | media::FORM => read_untyped(body, signature),
        cloud_event::MEDIA_TYPE => cloud_event::read(body, signature),
        batch if batch.starts_with("application/cloudevents-batch") => {
            Err(unsupported(&quoted(batch), signature))
        }
        json if json == media::JSON || json == "text/json" || json.ends_with("+json") => {
            forms::read(json::parse(body)?, signature)
        }
        other => Err(unsupported(&quoted(other), signature)),
    }
}

fn unsupported(what: &str, signature: &Signature) -> FunctionError {
    let files = signature.inputs.iter().filter_map(|spec| spec.file).flat_map(FileKind::content_types);
    let known = [media::JSON, media::CSV, media::NPY, media::OCTETS, media::TEXT];
    let known = known.into_iter().chain(files.copied()).collect::<Vec<_>>().join(", ");
    let mut error = FunctionError::new(
        Code::UnsupportedMediaType,
        format!("a body of the type {what} is not read here; the types are {known}"),
    );
    (error.field, error.expected, error.found) =
        (Some("Content-Type".to_owned()), Some(known), Some(what.to_owned()));
    error
}

/// A body that does not say what it is: JSON when it begins like JSON, or is a single JSON value; else CSV.
fn read_untyped(body: &Bytes, signature: &Signature) -> Result<Read, FunctionError> {
    let start = body.trim_ascii_start().first();
    if matches!(start, None | Some(b'{' | b'[')) {
        return forms::read(json::parse(body)?, signature);
    }
    match json::parse(body) {
        Ok(scalar) => forms::read(scalar, signature),
        Err(_) => Read::table(table::read(body, None, signature)?),
    }
}

/// An npy body. Of the input's own type it is taken as it is; any other goes the way of JSON numbers, by the same rules.
fn read_npy(body: &[u8], signature: &Signature) -> Result<Read, FunctionError> {
    let tensor = npy::read(body)?;
    if let [spec] = signature.inputs.as_slice()
        && spec.dtype == tensor.dtype()
    {
        let tensor = layout::fitted(tensor, spec, false, "body")?;
        return Read::table(vec![(spec.name.clone(), tensor)]);
    }
    forms::read_array(as_json(&tensor), signature)
}

/// An array as the JSON that would have held it.
fn as_json(tensor: &modelet_core::Tensor) -> Json {
    use modelet_core::Data;
    let floats = |numbers: Vec<f64>| Some(Numbers::F64(numbers));
    let numbers = match tensor.data() {
        Data::I8(v) => Some(Numbers::I64(v.iter().map(|i| (*i).into()).collect())),
        Data::I16(v) => Some(Numbers::I64(v.iter().map(|i| (*i).into()).collect())),
        Data::I32(v) => Some(Numbers::I64(v.iter().map(|i| (*i).into()).collect())),
        Data::I64(v) => Some(Numbers::I64(v.clone())),
        Data::U8(v) => Some(Numbers::I64(v.iter().map(|i| (*i).into()).collect())),
        Data::U16(v) => Some(Numbers::I64(v.iter().map(|i| (*i).into()).collect())),
        Data::U32(v) => Some(Numbers::I64(v.iter().map(|i| (*i).into()).collect())),
        Data::U64(v) => {
            let mut numbers = Numbers::default();
            v.iter().for_each(|u| numbers.push(i64::try_from(*u).map_or(Number::U64(*u), Number::I64)));
            Some(numbers)
        }
        Data::F16(v) => floats(v.iter().map(|x| x.to_f64()).collect()),
        Data::BF16(v) => floats(v.iter().map(|x| x.to_f64()).collect()),
        Data::F32(v) => floats(v.iter().map(|x| (*x).into()).collect()),
        Data::F64(v) => floats(v.clone()),
        Data::Bool(_) | Data::Str(_) => None,
    };
    match (numbers, tensor.data()) {
        (Some(numbers), _) if tensor.shape().is_empty() => Json::Number(numbers.get(0)),
        (Some(numbers), _) => Json::dense(tensor.shape().to_vec(), numbers),
        (None, Data::Bool(v)) => nested(tensor.shape(), &mut v.iter().map(|b| Json::Bool(*b))),
        (None, Data::Str(v)) => nested(tensor.shape(), &mut v.iter().map(|t| Json::Text(t.clone()))),
        (None, _) => Json::Null,
    }
}

/// Lists of a shape around elements.
fn nested(shape: &[usize], elements: &mut dyn Iterator<Item = Json>) -> Json {
    match shape.split_first() {
        None => elements.next().unwrap_or(Json::Null),
        Some((0, _)) => Json::dense(vec![0], Numbers::default()),
        Some((len, inner)) => Json::List((0..*len).map(|_| nested(inner, elements)).collect()),
    }
}

#[cfg(test)]
mod tests;
