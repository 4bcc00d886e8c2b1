//! Logins that `docker login` and `podman login` keep: in files, and behind programs that the files name (Docker's CLI reference,
//! "Credential stores"; `containers-auth.json(5)`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use modelet_core::base64;
use oci_client::Reference;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::access::{Login, Who};
use crate::environment::Environment;
use crate::error::{CloudError, Kind};

/// The largest file that is read, bytes.
const FILE_LIMIT_BYTES: u64 = 1 << 20;
/// A program that knows a login says it within this: some ask a cloud first.
const PROGRAM_LIMIT: Duration = Duration::from_secs(60);
/// What such a program says, at most, bytes.
const PROGRAM_LIMIT_BYTES: u64 = 1 << 16;
/// Docker's own registry, as images and as `docker login` call it.
const DOCKER_HUB: (&str, &str) = ("index.docker.io", "https://index.docker.io/v1/");
/// The other names of Docker's own registry.
const ALSO_DOCKER_HUB: [&str; 2] = ["docker.io", "registry-1.docker.io"];
/// The user in whose place a program gives an identity token.
const TOKEN_USER: &str = "<token>";
/// What programs say when they know no login (docker-credential-helpers' own words).
const NO_LOGIN: &str = "credentials not found";

/// A file of logins, as far as it is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: Option<BTreeMap<String, Kept>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

/// A login in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kept {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// What a file says of a registry.
#[derive(PartialEq, Eq)]
enum Told {
    Nothing,
    Login(Who),
    /// The program `docker-credential-NAME` knows it.
    Program(String),
}

/// A login as a program says it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Said {
    username: String,
    secret: String,
}

/// The login for the registry of an image: of the first file that has one. Nobody's where none has.
///
/// # Errors
/// [`Kind::Credentials`], when a file cannot be read, or a program that one names does not answer.
pub(super) async fn find(environment: &Environment, image: &Reference) -> Result<Login, CloudError> {
    for path in files(environment) {
        let Some(file) = read(&path)? else { continue };
        let who = match told(&file, image).map_err(|why| bad(&path, &why))? {
            Told::Nothing => continue,
            Told::Login(who) => Some(who),
            Told::Program(name) => asked(&name, image, &path).await?,
        };
        if let Some(who) = who {
            return Ok(Login { who, source: path.display().to_string() });
        }
    }
    Ok(Login { who: Who::Nobody, source: String::new() })
}

/// Where logins are kept: the file that is named, Docker's, Podman's.
fn files(environment: &Environment) -> Vec<PathBuf> {
    let folder = |variable: &str, below: &str| {
        let own = environment.get(variable).map(PathBuf::from);
        own.or_else(|| environment.get("HOME").map(|home| Path::new(&home).join(below)))
    };
    let named = environment.get("REGISTRY_AUTH_FILE").map(PathBuf::from);
    let docker = folder("DOCKER_CONFIG", ".docker").map(|folder| folder.join("config.json"));
    let session = environment.get("XDG_RUNTIME_DIR").map(PathBuf::from);
    let podman = [session, folder("XDG_CONFIG_HOME", ".config")];
    let podman = podman.into_iter().flatten().map(|folder| folder.join("containers/auth.json"));
    named.into_iter().chain(docker).chain(podman).collect()
}

/// A file of logins; `None` where there is none.
fn read(path: &Path) -> Result<Option<File>, CloudError> {
    let text = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(path, &error.to_string())),
        Ok(file) if file.len() > FILE_LIMIT_BYTES => return Err(bad(path, "it is too large for logins")),
        Ok(_) => std::fs::read(path).map_err(|error| bad(path, &error.to_string()))?,
    };
    // Podman makes an empty one. The parser's own words may quote what it read.
    if text.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&text).map(Some).map_err(|_| bad(path, "it is no file of logins"))
}

