use std::collections::{BTreeMap, BTreeSet};

use modelet_core::Processor::{Arm64, X86_64};
use modelet_core::manifest::{Schedule, Upload};

use super::*;
use crate::apply::Inverse;
use crate::aws::events::Rule;
use crate::aws::iam::Role;
use crate::aws::logs::Group;
use crate::delivery::Zip;
use crate::lambda::there::Function;
use crate::lambda::wanted::Settings;
use crate::traffic::{Canary, Traffic};

fn names() -> Names {
    Names {
        function: "churn".to_owned(),
        partition: "aws",
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
    }
}

fn settings() -> Settings {
    Settings {
        runtime: Some(("provided.al2023".to_owned(), "bootstrap".to_owned())),
        memory_mb: 1_024,
        timeout_s: 60,
        tmp_mb: 512,
        environment: BTreeMap::new(),
        description: String::new(),
    }
}

fn wanted() -> Wanted {
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
    let zip = Zip {
        path: "/x.zip".into(),
        sha256: sha256.clone(),
        size_bytes: 1,
        unzipped_bytes: 1,
        processor: X86_64,
    };
    Wanted {
        names: names(),
        code: Code::Sent(zip),
        processor: X86_64,
        settings: settings(),
        written: None,
        artifact: sha256,
        role: None,
        retention_days: 30,
        canary_percent: None,
        url: None,
        reserved: None,
        provisioned: None,
        secrets: vec![],
        schedules: vec![],
        uploads: vec![],
        keep_versions: 10,
    }
}

/// What is there once `wanted` was applied.
fn there(wanted: &Wanted, version: &str) -> There {
    let names = &wanted.names;
    let mut tags = names.tags();
    tags.insert("modelet:artifact".to_owned(), wanted.artifact.clone());
    let function = Function {
        arn: names.function_arn(),
        state: "Active".to_owned(),
        tags,
        settings: wanted.settings.clone(),
        role: wanted.role_arn(),
        code_sha256: wanted.code_sha256().unwrap_or_default(),
        image: None,
        processor: Some(wanted.processor),
        versions: vec![(version.to_owned(), wanted.revision())],
        aliased: BTreeSet::new(),
        traffic: Some(Traffic { version: version.to_owned(), canary: None }),
        url: None,
        permissions: BTreeMap::new(),
        reserved: None,
        provisioned: None,
    };
    There {
        log_group: Some(Group { retention_days: Some(30), tags: names.tags() }),
        role: Some(Role { arn: names.role_arn(), tags: names.tags(), policies: vec![names.basic_policy()] }),
        function: Some(function),
        ..There::default()
    }
}

fn lines(plan: &Plan<Action>) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{} {}", step.change.sign(), step.what)).collect()
}

fn planned(wanted: &Wanted, there: &There) -> Vec<String> {
    lines(&plan(wanted, there).unwrap())
}

#[test]
fn from_nothing_what_depends_on_a_thing_comes_after_it() {
    let role = format!("role {}", names().role());
    assert_eq!(
        planned(&wanted(), &There::default()),
        [
            "+ log group /aws/lambda/churn".to_owned(),
            "~ log group /aws/lambda/churn".to_owned(),
            format!("+ {role}"),
            format!("~ {role}"),
            "+ function churn".to_owned(),
            "+ version of churn".to_owned(),
            "+ alias live".to_owned(),
        ]
    );
}

#[test]
fn what_is_there_needs_nothing_and_what_is_half_there_the_rest() {
    let wanted = wanted();
    assert_eq!(planned(&wanted, &there(&wanted, "1")), Vec::<String>::new());
    let mut half = there(&wanted, "1");
    half.function.as_mut().unwrap().traffic = None;
    assert_eq!(planned(&wanted, &half), ["+ alias live"]);
    half.function.as_mut().unwrap().versions.clear();
    half.role.as_mut().unwrap().policies.clear();
    assert_eq!(
        planned(&wanted, &half),
        [format!("~ role {}", names().role()), "+ version of churn".into(), "+ alias live".into()]
    );
}

