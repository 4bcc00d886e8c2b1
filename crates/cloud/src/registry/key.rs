//! The key that a registry wants to see with each call: a password, or a token that its token server gives for some time (Distribution,
//! "Token Authentication Specification" and "Docker Registry v2 authentication using OAuth2").

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use http_auth::parser::ChallengeParser;
use modelet_core::base64;
use reqwest::Url;
use serde::Deserialize;

use super::access::{Login, Who};
use super::failure::{Failure, Then};
use crate::error::{CloudError, Kind};
use crate::http::Http;
use modelet_aws::transport::{Request, Transport};

/// A registry and its token server answer within this.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a token holds that does not say it (the specification's own default).
const UNSAID_SECONDS: u64 = 60;
/// Who asks token servers, by the name that programs have there.
const CLIENT: &str = "modelet";

/// What is shown with each call.
#[derive(Clone)]
pub(super) enum Key {
    /// Nothing: the registry does not want to know.
    None,
    /// A user and a password.
    Password(String, String),
    /// A token, and for how long it holds.
    Token(String, Duration),
}

/// What a registry wants to see.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Password,
    /// A token of the server `realm`, for `service`.
    Token {
        realm: String,
        service: Option<String>,
    },
}

/// A token server's answer. It has one name by the first specification and another by OAuth2.
#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Gets the key to `scopes` of the registry at `url`.
pub(super) async fn get(http: &Http, url: &str, login: &Login, scopes: &[String]) -> Result<Key, Failure> {
    let asked = request(Method::GET, format!("{url}/v2/"));
    let answer = http.send(&asked).await.map_err(unreached)?;
    if answer.status >= 500 || answer.status == 429 {
        return Err(answered("it", answer.status, Then::Again));
    }
    let (realm, service) = match (wanted(&answer.headers), &login.who) {
        (Wanted::Nothing, _) | (Wanted::Password, Who::Nobody | Who::Identity(_)) => return Ok(Key::None),
        (Wanted::Password, Who::User(user, password)) => {
            return Ok(Key::Password(user.clone(), password.clone()));
        }
        (Wanted::Token { realm, service }, _) => (realm, service),
    };
    if url.starts_with("https://") && !realm.starts_with("https://") {
        let why = format!("it sends those who ask to {realm}, where passwords could be read on the way");
        return Err(Failure { error: CloudError::refused(why), then: Then::Never });
    }
    let asked = for_token(&realm, service.as_deref(), login, scopes).map_err(|error| {
        let why = format!("it sends those who ask to {realm}, which is no address: {error}");
        Failure { error: CloudError::new(Kind::Unreachable, why), then: Then::Never }
    })?;
    let answer = http.send(&asked).await.map_err(unreached)?;
    match answer.status {
        200 => given(&answer.body, &realm),
        status @ (429 | 500..) => Err(answered(&format!("its token server {realm}"), status, Then::Again)),
        status @ (400 | 401 | 403) => {
            let why = match &login.who {
                Who::Nobody => format!("it wants to know who asks ({realm} answered {status})"),
                _ => format!(
                    "it does not let {login} do that, or not with this password ({realm} answered {status})"
                ),
            };
            Err(Failure { error: CloudError::new(Kind::Denied, why), then: Then::Never })
        }
        status => Err(answered(&format!("its token server {realm}"), status, Then::Never)),
    }
}

fn unreached(error: CloudError) -> Failure {
    Failure { error, then: Then::Again }
}

fn answered(who: &str, status: u16, then: Then) -> Failure {
    Failure { error: CloudError::new(Kind::Service, format!("{who} answered {status}")), then }
}

fn request(method: Method, url: String) -> Request {
    Request { method, url, headers: HeaderMap::new(), body: bytes::Bytes::new(), timeout: TIMEOUT }
}

/// What the registry wants to see, of the headers of its answer to one who shows nothing.
fn wanted(headers: &HeaderMap) -> Wanted {
    let mut wanted = Wanted::Nothing;
    for header in headers.get_all(http::header::WWW_AUTHENTICATE) {
        for challenge in ChallengeParser::new(header.to_str().unwrap_or_default()).flatten() {
            let value = |name: &str| {
                let own = challenge.params.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
                own.map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = value("realm")
            {
                return Wanted::Token { realm, service: value("service") };
            }
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                wanted = Wanted::Password;
            }
        }
    }
    wanted
}

