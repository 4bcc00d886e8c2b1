use serde_json::json;

use super::*;
use crate::aws::iam::Role;
use crate::aws::logs::Group;
use crate::aws::sagemaker::{Endpoint as Told, Serverless};
use crate::sagemaker::there::Endpoint;

fn names() -> Names {
    Names {
        function: "churn".to_owned(),
        partition: "aws",
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
    }
}

fn wanted(artifact: char) -> Wanted {
    let artifact = artifact.to_string().repeat(64);
    Wanted {
        image: names().endpoint_repository().image(&format!("sha256:{artifact}")),
        names: names(),
        written: None,
        artifact,
        serverless: Serverless { memory_mb: 2_048, max_concurrency: 4, provisioned: None },
        role: None,
        retention_days: 30,
        keep_versions: 3,
        secrets: vec![],
    }
}

/// All that is there after these were deployed, the last of which has the calls.
fn after(deployed: &[&Wanted]) -> There {
    let (names, last) = (names(), deployed.last().unwrap());
    let version = |(at, wanted): (usize, &&Wanted)| Version {
        number: at as u64 + 1,
        revision: wanted.revision(),
        artifact: wanted.artifact.clone(),
        has_model: true,
        has_config: true,
    };
    There {
        log_group: Some(Group { retention_days: Some(30), tags: names.tags() }),
        role: Some(Role { arn: last.role_arn(), tags: names.tags(), policies: vec![] }),
        role_policies: vec![last.role_policy_name()],
        images: repository::There { repository: Some(true), has_image: true },
        endpoint: Some(endpoint(deployed.len() as u64, "InService")),
        versions: deployed.iter().enumerate().map(version).collect(),
        highest: deployed.len() as u64,
    }
}

fn endpoint(version: u64, state: &str) -> Endpoint {
    let told = json!({"EndpointStatus": state, "EndpointConfigName": format!("churn-{version}")});
    let told: Told = serde_json::from_value(told).unwrap();
    Endpoint { told, tags: names().tags(), version: Some(version) }
}

fn actions(wanted: &Wanted, there: &There) -> Vec<Action> {
    plan(wanted, there).unwrap().steps.into_iter().map(|step| step.action).collect()
}

#[test]
fn what_is_there_needs_nothing() {
    let wanted = wanted('a');
    assert_eq!(actions(&wanted, &after(&[&wanted])), []);
}

#[test]
fn a_new_version_gets_the_next_number_and_a_known_one_keeps_its_own() {
    let (one, two) = (wanted('a'), wanted('b'));
    let expected = [Action::CreateModel(2), Action::CreateConfig(2), Action::Route(2)];
    assert_eq!(actions(&two, &after(&[&one])), expected);
    assert_eq!(actions(&one, &after(&[&one, &two])), [Action::Route(1)]);
    // A number that anybody has is not given again.
    let there = There { highest: 7, ..after(&[&one]) };
    assert_eq!(actions(&two, &there)[0], Action::CreateModel(8));
    let more = Wanted { serverless: Serverless { memory_mb: 3_072, ..one.serverless }, ..one.clone() };
    assert_eq!(actions(&more, &after(&[&one])), expected);
}

#[test]
fn who_was_killed_in_between_goes_on_from_there() {
    let (one, two) = (wanted('a'), wanted('b'));
    let mut there = after(&[&one, &two]);
    there.endpoint = Some(endpoint(1, "InService"));
    assert_eq!(actions(&two, &there), [Action::Route(2)]);
    there.versions[1].has_config = false;
    assert_eq!(actions(&two, &there), [Action::CreateConfig(2), Action::Route(2)]);
    // Something else is wanted by now: what was not finished goes.
    let three = wanted('c');
    let (last, before) = actions(&three, &there).split_last().map(|(a, b)| (a.clone(), b.to_vec())).unwrap();
    assert_eq!(before[..3], [Action::CreateModel(3), Action::CreateConfig(3), Action::Route(3)]);
    assert_eq!(before[3], Action::DeleteModel(2));
    assert_eq!(last, Action::Images(repository::Action::DeleteImage(format!("sha256:{}", "b".repeat(64)))));
    there.endpoint = Some(endpoint(2, "Updating"));
    there.versions[1].has_config = true;
    assert_eq!(actions(&two, &there), [Action::Await(2)]);
}

#[test]
fn an_endpoint_that_failed_is_made_anew() {
    let one = wanted('a');
    let there = There { endpoint: Some(endpoint(1, "Failed")), ..after(&[&one]) };
    assert_eq!(actions(&one, &there), [Action::DeleteEndpoint, Action::CreateEndpoint(1)]);
}

#[test]
fn old_versions_go_and_images_that_others_need_stay() {
    let many: Vec<Wanted> = "abacde".chars().map(wanted).collect();
    let deployed: Vec<&Wanted> = many.iter().collect();
    let next = wanted('f');
    let there = after(&deployed);
    let plan = actions(&next, &there);
    // Versions 1 and 2 go, of which 1 has the image of 3.
    let expected = [
        Action::DeleteConfig(1),
        Action::DeleteModel(1),
        Action::DeleteConfig(2),
        Action::DeleteModel(2),
        Action::Images(repository::Action::DeleteImage(format!("sha256:{}", "b".repeat(64)))),
    ];
    assert_eq!(plan[3..], expected);
    assert_eq!(there.before_live(), Some(5));
}

#[test]
fn who_is_not_ours_is_left_alone() {
    let one = wanted('a');
    let mut there = after(&[&one]);
    there.endpoint.as_mut().unwrap().tags.clear();
    assert!(plan(&one, &there).unwrap_err().message.contains("that modelet did not make"));
    assert!(removal::plan(&names(), &there).unwrap_err().message.contains("was not made by modelet"));
    let mut there = after(&[&one]);
    there.role.as_mut().unwrap().tags.clear();
    assert!(plan(&one, &there).unwrap_err().message.contains("there is a role modelet-churn-"));
    assert!(removal::plan(&names(), &There::default()).unwrap_err().message.contains("there is nothing of"));
}

#[test]
fn removal_takes_the_endpoint_first_and_the_log_last() {
    let one = wanted('a');
    let plan = removal::plan(&names(), &after(&[&one])).unwrap();
    let actions: Vec<Action> = plan.steps.into_iter().map(|step| step.action).collect();
    let expected = [
        Action::DeleteEndpoint,
        Action::DeleteConfig(1),
        Action::DeleteModel(1),
        Action::Images(repository::Action::Delete),
        Action::DeletePolicy(one.role_policy_name()),
        Action::DeleteRole,
        Action::DeleteLogGroup,
    ];
    assert_eq!(actions, expected);
}