fn bad(path: &Path, why: &str) -> CloudError {
    let why = format!("the logins of registries in {} cannot be read: {why}", path.display());
    CloudError::new(Kind::Credentials, why)
        .hint("mend the file, or log in again: docker login, or podman login")
}

/// What a file says of the registry of an image. The program of one registry has the say, then the file itself, then the program of all.
fn told(file: &File, image: &Reference) -> Result<Told, String> {
    for place in places(image) {
        let is_it = |key: &String| named(key) == place;
        let program = file.cred_helpers.iter().flatten().find(|(key, name)| is_it(key) && !name.is_empty());
        if let Some((_, name)) = program {
            return Ok(Told::Program(name.clone()));
        }
        let kept = file.auths.iter().flatten().filter(|(key, _)| is_it(key));
        for (key, kept) in kept {
            if let Some(who) = kept.who().map_err(|why| format!("{key}: {why}"))? {
                return Ok(Told::Login(who));
            }
        }
    }
    let store = file.creds_store.clone().filter(|name| !name.is_empty());
    Ok(store.map_or(Told::Nothing, Told::Program))
}

impl Kept {
    fn who(&self) -> Result<Option<Who>, String> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Some(Who::Identity(token)));
        }
        if let Some(auth) = given(&self.auth) {
            let text = base64::decode(&auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = text.as_deref().and_then(|text| text.split_once(':'));
            let (user, password) = pair.ok_or("auth is no user and password")?;
            return Ok(Some(Who::User(user.to_owned(), password.trim_end_matches('\0').to_owned())));
        }
        Ok(given(&self.username).zip(given(&self.password)).map(|(user, password)| Who::User(user, password)))
    }
}

/// What a login may be kept for that holds for an image: its repository, what is above that, its registry.
fn places(image: &Reference) -> Vec<String> {
    let mut place = format!("{}/{}", image.resolve_registry(), image.repository());
    let mut places = vec![place.clone()];
    while let Some((above, _)) = place.rsplit_once('/') {
        place = above.to_owned();
        places.push(place.clone());
    }
    places
}

/// What a key of a file stands for. Docker's were addresses once, and one still is.
fn named(key: &str) -> String {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let rest = rest.trim_end_matches('/');
    let rest = rest.strip_suffix("/v1").or_else(|| rest.strip_suffix("/v2")).unwrap_or(rest);
    let (host, below) = rest.split_once('/').map_or((rest, None), |(host, below)| (host, Some(below)));
    let host = if ALSO_DOCKER_HUB.contains(&host) { DOCKER_HUB.0 } else { host };
    below.map_or_else(|| host.to_owned(), |below| format!("{host}/{below}"))
}

/// Asks the program that keeps logins. `None` where it knows none.
async fn asked(name: &str, image: &Reference, path: &Path) -> Result<Option<Who>, CloudError> {
    let registry = image.resolve_registry();
    let server = if registry == DOCKER_HUB.0 { DOCKER_HUB.1 } else { registry };
    let program = format!("docker-credential-{name}");
    let failed = |why: String| {
        let why =
            format!("{program}, which knows the login for {registry} as {} says, {why}", path.display());
        CloudError::new(Kind::Credentials, why)
            .hint(format!("try it: echo {server} | {program} get; or take it out of that file"))
    };
    let answer = tokio::time::timeout(PROGRAM_LIMIT, run(&program, server)).await;
    let answer =
        answer.map_err(|_| failed(format!("did not answer within {} s", PROGRAM_LIMIT.as_secs())))?;
    let (is_well, said) = answer.map_err(|error| failed(format!("could not be asked: {error}")))?;
    if !is_well {
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().next().unwrap_or_default();
        return if line.contains(NO_LOGIN) { Ok(None) } else { Err(failed(format!("failed: {line}"))) };
    }
    let said: Said =
        serde_json::from_slice(&said).map_err(|_| failed("answered what is no login".to_owned()))?;
    Ok(Some(if said.username == TOKEN_USER {
        Who::Identity(said.secret)
    } else {
        Who::User(said.username, said.secret)
    }))
}

