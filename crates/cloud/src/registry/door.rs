//! The way in: a key for what is to be done, had once and used as long as it holds, and another try where one may go well.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::token_cache::RegistryTokenType;
use oci_client::{Client, Reference, RegistryOperation};

use super::Registries;
use super::access::Login;
use super::failure::{self, ATTEMPTS, Failure, KEYS, Then};
use super::key::{self, Key};
use crate::error::CloudError;

/// Connecting may take so long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// The part of a token's time in which it is used, percent: what is asked for with it takes time too.
const TOKEN_PERCENT: u32 = 80;

/// What a key opens: a registry, and what may be done in which of its repositories.
pub(super) type Door = (String, Vec<String>);

/// A key in use.
#[derive(Clone)]
pub(super) struct Entered {
    pub(super) client: Client,
    login: Login,
    until: Option<Instant>,
}

/// What is to be done in a repository.
pub(super) struct Asked<'a> {
    /// In words: `push`.
    pub(super) what: &'static str,
    pub(super) image: &'a Reference,
    pub(super) operation: RegistryOperation,
    /// An image of the same registry of which is read too.
    pub(super) near: Option<&'a Reference>,
}

impl Registries {
    /// Does something with a key that holds; what may pass is tried again.
    pub(super) async fn tried<T>(
        &self,
        asked: &Asked<'_>,
        once: impl AsyncFn(Client) -> Result<T, OciDistributionError>,
    ) -> Result<T, CloudError> {
        let (mut tries, mut keys) = (0, 0);
        loop {
            let failure = match self.enter(asked).await {
                Err(failure) => failure,
                Ok(Entered { client, login, until }) => match once(client).await {
                    Ok(done) => return Ok(done),
                    Err(error) => {
                        let failure = failure::of(&error, &login);
                        // A password stays as wrong as it is.
                        let is_over = until.is_none() && failure.then == Then::WithAnotherKey;
                        if is_over { Failure { then: Then::Never, ..failure } } else { failure }
                    }
                },
            };
            tries += 1;
            match failure.then {
                Then::Again if tries < ATTEMPTS => tokio::time::sleep(failure::wait(tries)).await,
                Then::WithAnotherKey if keys < KEYS => {
                    keys += 1;
                    self.keys().remove(&asked.door());
                }
                _ => return Err(failure::told(asked.what, asked.image, failure.error)),
            }
        }
    }

    /// A client with a key for what is asked: the one that it had, as long as that holds.
    pub(super) async fn enter(&self, asked: &Asked<'_>) -> Result<Entered, Failure> {
        let door = asked.door();
        let known = self.keys().get(&door).cloned();
        if let Some(known) = known.filter(|known| known.until.is_none_or(|until| Instant::now() < until)) {
            return Ok(known);
        }
        let never = |error| Failure { error, then: Then::Never };
        let login = self.access.to(asked.image).await.map_err(never)?;
        let scheme = if self.access.is_plain(&door.0) { "http" } else { "https" };
        let asked_at = Instant::now();
        let key = key::get(&self.http, &format!("{scheme}://{}", door.0), &login, &door.1).await?;
        let until = match &key {
            Key::Token(_, lasts) => Some(asked_at + *lasts * TOKEN_PERCENT / 100),
            Key::Password(..) | Key::None => None,
        };
        let entered = Entered { client: self.client(asked.image, key).await, login, until };
        self.keys().insert(door, entered.clone());
        Ok(entered)
    }

    /// A client that shows this key with each call, and looks for no other.
    async fn client(&self, image: &Reference, key: Key) -> Client {
        // The second time it is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::new(ClientConfig {
            protocol: ClientProtocol::HttpsExcept(self.access.plain.clone()),
            use_monolithic_push: true,
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            ..ClientConfig::default()
        });
        let registry = image.resolve_registry();
        match key {
            Key::None => {}
            Key::Token(token, _) => {
                // Also where this machine's clock says that the token is over.
                client.store_auth_if_needed(registry, &RegistryAuth::Bearer(token)).await;
            }
            Key::Password(user, password) => {
                client
                    .store_auth_if_needed(registry, &RegistryAuth::Basic(user.clone(), password.clone()))
                    .await;
                for operation in [RegistryOperation::Pull, RegistryOperation::Push] {
                    let known = RegistryTokenType::Basic(user.clone(), password.clone());
                    client.tokens.insert(image, operation, known).await;
                }
            }
        }
        client
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, BTreeMap<Door, Entered>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Asked<'a> {
    /// Something that only reads.
    pub(super) const fn pull(what: &'static str, image: &'a Reference) -> Self {
        Self { what, image, operation: RegistryOperation::Pull, near: None }
    }

    fn door(&self) -> Door {
        let actions = match self.operation {
            RegistryOperation::Pull => "pull",
            RegistryOperation::Push => "pull,push",
        };
        let mut scopes = vec![format!("repository:{}:{actions}", self.image.repository())];
        scopes.extend(self.near.map(|near| format!("repository:{}:pull", near.repository())));
        (self.image.resolve_registry().to_owned(), scopes)
    }
}
