//! Websockets: the client's connection and the instance's are joined, and what goes over them is nobody's but theirs (RFC 6455).

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderValue, Request};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::gateway::pieces::Passed;

const WEBSOCKET: &str = "websocket";

/// The connection of a client that asks for one.
pub fn asked<B>(request: &mut Request<B>) -> Option<OnUpgrade> {
    let protocol = request.headers().get(UPGRADE)?.to_str().ok()?;
    protocol.eq_ignore_ascii_case(WEBSOCKET).then(|| hyper::upgrade::on(request))
}

/// The headers of a request or an answer say so to the next connection too.
pub fn name(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
}

/// Passes on what either side says, until both have ended; counts what the client was sent.
pub async fn join(client: OnUpgrade, instance: OnUpgrade, sent_bytes: &mut u64) -> Passed {
    let Ok((client, instance)) = tokio::try_join!(client, instance) else { return Passed::Left };
    let (mut client, mut instance) = (TokioIo::new(client), TokioIo::new(instance));
    // However they end: how a websocket ended is said over it.
    let passed = tokio::io::copy_bidirectional(&mut client, &mut instance).await;
    *sent_bytes = passed.map_or(0, |(_, to_client)| to_client);
    Passed::Whole
}