/// Whether a program ended well, and what it said.
async fn run(program: &str, server: &str) -> std::io::Result<(bool, Vec<u8>)> {
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // One that knows its answer may have ended without reading.
        let _ = input.write_all(server.as_bytes()).await;
    }
    let mut said = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(PROGRAM_LIMIT_BYTES).read_to_end(&mut said).await?;
    }
    Ok((child.wait().await?.success(), said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(file: &str, image: &str) -> Result<Option<Who>, String> {
        let file: File = serde_json::from_str(file).unwrap();
        told(&file, &image.parse().unwrap()).map(|told| match told {
            Told::Nothing => None,
            Told::Login(who) => Some(who),
            Told::Program(name) => Some(Who::User("program".to_owned(), name)),
        })
    }

    fn user(user: &str, password: &str) -> Result<Option<Who>, String> {
        Ok(Some(Who::User(user.to_owned(), password.to_owned())))
    }

    #[test]
    fn a_login_is_found_by_each_of_its_registrys_names() {
        let me = base64::encode(b"me:a:b");
        for key in ["docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"] {
            let file = format!(r#"{{"auths": {{"{key}": {{"auth": "{me}"}}}}}}"#);
            assert!(who(&file, "python:3.11-slim") == user("me", "a:b"), "{key}");
            assert!(who(&file, "ghcr.io/a/b") == Ok(None), "{key}");
        }
        let podmans = r#"{"auths": {"r.example/team": {"username": "t", "password": "1"}, "r.example": {"username": "r", "password": "2"}}}"#;
        assert!(who(podmans, "r.example/team/churn:1") == user("t", "1"));
        assert!(who(podmans, "r.example/teams/churn:1") == user("r", "2"));
    }

    #[test]
    fn an_identity_token_goes_before_the_user_that_stands_beside_it() {
        let azures = format!(
            r#"{{"auths": {{"x.azurecr.io": {{"auth": "{}", "identitytoken": "T"}}}}}}"#,
            base64::encode(b"00000000-0000-0000-0000-000000000000:")
        );
        assert!(who(&azures, "x.azurecr.io/churn") == Ok(Some(Who::Identity("T".to_owned()))));
        let bad = r#"{"auths": {"r.example": {"auth": "bWU="}}}"#;
        assert!(who(bad, "r.example/churn") == Err("r.example: auth is no user and password".to_owned()));
    }

    #[test]
    fn a_program_of_one_registry_goes_before_the_file_and_that_of_all_comes_last() {
        let file = r#"{"auths": {"a.example": {}, "b.example": {"username": "me", "password": "p"}},
                       "credHelpers": {"gcr.io": "gcloud"}, "credsStore": "desktop"}"#;
        assert!(who(file, "gcr.io/p/churn") == user("program", "gcloud"));
        assert!(who(file, "a.example/churn") == user("program", "desktop"));
        assert!(who(file, "b.example/churn") == user("me", "p"));
        assert!(who(r#"{"auths": null, "credsStore": ""}"#, "a.example/churn") == Ok(None));
    }

    #[test]
    fn files_are_looked_for_where_docker_and_podman_keep_them() {
        let of = |variables: &'static [(&str, &str)]| {
            let environment = Environment::new(move |name| {
                variables.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
            });
            files(&environment).iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(of(&[("HOME", "/h")]), ["/h/.docker/config.json", "/h/.config/containers/auth.json"]);
        let all = [("REGISTRY_AUTH_FILE", "/f"), ("DOCKER_CONFIG", "/d"), ("XDG_RUNTIME_DIR", "/run")];
        let all: &'static [_] = Box::leak(Box::new(all));
        assert_eq!(of(all), ["/f", "/d/config.json", "/run/containers/auth.json"]);
    }
}
