use super::*;

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:partner/key-AbCdEf";

fn read(text: &str) -> Reference {
    text.parse().unwrap()
}

#[test]
fn references_are_written_as_ecs_writes_them() {
    let whole = read(ARN);
    assert_eq!(
        (whole.store, whole.id.as_str(), whole.region()),
        (Store::SecretsManager, ARN, Some("eu-west-1"))
    );
    let key = read(&format!("{ARN}:password::"));
    assert_eq!(
        (key.id.as_str(), key.json_key.as_deref(), key.stage.as_deref()),
        (ARN, Some("password"), None)
    );
    let old = read(&format!("{ARN}::AWSPREVIOUS:"));
    assert_eq!((old.json_key.as_deref(), old.stage.as_deref()), (None, Some("AWSPREVIOUS")));
    assert_eq!(read("partner-key:password").json_key.as_deref(), Some("password"));
    let parameter = read("arn:aws-cn:ssm:cn-north-1:1:parameter/a/b");
    assert_eq!((parameter.store, parameter.region()), (Store::Parameters, Some("cn-north-1")));
    assert_eq!((read("ssm:/a/b").id.as_str(), read("ssm:/a/b").region()), ("/a/b", None));
    for text in [ARN, "ssm:/a/b", "partner-key", "arn:aws:ssm:eu-west-1:1:parameter/a"] {
        assert_eq!(read(text).to_string(), text);
    }
    assert_eq!(read(&format!("{ARN}:password")).to_string(), format!("{ARN}:password::"));
    for wrong in ["", " ", "ssm:", "arn:aws:s3:::x", "arn:aws:secretsmanager:eu-west-1:1", "a:b:c:d:e"] {
        assert!(wrong.parse::<Reference>().unwrap_err().contains("names no secret"), "{wrong}");
    }
}

#[test]
fn the_value_is_all_of_it_or_what_a_key_says() {
    let text = |reference: &str, answer: Value| {
        read(reference).value(&answer).map(|value| String::from_utf8(value).unwrap())
    };
    let object = json!({"SecretString": r#"{"user": "me", "port": 5432}"#});
    assert_eq!(text("x:user", object.clone()).unwrap(), "me");
    assert_eq!(text("x:port", object.clone()).unwrap(), "5432");
    assert_eq!(text("x:none", object).unwrap_err(), "there is no key \"none\" in its JSON");
    assert_eq!(text("x", json!({"SecretBinary": "c2VjcmV0"})).unwrap(), "secret");
    assert_eq!(text("ssm:/x", json!({"Parameter": {"Value": "v"}})).unwrap(), "v");
    let error = text("x:user", json!({"SecretString": "hush-hush"})).unwrap_err();
    assert!(!error.contains("hush") && error.contains("no JSON"), "{error}");
    assert!(text("x", json!({})).is_err() && text("x", json!({"SecretString": "a\0b"})).is_err());
}

#[test]
fn what_asks_for_it_names_the_version() {
    let request = read(&format!("{ARN}:k:AWSPREVIOUS:v1")).request();
    assert_eq!(request.headers["x-amz-target"], "secretsmanager.GetSecretValue");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, json!({"SecretId": ARN, "VersionStage": "AWSPREVIOUS", "VersionId": "v1"}));
    let request = read("ssm:/a").request();
    assert_eq!(request.headers["x-amz-target"], "AmazonSSM.GetParameter");
    assert_eq!(&request.body[..], br#"{"Name":"/a","WithDecryption":true}"#);
}
