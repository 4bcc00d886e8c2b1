//! The lean way: HTTP/1.1 straight to the host, a connection for each call. Hosts are known by the certificates of the program's own
//! list of authorities (Mozilla's), since a container may have none, or by those of a file (`AWS_CA_BUNDLE`).

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderValue, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::{CloudError, Kind};
use crate::transport::{Answer, Request, Sending, Transport};

/// Connecting may take so long, the handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The largest answer that is read, bytes: four times the largest secret in base64.
const ANSWER_LIMIT_BYTES: usize = 384 << 10;

/// What to do when nobody answers.
pub const REACH: &str = "can the function reach AWS? in a VPC it needs an endpoint of that service, or a way out; another address is named by \
                         AWS_ENDPOINT_URL";

/// What went wrong on the way.
type Lost = Box<dyn Error + Send + Sync>;

/// The way.
pub struct Https {
    tls: TlsConnector,
}

impl Https {
    /// One that trusts the authorities of a file in PEM, or its own list.
    ///
    /// # Errors
    /// [`Kind::Unreachable`] when the file cannot be read, or has no certificate.
    pub fn new(authorities: Option<&Path>) -> Result<Self, CloudError> {
        let roots = match authorities {
            Some(file) => of_file(file)?,
            None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unreachable(&error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    async fn sent(&self, request: &Request) -> Result<Answer, CloudError> {
        let host = request.url.split('?').next().unwrap_or_default();
        let lost = |why: String| unreachable(&format!("{host}: {why}"));
        let asked = timeout(request.timeout, self.ask(request)).await;
        let asked =
            asked.map_err(|_| lost(format!("no answer within {} s", request.timeout.as_secs_f64())))?;
        asked.map_err(|error| lost(causes(error.as_ref())))
    }

    async fn ask(&self, request: &Request) -> Result<Answer, Lost> {
        let uri: Uri = request.url.parse()?;
        let authority = uri.authority().ok_or("the address names no host")?;
        let is_encrypted = uri.scheme_str() == Some("https");
        let port = authority.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        // As an address of IPv6 stands in a URL, it stands in brackets.
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let connected = async {
            let stream = TcpStream::connect((name, port)).await?;
            stream.set_nodelay(true)?;
            Ok::<_, Lost>(stream)
        };
        if !is_encrypted {
            return exchange(connected.await?, request, &uri).await;
        }
        let shaken = async {
            let server = ServerName::try_from(name.to_owned())?;
            Ok::<_, Lost>(self.tls.connect(server, connected.await?).await?)
        };
        let stream = timeout(CONNECT_TIMEOUT, shaken)
            .await
            .map_err(|_| format!("no connection within {} s", CONNECT_TIMEOUT.as_secs_f64()))?;
        exchange(stream?, request, &uri).await
    }
}

impl Transport for Https {
    fn send<'a>(&'a self, request: &'a Request) -> Sending<'a> {
        Box::pin(self.sent(request))
    }
}

/// One request and its answer on a connection.
async fn exchange<S>(stream: S, asked: &Request, uri: &Uri) -> Result<Answer, Lost>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with the answer; its failures are the request's too.
    let driven = tokio::spawn(async move { drop(connection.await) });
    let mut request = http::Request::new(Full::new(asked.body.clone()));
    *request.method_mut() = asked.method.clone();
    *request.uri_mut() = uri.path_and_query().map_or("/", |path| path.as_str()).parse()?;
    *request.headers_mut() = asked.headers.clone();
    let host = uri.authority().map_or("", |authority| authority.as_str());
    request.headers_mut().insert(HOST, HeaderValue::from_str(host)?);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    let agent = HeaderValue::from_static(concat!("modelet/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().insert(USER_AGENT, agent);
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body: Bytes = Limited::new(body, ANSWER_LIMIT_BYTES).collect().await?.to_bytes();
    driven.abort();
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
}

/// The authorities whose certificates are in a file.
fn of_file(file: &Path) -> Result<RootCertStore, CloudError> {
    let wrong = |why: &str| unreachable(&format!("the authorities in {}: {why}", file.display()));
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| wrong(&error.to_string()))?;
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(certificates).0 == 0 {
        return Err(wrong("there is no certificate in it"));
    }
    Ok(roots)
}

fn unreachable(message: &str) -> CloudError {
    CloudError::new(Kind::Unreachable, message).hint(REACH)
}

/// An error with what it came of.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
