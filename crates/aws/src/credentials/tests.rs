use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::error::CloudError;
use crate::https::Https;

/// A place whose environment is this, with a folder of its own as home.
fn place(home: &std::path::Path, variables: &[(&str, String)]) -> Result<Place, CloudError> {
    let mut all: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    all.insert("HOME".to_owned(), home.display().to_string());
    all.entry("AWS_REGION".to_owned()).or_insert_with(|| "eu-west-1".to_owned());
    all.entry("AWS_EC2_METADATA_DISABLED".to_owned()).or_insert_with(|| "true".to_owned());
    Place::find(Arc::new(Https::new(None)?), Environment::new(move |name| all.get(name).cloned()), None, None)
}

fn found(place: &Place) -> Result<Credentials, CloudError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(find(place, || 1_440_938_160))
}

/// A host that answers one request after the other with these bodies, and tells what it was asked.
fn host(bodies: Vec<&'static str>) -> (String, Receiver<String>) {
    host_with("200 OK", bodies)
}

/// The same with another status.
fn host_with(status: &'static str, bodies: Vec<&'static str>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for body in bodies {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; 8_192];
            let read = stream.read(&mut asked).unwrap();
            tell.send(String::from_utf8_lossy(&asked[..read]).into_owned()).unwrap();
            write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    (url, told)
}

const KEY: &str = r#"{"AccessKeyId": "ID", "SecretAccessKey": "SECRET", "Token": "TOKEN"}"#;
const ASSUMED: &str = "<AssumeRoleResponse><Credentials><AccessKeyId>ID</AccessKeyId><SecretAccessKey>SECRET</SecretAccessKey>\
     <SessionToken>TOKEN</SessionToken></Credentials></AssumeRoleResponse>";

#[test]
fn the_environment_comes_first_and_a_key_is_never_shown() {
    let home = tempfile::tempdir().unwrap();
    let key = [("AWS_ACCESS_KEY_ID", "ID".to_owned()), ("AWS_SECRET_ACCESS_KEY", "SECRET".to_owned())];
    let credentials = found(&place(home.path(), &key).unwrap()).unwrap();
    assert_eq!((credentials.access_key_id(), credentials.source()), ("ID", "the environment"));
    assert_eq!(format!("{credentials:?}"), "Credentials(of the environment)");
}

#[test]
fn profiles_are_read_of_both_files() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".aws");
    std::fs::create_dir(&folder).unwrap();
    let config = "# mine\n[default]\nregion = us-west-2\n[profile eu]\nregion=eu-central-1\ns3 =\n  x = y\n[sso-session s]\na=b\n";
    std::fs::write(folder.join("config"), config).unwrap();
    std::fs::write(
        folder.join("credentials"),
        "[eu]\naws_access_key_id = ID\naws_secret_access_key = SECRET\n",
    )
    .unwrap();
    let environment = |name: &str| match name {
        "HOME" => Some(home.path().display().to_string()),
        "AWS_PROFILE" => Some("eu".to_owned()),
        _ => None,
    };
    let environment = {
        let known: BTreeMap<_, _> =
            ["HOME", "AWS_PROFILE"].into_iter().filter_map(|name| Some((name, environment(name)?))).collect();
        Environment::new(move |name| known.get(name).cloned())
    };
    let transport = Arc::new(Https::new(None).unwrap());
    let eu = Place::find(transport.clone(), environment.clone(), None, None).unwrap();
    assert_eq!(eu.region, "eu-central-1");
    assert_eq!(found(&eu).unwrap().source(), "the profile eu");
    let none = Place::find(transport, environment, None, Some("us".to_owned())).unwrap_err();
    assert!(none.message.contains("there is no profile us; there is default, eu"), "{none}");
}

