use modelet_aws::error::Call;

use super::*;

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:1:secret:partner-key-AbCdEf";

fn of(environment: &[(&str, &str)]) -> Result<References, FunctionError> {
    references(environment.iter().map(|(name, value)| ((*name).into(), (*value).into())))
}

fn error(kind: Kind, code: &str, message: &str) -> CloudError {
    let call = Call {
        service: "secretsmanager",
        operation: "GetSecretValue",
        status: 400,
        code: code.to_owned(),
        request_id: String::new(),
    };
    CloudError { call: Some(call), ..CloudError::new(kind, message) }
}

#[test]
fn references_are_those_of_our_variables_and_a_wrong_one_is_named() {
    let found = of(&[("MODELET_SECRET_API_KEY", ARN), ("API_URL", "x"), ("MODELET_VERSION", "1")]).unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [("API_KEY".to_owned(), ARN.parse().unwrap())]);
    let wrong = of(&[("MODELET_SECRET_API_KEY", "arn:aws:s3:::x")]).unwrap_err();
    assert_eq!(wrong.code, Code::SecretMissing);
    assert!(
        wrong.message.starts_with("MODELET_SECRET_API_KEY: \"arn:aws:s3:::x\" names no secret"),
        "{wrong}"
    );
}

#[test]
fn what_to_do_names_the_permission_or_the_command() {
    let secret: Reference = ARN.parse().unwrap();
    let denied = error(Kind::Denied, "AccessDeniedException", "User: x is not authorized");
    assert_eq!(
        next(&secret, &denied),
        format!("let the function's role do secretsmanager:GetSecretValue on {ARN}")
    );
    let sealed = error(Kind::Denied, "AccessDeniedException", "Access to KMS is not allowed");
    assert_eq!(
        next(&secret, &sealed),
        format!("let the function's role do kms:Decrypt with the key of {ARN}")
    );
    let parameter: Reference = "ssm:/a".parse().unwrap();
    let gone = error(Kind::Service, "ParameterNotFound", "m");
    assert!(next(&parameter, &gone).contains("aws ssm put-parameter"));
    let gone = error(Kind::NotFound, "ResourceNotFoundException", "m");
    assert!(next(&secret, &gone).contains("aws secretsmanager create-secret"));
}

#[test]
fn one_answer_has_the_values_of_all_its_keys() {
    let (user, password): (Reference, Reference) =
        (format!("{ARN}:user::").parse().unwrap(), format!("{ARN}:password::").parse().unwrap());
    let answer = serde_json::json!({"SecretString": r#"{"user": "me", "password": "hush"}"#});
    let answers = Answers::from([(user.whole(), Ok(answer))]);
    assert_eq!(value(&user, &answers).unwrap(), b"me");
    assert_eq!(value(&password, &answers).unwrap(), b"hush");
}