#[test]
fn another_processor_is_other_code_and_another_version() {
    let (old, new) = (wanted(), Wanted { processor: Arm64, ..wanted() });
    let expected = ["~ function churn", "+ version of churn", "~ alias live"];
    assert_eq!(planned(&new, &there(&old, "1")), expected);
    assert_eq!(planned(&new, &there(&new, "1")), Vec::<String>::new());
}

#[test]
fn another_artifact_is_another_version_and_the_old_one_comes_back_without_a_new_one() {
    let old = wanted();
    let mut new = wanted();
    new.artifact = "0".repeat(64);
    let Code::Sent(zip) = &mut new.code else { unreachable!() };
    zip.sha256.clone_from(&new.artifact);
    let mut now = there(&old, "1");
    let change = ["~ function churn", "~ function churn", "+ version of churn", "~ alias live"];
    assert_eq!(planned(&new, &now), change);
    let function = now.function.as_mut().unwrap();
    function.versions.push(("2".to_owned(), new.revision()));
    function.traffic = Some(Traffic { version: "2".to_owned(), canary: None });
    let steps = plan(&old, &now).unwrap().steps;
    assert!(!steps.iter().any(|step| step.action == Action::Publish || step.action == Action::UpdateCode));
    let route = steps.iter().find(|step| step.what == "alias live").unwrap();
    assert_eq!(route.action, Action::Route(Traffic { version: "1".to_owned(), canary: None }));
}

#[test]
fn settings_that_differ_are_named_with_what_they_were() {
    let old = wanted();
    let mut new = wanted();
    new.settings.memory_mb = 2_048;
    new.settings.environment.insert("MODE".to_owned(), "fast".to_owned());
    let steps = plan(&new, &there(&old, "1")).unwrap().steps;
    assert_eq!(steps[0].why, "memory 1024 → 2048 MB, variables MODE");
    assert_eq!(steps[1].action, Action::Publish);
}

#[test]
fn a_canary_gets_its_part_and_a_promoted_one_is_none_again() {
    let old = wanted();
    let mut new = wanted();
    new.settings.memory_mb = 2_048;
    new.canary_percent = Some(10);
    let mut now = there(&old, "1");
    let canary = |version: &str| Traffic {
        version: "1".to_owned(),
        canary: Some(Canary { version: version.to_owned(), percent: 10 }),
    };
    assert_eq!(plan(&new, &now).unwrap().steps.last().unwrap().action, Action::Route(canary(NEW)));
    let function = now.function.as_mut().unwrap();
    function.settings = new.settings.clone();
    function.versions.push(("2".to_owned(), new.revision()));
    function.traffic = Some(canary("2"));
    assert_eq!(planned(&new, &now), Vec::<String>::new());
    now.function.as_mut().unwrap().traffic = Some(Traffic { version: "2".to_owned(), canary: None });
    assert_eq!(planned(&new, &now), Vec::<String>::new(), "promoted by hand, deployed again");
    let first = plan(&new, &There::default()).unwrap();
    assert!(first.notes.iter().any(|note| note.contains("the first one gets all calls")));
}

/// A version of another artifact, whose digest is this letter.
fn version(number: &str, letter: char) -> (String, String) {
    let other = Wanted { artifact: letter.to_string().repeat(64), ..wanted() };
    (number.to_owned(), other.revision())
}

#[test]
fn the_oldest_versions_go_when_the_new_one_has_the_calls() {
    let mut new = wanted();
    (new.settings.memory_mb, new.keep_versions) = (2_048, 2);
    let mut now = there(&wanted(), "12");
    let function = now.function.as_mut().unwrap();
    let more = [("9", 'b'), ("10", 'c'), ("11", 'd'), ("7", 'a'), ("8", 'a')];
    function.versions.extend(more.map(|(number, letter)| version(number, letter)));
    function.versions.push(("1".to_owned(), "by hand".to_owned()));
    function.aliased = ["8".to_owned()].into();
    let tail = ["+ version of churn", "~ alias live", "- version 7", "- version 9"];
    assert_eq!(
        planned(&new, &now)[1..],
        tail,
        "by number, and not those of others, of aliases and with calls"
    );
    new.canary_percent = Some(10);
    assert_eq!(planned(&new, &now)[1..], tail, "12 has calls still");
    new.keep_versions = 0;
    assert_eq!(planned(&new, &now)[3..], ["- version 7", "- version 9", "- version 10", "- version 11"]);
    assert_eq!(planned(&wanted(), &now), Vec::<String>::new(), "fewer than are kept");
}