/// How a token server is asked: users show their password, an identity token is exchanged.
fn for_token(
    realm: &str,
    service: Option<&str>,
    login: &Login,
    scopes: &[String],
) -> Result<Request, String> {
    let joined = scopes.join(" ");
    let of_service = service.map(|service| ("service", service));
    if let Who::Identity(token) = &login.who {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", CLIENT),
            ("scope", &joined),
            ("refresh_token", token),
        ];
        let url = Url::parse(realm).map_err(|error| error.to_string())?;
        // A query and a form are written alike.
        let form = Url::parse_with_params("https://form.invalid", form.into_iter().chain(of_service));
        let form = form.map_err(|error| error.to_string())?.query().unwrap_or_default().to_owned();
        let mut asked = request(Method::POST, url.into());
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        asked.headers.insert(http::header::CONTENT_TYPE, kind);
        asked.body = form.into();
        return Ok(asked);
    }
    let scopes = scopes.iter().map(|scope| ("scope", scope.as_str()));
    let url = Url::parse_with_params(realm, of_service.into_iter().chain(scopes));
    let mut asked = request(Method::GET, url.map_err(|error| error.to_string())?.into());
    if let Who::User(user, password) = &login.who {
        let pair = base64::encode(format!("{user}:{password}").as_bytes());
        let mut value = HeaderValue::from_str(&format!("Basic {pair}")).map_err(|error| error.to_string())?;
        value.set_sensitive(true);
        asked.headers.insert(http::header::AUTHORIZATION, value);
    }
    Ok(asked)
}

fn given(body: &[u8], realm: &str) -> Result<Key, Failure> {
    let given: Option<Given> = serde_json::from_slice(body).ok();
    let lasts =
        Duration::from_secs(given.as_ref().and_then(|given| given.expires_in).unwrap_or(UNSAID_SECONDS));
    let token = given.and_then(|given| given.token.or(given.access_token)).filter(|token| !token.is_empty());
    token.map(|token| Key::Token(token, lasts)).ok_or_else(|| Failure {
        error: CloudError::new(Kind::Unreachable, format!("its token server {realm} gave no token")),
        then: Then::Never,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(values: &[&str]) -> Wanted {
        let value = |value: &&str| (http::header::WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        wanted(&values.iter().map(value).collect())
    }

    #[test]
    fn what_a_registry_wants_is_read_of_its_answer() {
        let token = Wanted::Token {
            realm: "https://auth.docker.io/token".to_owned(),
            service: Some("registry.docker.io".to_owned()),
        };
        let bearer = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#;
        assert_eq!(asks(&[bearer]), token);
        assert_eq!(asks(&[r#"Basic realm="x""#, bearer]), token);
        assert_eq!(asks(&[r#"BASIC realm="x, y", charset="UTF-8""#]), Wanted::Password);
        assert_eq!((asks(&[]), asks(&["Negotiate"])), (Wanted::Nothing, Wanted::Nothing));
    }

    fn asked(who: Who) -> Request {
        let scopes = ["repository:a/b:pull,push".to_owned(), "repository:c:pull".to_owned()];
        let login = Login { who, source: String::new() };
        for_token("https://t.example/token?x=1", Some("r.example"), &login, &scopes).unwrap()
    }

    #[test]
    fn users_show_their_password_and_identity_tokens_are_exchanged() {
        let nobody = asked(Who::Nobody);
        let scopes = "scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=repository%3Ac%3Apull";
        assert_eq!(nobody.url, format!("https://t.example/token?x=1&service=r.example&{scopes}"));
        assert!(nobody.headers.is_empty());
        let user = asked(Who::User("me".to_owned(), "p:w".to_owned()));
        assert_eq!(user.headers["authorization"], "Basic bWU6cDp3");
        let identity = asked(Who::Identity("R&T".to_owned()));
        assert_eq!((identity.method, identity.url), (Method::POST, "https://t.example/token?x=1".to_owned()));
        assert_eq!(
            identity.body,
            "grant_type=refresh_token&client_id=modelet&scope=repository%3Aa%2Fb%3Apull%2Cpush+repository%3Ac%3Apull\
             &refresh_token=R%26T&service=r.example"
        );
    }

    #[test]
    fn a_token_has_two_names_and_a_time() {
        let read = |body: &str| match given(body.as_bytes(), "r") {
            Ok(Key::Token(token, lasts)) => Some((token, lasts.as_secs())),
            _ => None,
        };
        assert_eq!(
            read(r#"{"token": "a", "access_token": "a", "expires_in": 300}"#),
            Some(("a".to_owned(), 300))
        );
        assert_eq!(read(r#"{"access_token": "b"}"#), Some(("b".to_owned(), 60)));
        assert_eq!((read(r#"{"token": ""}"#), read("{}"), read("<html>")), (None, None, None));
    }
}
