use super::*;

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:partner-key-AbCdEf";

fn names() -> Names {
    Names {
        function: "churn".to_owned(),
        partition: "aws",
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
    }
}

fn secret(variable: &str, reference: &str, key: Option<&str>) -> Secret {
    Secret {
        variable: variable.to_owned(),
        name: "partner-key".to_owned(),
        reference: reference.parse().unwrap(),
        key: key.map(str::to_owned),
    }
}

#[test]
fn a_role_may_read_what_is_named_and_nothing_else() {
    let secrets =
        [secret("USER", &format!("{ARN}:user::"), None), secret("KEY", &format!("{ARN}:key::"), None)];
    let read = json!({"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": ARN});
    assert_eq!(statements(&secrets, &names()), [read]);
    assert_eq!(
        environment(&secrets),
        BTreeMap::from([
            ("MODELET_SECRET_KEY".to_owned(), format!("{ARN}:key::")),
            ("MODELET_SECRET_USER".to_owned(), format!("{ARN}:user::")),
        ])
    );
    assert_eq!(words(&secrets).unwrap(), "secret partner-key");
    let parameter = [secret("KEY", "arn:aws:ssm:eu-west-1:123456789012:parameter/a", None)];
    assert_eq!(statements(&parameter, &names())[0]["Action"], "ssm:GetParameter");
    assert_eq!((statements(&[], &names()), words(&[]), for_role("r", &[], &names())), (vec![], None, None));
}

#[test]
fn a_key_of_the_customers_is_used_for_the_store_alone() {
    let sealed = |key: &str| {
        let one = statements(&[secret("KEY", ARN, Some(key))], &names()).pop().unwrap();
        assert_eq!(one["Action"], "kms:Decrypt");
        assert_eq!(
            one["Condition"]["StringEquals"],
            json!({"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"})
        );
        (one["Resource"].as_str().unwrap().to_owned(), one["Condition"]["ForAnyValue:StringEquals"].clone())
    };
    let arn = "arn:aws:kms:eu-west-1:210987654321:key/1234";
    assert_eq!(sealed(arn), (arn.to_owned(), Value::Null));
    assert_eq!(sealed("1234").0, "arn:aws:kms:eu-west-1:123456789012:key/1234");
    let alias = json!({"kms:ResourceAliases": "alias/mine"});
    assert_eq!(sealed("alias/mine"), ("arn:aws:kms:eu-west-1:123456789012:key/*".to_owned(), alias.clone()));
    let of_another = "arn:aws:kms:eu-west-1:210987654321:alias/mine";
    assert_eq!(sealed(of_another), ("arn:aws:kms:eu-west-1:210987654321:key/*".to_owned(), alias));
}

#[test]
fn those_that_are_not_there_are_told_at_once_with_what_makes_them() {
    let (one, two) = ("partner-key".to_owned(), "other".to_owned());
    let missing = [(&one, "partner-key".parse().unwrap()), (&two, "ssm:/a/b".parse().unwrap())];
    let error = absent(&missing, "eu-west-1");
    assert_eq!(
        error.message,
        "there is no secret partner-key in AWS Secrets Manager, no secret other (ssm:/a/b) in AWS' Parameter Store of eu-west-1"
    );
    let hint = error.hint.unwrap();
    assert!(hint.contains("create-secret --region eu-west-1 --name partner-key --secret-string …"), "{hint}");
    assert!(hint.contains("put-parameter --region eu-west-1 --type SecureString --name /a/b"), "{hint}");
}
