//! A websocket of an application: its frames on one side, the worker's messages on the other (see
//! `python/worker/modelet_worker/asgi/conversation.py`).

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

use super::exchange::Exchange;
use super::wire::AnswerHead;

/// What is said of a websocket that ended without a word (RFC 6455, 7.4.1).
const ABNORMAL: u16 = 1006;
/// … and of one that was ended without a code.
const NO_STATUS: u16 = 1005;

/// Speaks for an application that has accepted a websocket, until either side ends it. A message has `limit_bytes` at most.
pub(super) async fn speak(client: OnUpgrade, mut exchange: Exchange, limit_bytes: u64) {
    let Ok(client) = client.await else { return };
    let limit = usize::try_from(limit_bytes).ok();
    let config = WebSocketConfig::default().max_message_size(limit).max_frame_size(limit);
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(client), Role::Server, Some(config)).await;
    let closed = loop {
        tokio::select! {
            said = exchange.next() => match said.map(said_by_application) {
                Some(Message::Close(close)) => {
                    let _ = socket.close(close).await;
                    return drain(socket).await;
                }
                Some(message) => if socket.send(message).await.is_err() {
                    break (ABNORMAL, Utf8Bytes::default());
                },
                None => break (ABNORMAL, Utf8Bytes::default()),
            },
            said = socket.next() => match said {
                Some(Ok(Message::Text(text))) => exchange.pass(&json!({ "control": "message", "text": true }), text.as_bytes()).await,
                Some(Ok(Message::Binary(bytes))) => exchange.pass(&json!({ "control": "message", "text": false }), &bytes).await,
                Some(Ok(Message::Close(close))) => {
                    break close.map_or((NO_STATUS, Utf8Bytes::default()), |close| (close.code.into(), close.reason));
                }
                // Pings are answered by themselves.
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let _ = socket.close(Some(fault(&error))).await;
                    break (ABNORMAL, Utf8Bytes::default());
                }
                None => break (ABNORMAL, Utf8Bytes::default()),
            },
        }
    };
    let (code, reason) = closed;
    exchange.say(&json!({ "control": "closed", "code": code, "reason": reason.as_str() }), &[]);
    drain(socket).await;
}

/// The client's last words, and the end of its connection.
async fn drain(mut socket: WebSocketStream<TokioIo<Upgraded>>) {
    let ending = async { while let Some(Ok(_)) = socket.next().await {} };
    // One that does not answer a close is left behind.
    let _ = tokio::time::timeout(super::CLOSE_TIMEOUT, ending).await;
}

/// A frame of the worker's, as a message.
fn said_by_application((mut head, body): (AnswerHead, Bytes)) -> Message {
    if head.raised().is_some() {
        return Message::Close(Some(CloseFrame { code: CloseCode::Error, reason: Utf8Bytes::default() }));
    }
    match head.close {
        Some((code, reason)) => Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() })),
        // The worker sends as text what is text.
        None if head.text => Utf8Bytes::try_from(body.clone()).map_or(Message::Binary(body), Message::Text),
        None => Message::Binary(body),
    }
}

/// Why we end it.
fn fault(error: &tungstenite::Error) -> CloseFrame {
    let code = match error {
        tungstenite::Error::Capacity(_) => CloseCode::Size,
        tungstenite::Error::Utf8(_) => CloseCode::Invalid,
        _ => CloseCode::Protocol,
    };
    CloseFrame { code, reason: error.to_string().into() }
}
