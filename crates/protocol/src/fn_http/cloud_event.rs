//! An event in the structured form of CloudEvents 1.0 (`application/cloudevents+json`): its data is the body.
//!
//! In the binary form the event's attributes are headers, and the body is the data already.
//!
//! Source: CloudEvents 1.0.2, JSON event format, sections 3.1 and 3.1.1.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use modelet_core::{Code, FunctionError, Signature, base64};

use super::forms::{self, Read};
use crate::json::{self, Json};
use crate::media::{self, MediaType};
use crate::protocol::Request;
use crate::text::quoted;

/// What an event is sent as.
pub(super) const MEDIA_TYPE: &str = "application/cloudevents+json";
/// Attributes that every event has.
const REQUIRED: &[&str] = &["specversion", "id", "source", "type"];

/// Reads the data of an event.
pub(super) fn read(body: &Bytes, signature: &Signature) -> Result<Read, FunctionError> {
    let Json::Object(members) = json::parse(body)? else {
        return Err(no_event("it is no object"));
    };
    for name in REQUIRED {
        let attribute = members.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        match attribute {
            Some(Json::Text(version)) if *name == "specversion" && version != "1.0" => {
                return Err(no_event(&format!(
                    "its specversion is {}, and 1.0 is read here",
                    quoted(version)
                )));
            }
            Some(Json::Text(text)) if !text.is_empty() => {}
            _ => return Err(no_event(&format!("it has no {}", quoted(name)))),
        }
    }
    let (mut content_type, mut data, mut bytes) = (None, None, None);
    for (key, value) in members {
        match (key.as_str(), value) {
            ("datacontenttype", Json::Text(text)) => content_type = Some(text),
            ("data", value) => data = Some(value),
            ("data_base64", Json::Text(text)) => bytes = Some(text),
            _ => {}
        }
    }
    match (data, bytes) {
        (Some(_), Some(_)) => Err(no_event("it has both \"data\" and \"data_base64\"")),
        (None, None) => Err(no_event("it has no \"data\"")),
        (None, Some(text)) => {
            let bytes = base64::decode(&text)
                .map_err(|why| no_event(&format!("its data_base64 is no base64: {why}")))?;
            read_as(content_type.as_deref(), bytes.into(), signature)
        }
        // Text of another type than JSON is that text.
        (Some(Json::Text(text)), None) if !is_json(content_type.as_deref()) => {
            read_as(content_type.as_deref(), text.into(), signature)
        }
        (Some(json), None) => forms::read(json, signature),
    }
}

/// Data without a type is JSON.
fn is_json(content_type: Option<&str>) -> bool {
    let essence = content_type.map(|text| MediaType::parse(text).essence);
    essence.is_none_or(|essence| essence == media::JSON || essence.ends_with("+json"))
}

fn read_as(content_type: Option<&str>, body: Bytes, signature: &Signature) -> Result<Read, FunctionError> {
    let content_type = content_type.unwrap_or(media::JSON);
    if MediaType::parse(content_type).essence.starts_with("application/cloudevents") {
        return Err(no_event("its data is another event"));
    }
    let value = HeaderValue::from_str(content_type)
        .map_err(|_| no_event("its datacontenttype is no content type"))?;
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, value)]);
    super::read(&Request { headers: &headers, query: None, body }, signature)
}

fn no_event(why: &str) -> FunctionError {
    FunctionError::new(Code::BadBody, format!("the body is no CloudEvent in structured form: {why}"))
        .hint("send specversion, id, source, type and data; or the data alone, and the rest as ce- headers")
}
