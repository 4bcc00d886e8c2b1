//! Websockets (RFC 6455): a connection that a client asks to become one.

use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use modelet_core::{Code, FunctionError};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::handler::AnswerBody;

const WEBSOCKET: &str = "websocket";

/// The connection of a request that asks for one.
pub(super) fn asked(head: &Parts) -> Option<OnUpgrade> {
    let protocol = head.headers.get(UPGRADE)?.to_str().ok()?;
    let is_asked = protocol.eq_ignore_ascii_case(WEBSOCKET);
    is_asked.then(|| head.extensions.get::<OnUpgrade>().cloned()).flatten()
}

/// Says to the next connection what it becomes.
pub(super) fn name(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
}

/// The answer to a request, after which its connection is one.
pub(super) fn accepted(head: &Parts, more: HeaderMap) -> Result<Response<AnswerBody>, FunctionError> {
    let key = head.headers.get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let key = key.and_then(|key| HeaderValue::try_from(key).ok());
    let key =
        key.ok_or_else(|| FunctionError::new(Code::BadInput, "the websocket has no sec-websocket-key"))?;
    let mut answer = Response::new(bytes::Bytes::new().into());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *answer.headers_mut() = more;
    answer.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, key);
    name(answer.headers_mut());
    Ok(answer)
}

/// Joins two connections, until both have ended.
pub(super) fn join(client: OnUpgrade, program: OnUpgrade) {
    tokio::task::spawn_local(async move {
        if let Ok((client, program)) = tokio::try_join!(client, program) {
            // How a websocket ended is said over it.
            let _ =
                tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(program)).await;
        }
    });
}