#[test]
fn an_image_goes_with_the_last_version_of_it() {
    let mut new = wanted();
    let image =
        |letter: char| names().repository().image(&format!("sha256:{}", letter.to_string().repeat(64)));
    (new.code, new.settings.runtime, new.keep_versions) = (Code::Image(image('e')), None, 1);
    new.artifact = "e".repeat(64);
    let mut now = there(&new, "5");
    now.images = repository::There { repository: Some(true), has_image: true };
    let function = now.function.as_mut().unwrap();
    function.image = Some(image('e'));
    let older = [("1", 'a'), ("2", 'b'), ("3", 'e'), ("4", 'b')];
    function.versions.extend(older.map(|(number, letter)| version(number, letter)));
    let lines = ["- version 1", "- version 2", "- version 3", "- image in modelet/aws-lambda/churn"];
    let steps = plan(&new, &now).unwrap().steps;
    assert_eq!(steps.iter().map(|step| format!("- {}", step.what)).collect::<Vec<_>>(), lines);
    let digest = format!("sha256:{}", "a".repeat(64));
    assert_eq!(steps[3].action, Action::Images(repository::Action::DeleteImage(digest)));
    now.images.repository = Some(false);
    new.written = None;
    assert_eq!(planned(&new, &now), lines[..3], "the repository is somebody else's");
}

#[test]
fn what_modelet_did_not_make_is_not_touched() {
    let wanted = wanted();
    let mut foreign = there(&wanted, "1");
    foreign.function.as_mut().unwrap().tags.clear();
    assert!(plan(&wanted, &foreign).unwrap_err().message.contains("modelet did not make"));
    let mut role = there(&wanted, "1");
    role.role.as_mut().unwrap().tags.clear();
    assert!(plan(&wanted, &role).unwrap_err().hint.unwrap().contains("--role ARN"));
    assert!(removal::plan(&names(), &foreign).unwrap_err().message.contains("was not made by modelet"));
    let mut now = there(&wanted, "1");
    now.log_group = Some(Group { retention_days: None, tags: BTreeMap::new() });
    now.role.as_mut().unwrap().tags.clear();
    let removal = removal::plan(&names(), &now).unwrap();
    assert_eq!(lines(&removal), ["- alias live", "- function churn"]);
    assert!(removal.notes[0].contains("not modelet's"), "{:?}", removal.notes);
}

#[test]
fn what_lambda_does_not_make_of_a_function_is_refused() {
    let mut image = wanted();
    image.code = Code::Image("x@sha256:y".to_owned());
    let mut now = there(&wanted(), "1");
    assert!(plan(&image, &now).unwrap_err().message.contains("does not change the one into the other"));
    let mut canary = wanted();
    canary.canary_percent = Some(10);
    now.function.as_mut().unwrap().provisioned = Some(1);
    assert!(plan(&canary, &now).unwrap_err().hint.unwrap().contains("--provisioned-concurrency 0"));
    canary.provisioned = Some(0);
    assert!(plan(&canary, &now).is_ok());
}

#[test]
fn an_address_is_opened_and_closed_and_left_alone_where_nothing_is_said() {
    let mut open = wanted();
    open.url = Some(Auth::None);
    let mut now = there(&wanted(), "1");
    assert_eq!(
        planned(&open, &now),
        ["+ address of churn", "+ permission modelet-url", "+ permission modelet-url-invoke"]
    );
    let function = now.function.as_mut().unwrap();
    function.url = Some(("https://x".to_owned(), Auth::None));
    function.permissions = [("modelet-url".to_owned(), None), ("modelet-url-invoke".to_owned(), None)].into();
    assert_eq!(planned(&open, &now), Vec::<String>::new());
    assert_eq!(planned(&wanted(), &now), Vec::<String>::new());
    open.url = Some(Auth::Iam);
    assert_eq!(
        planned(&open, &now),
        ["~ address of churn", "- permission modelet-url", "- permission modelet-url-invoke"]
    );
}