#[test]
fn what_a_profile_asks_for_and_modelet_does_not_do_is_said() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let refused = |text: &str| {
        std::fs::write(home.path().join(".aws/config"), format!("[default]\n{text}\n")).unwrap();
        found(&place(home.path(), &[]).unwrap()).unwrap_err()
    };
    assert!(refused("sso_session = s").hint.unwrap().contains("export-credentials --profile default"));
    assert!(refused("credential_process = x").message.contains("gets its key from a program"));
    assert!(
        refused("role_arn = a\nsource_profile = default\nmfa_serial = m").message.contains("second factor")
    );
    assert!(refused("role_arn = a\nsource_profile = other").message.contains("which is not there"));
    assert!(refused("role_arn = a").message.contains("neither source_profile nor credential_source"));
    let nothing = refused("");
    assert!(nothing.message.starts_with("there are no credentials for AWS"), "{nothing}");
    std::fs::write(home.path().join(".aws/config"), "[default]\nSECRET\n").unwrap();
    let error = place(home.path(), &[]).unwrap_err();
    assert!(error.message.ends_with("config: line 2 is no NAME = VALUE"), "{error}");
}

#[test]
fn roles_are_assumed_through_sts() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let config = "[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\nexternal_id = e\n[profile base]\n\
                  aws_access_key_id = BASE\naws_secret_access_key = S\n";
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    let (url, told) = host(vec![ASSUMED]);
    let credentials = found(&place(home.path(), &[("AWS_ENDPOINT_URL_STS", url)]).unwrap()).unwrap();
    assert_eq!((credentials.access_key_id(), credentials.session_token()), ("ID", Some("TOKEN")));
    let asked = told.recv().unwrap();
    assert!(asked.contains("Credential=BASE/20150830/eu-west-1/sts/aws4_request"), "{asked}");
    assert!(
        asked.contains("Action=AssumeRole&ExternalId=e&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"),
        "{asked}"
    );

    let file = home.path().join("token");
    std::fs::write(&file, "WEB\n").unwrap();
    let (url, told) = host(vec![ASSUMED]);
    let web = [
        ("AWS_ENDPOINT_URL_STS", url),
        ("AWS_ROLE_ARN", "arn:w".to_owned()),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.display().to_string()),
    ];
    assert_eq!(found(&place(home.path(), &web).unwrap()).unwrap().source(), "the role arn:w");
    let asked = told.recv().unwrap();
    assert!(
        asked.contains("WebIdentityToken=WEB") && !asked.to_lowercase().contains("authorization"),
        "{asked}"
    );
}

#[test]
fn hosts_of_containers_and_machines_give_keys() {
    let home = tempfile::tempdir().unwrap();
    let (url, told) = host(vec![KEY]);
    let container = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{url}/v1")),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer x".to_owned()),
    ];
    assert_eq!(found(&place(home.path(), &container).unwrap()).unwrap().source(), "the container's role");
    assert!(told.recv().unwrap().contains("authorization: Bearer x"));
    let far = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/key".to_owned())];
    assert!(found(&place(home.path(), &far).unwrap()).unwrap_err().message.contains("over https:// alone"));

    let elsewhere = r#"{"error": "no such path"}"#;
    let (url, _told) = host_with("404 Not Found", vec![elsewhere, elsewhere]);
    let other_cloud =
        [("AWS_EC2_METADATA_DISABLED", "false".to_owned()), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)];
    let nothing = found(&place(home.path(), &other_cloud).unwrap()).unwrap_err();
    assert!(nothing.message.starts_with("there are no credentials for AWS"), "{nothing}");

    let (url, told) = host(vec!["METADATA", "worker\n", KEY]);
    let machine =
        [("AWS_EC2_METADATA_DISABLED", "false".to_owned()), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)];
    assert_eq!(found(&place(home.path(), &machine).unwrap()).unwrap().source(), "the machine's role worker");
    assert!(told.recv().unwrap().starts_with("PUT /latest/api/token"));
    let asked = told.recv().unwrap();
    assert!(asked.contains("x-aws-ec2-metadata-token: METADATA"), "{asked}");
}
