//! The one HTTP client: proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`), the machine's own certificates, time-outs.

use std::time::Duration;

use modelet_aws::transport::{Answer, Request, Sending, Transport};

use crate::error::{CloudError, Kind};

/// Connecting may take so long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer that is read, bytes: twice what Lambda answers.
const ANSWER_LIMIT_BYTES: usize = 16 << 20;

/// The client.
#[derive(Debug, Clone)]
pub struct Http(reqwest::Client);

impl Http {
    /// A client with connections of its own.
    ///
    /// # Errors
    /// [`Kind::Unreachable`] when there are no certificates to trust, or a proxy's address is none.
    pub fn new() -> Result<Self, CloudError> {
        // The second time it is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("modelet/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
            .map_err(|error| unreachable(&format!("no client could be made: {}", causes(&error))))
    }

    async fn sent(&self, request: &Request) -> Result<Answer, CloudError> {
        let host = request.url.split('?').next().unwrap_or_default();
        let lost = |error: &reqwest::Error| unreachable(&format!("{host}: {}", causes(error)));
        let mut answer = self
            .0
            .request(request.method.clone(), &request.url)
            .headers(request.headers.clone())
            .timeout(request.timeout)
            .body(request.body.clone())
            .send()
            .await
            .map_err(|error| lost(&error))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| lost(&error))? {
            if body.len() + piece.len() > ANSWER_LIMIT_BYTES {
                return Err(unreachable(&format!("{host} answered more than {ANSWER_LIMIT_BYTES} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { status, headers, body: body.into() })
    }
}

impl Transport for Http {
    fn send<'a>(&'a self, request: &'a Request) -> Sending<'a> {
        Box::pin(self.sent(request))
    }
}

fn unreachable(message: &str) -> CloudError {
    CloudError::new(Kind::Unreachable, message)
        .hint("is the network there? a proxy is named by HTTPS_PROXY, another endpoint by AWS_ENDPOINT_URL")
}

/// An error of reqwest with what it came of, without the address, which may hold a query.
pub(crate) fn causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "timed out".to_owned() } else { "could not be asked".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