#[test]
fn triggers_come_and_go_with_their_permissions() {
    let (schedule, upload) = (
        Schedule { schedule: "rate(1 hour)".to_owned(), input: None },
        Upload { bucket: "in-eu".to_owned(), prefix: "a/".to_owned(), suffix: String::new() },
    );
    let mut with = wanted();
    (with.schedules, with.uploads) = (vec![schedule.clone()], vec![upload.clone()]);
    let (rule, id) = (names().rule(&schedule), names().notification(&upload));
    let mut now = there(&wanted(), "1");
    assert_eq!(
        planned(&with, &now),
        [
            format!("+ rule {rule}"),
            format!("+ permission {rule}"),
            format!("~ rule {rule}"),
            format!("+ permission {id}"),
            "~ bucket in-eu".to_owned()
        ]
    );
    let target = Some((names().alias_arn(), None));
    now.rules =
        vec![Rule { name: rule.clone(), schedule: "rate(1 hour)".to_owned(), tags: names().tags(), target }];
    now.notifications = [("in-eu".to_owned(), vec![id.clone(), "theirs".to_owned()])].into();
    now.function.as_mut().unwrap().permissions = [(rule.clone(), None), (id.clone(), None)].into();
    assert_eq!(planned(&with, &now), Vec::<String>::new());
    let gone = [
        format!("- rule {rule}"),
        format!("- rule {rule}"),
        "- bucket in-eu".to_owned(),
        format!("- permission {rule}"),
        format!("- permission {id}"),
    ];
    let mut found = planned(&wanted(), &now);
    found[3..].sort();
    let mut gone: Vec<_> = gone.into();
    gone[3..].sort();
    assert_eq!(found, gone);
}

#[test]
fn what_a_plan_makes_can_be_taken_back_and_what_it_changes_put_back() {
    let mut all = wanted();
    all.url = Some(Auth::None);
    all.schedules = vec![Schedule { schedule: "rate(1 hour)".to_owned(), input: None }];
    let nothing = There::default();
    for step in plan(&all, &nothing).unwrap().steps {
        let is_included = matches!(step.action, Action::SetRetention(_));
        match step.action.inverse(&nothing) {
            Inverse::Action(_) => assert!(!is_included, "{step:?}"),
            Inverse::Included => assert!(is_included, "{step:?}"),
            Inverse::Stays(why) => panic!("{step:?}: {why}"),
        }
    }
    let old = wanted();
    let now = there(&old, "1");
    let mut new = wanted();
    new.settings.memory_mb = 2_048;
    let steps = plan(&new, &now).unwrap().steps;
    assert_eq!(
        steps[0].action.inverse(&now),
        Inverse::Action(Action::Configure(Box::new(settings()), old.role_arn()))
    );
    let back = steps.last().unwrap().action.inverse(&now);
    assert_eq!(back, Inverse::Action(Action::Route(Traffic { version: "1".to_owned(), canary: None })));
}

#[test]
fn the_policy_allows_the_plan_and_nothing_else() {
    let plan = plan(&wanted(), &There::default()).unwrap();
    let document = policy::document(&plan);
    let statements = document["Statement"].as_array().unwrap();
    for statement in statements {
        let resource = statement["Resource"].as_str().unwrap();
        let reads = ["logs:DescribeLogGroups", "events:ListRules"];
        let is_listing = statement["Action"]
            .as_array()
            .is_some_and(|actions| actions.iter().all(|action| reads.contains(&action.as_str().unwrap())));
        assert!(resource != "*" || is_listing, "{statement}");
    }
    let text = document.to_string();
    assert!(
        text.contains("lambda:CreateFunction")
            && text.contains(r#""iam:PassedToService":"lambda.amazonaws.com""#)
    );
    assert!(!text.contains("lambda:UpdateFunctionCode") && !text.contains("s3:"), "{text}");
}
