use std::path::PathBuf;

use modelet_cloud::apply::Inverse;
use modelet_core::handler::{Event, Handler, Layer, Speaks};
use modelet_core::{ArtifactCard, Manifest, Processor, ProgramCard, Settings, Version};
use modelet_platform::admin::views::{FunctionView, VersionView};

use super::*;

/// A card of a source that has this digest.
fn card(source: &str) -> ArtifactCard {
    let program = ProgramCard {
        command: vec!["./serve".to_owned()],
        speaks: Speaks::Http,
        event: Event::default(),
        python: None,
        packages: None,
    };
    ArtifactCard {
        format_version: ArtifactCard::FORMAT_VERSION,
        name: "churn".parse().unwrap(),
        source_sha256: source.to_owned(),
        manifest: Manifest::default(),
        settings: Settings::default(),
        handler: Handler::Program(program),
        files: vec![],
    }
}

/// A function whose version N was made of the source `dN`.
fn there(versions: u32, live: u32, canary: Option<(u32, i64)>) -> There {
    let canary = canary.map(|(version, percent)| modelet_core::Canary {
        version: Version(version),
        percent: percent.try_into().unwrap(),
    });
    let view = |number| VersionView {
        version: Version(number),
        sha256: format!("of another make {number}"),
        made_of: card(&format!("d{number}")).made_of(),
        size_bytes: 1,
        deployed_at_ms: 0,
    };
    let function = FunctionView {
        name: "churn".parse().unwrap(),
        version: Version(live),
        traffic: modelet_core::Traffic { version: Version(live), canary },
        url: String::new(),
        versions: (1..=versions).map(view).collect(),
        card: card("d1"),
        settings: Settings::default(),
        evidence: serde_json::Value::Null,
        instances: vec![],
        warning: None,
    };
    There { function: Some(function), has_packages: true }
}

fn wanted(source: &str, canary_percent: Option<u8>) -> Deployment {
    let layer = Layer { sha256: "l".repeat(64), size_bytes: 9, packages: vec!["numpy==2.4.0".to_owned()] };
    let artifact = Artifact {
        path: PathBuf::new(),
        sha256: "a".repeat(64),
        size_bytes: 12_000,
        evidence: String::new(),
        packages: Some((layer, PathBuf::new())),
    };
    let delivery = Delivery::Artifact(artifact);
    Deployment {
        name: "churn".parse().unwrap(),
        card: card(source),
        delivery,
        processor: Processor::HERE,
        canary_percent,
    }
}

fn actions(wanted: &Deployment, there: &There) -> Vec<Action> {
    plan(wanted, there).unwrap().steps.into_iter().map(|step| step.action).collect()
}

fn to(version: &str, canary: Option<(&str, u8)>) -> Action {
    let canary = canary
        .map(|(version, percent)| modelet_cloud::traffic::Canary { version: version.to_owned(), percent });
    Action::Route(Traffic { version: version.to_owned(), canary })
}

#[test]
fn a_function_is_made_with_its_first_version_which_gets_all_calls() {
    let nothing = There::default();
    assert_eq!(actions(&wanted("d1", None), &nothing), [Action::PutPackages, Action::CreateFunction]);
    let known = There { has_packages: true, ..There::default() };
    let tried = plan(&wanted("d1", Some(10)), &known).unwrap();
    assert_eq!(tried.steps.len(), 1);
    assert!(tried.notes[0].contains("the first one gets all calls"), "{:?}", tried.notes);
}

#[test]
fn another_artifact_is_a_version_which_then_gets_its_calls() {
    assert_eq!(actions(&wanted("d2", None), &there(1, 1, None)), [Action::CreateVersion, to(NEW, None)]);
    let part = actions(&wanted("d2", Some(10)), &there(1, 1, None));
    assert_eq!(part, [Action::CreateVersion, to("1", Some((NEW, 10)))]);
    let over = plan(&wanted("d3", None), &there(2, 1, Some((2, 10)))).unwrap();
    assert_eq!(over.steps[1].why, "all calls to the new version");
    assert!(over.notes[0].contains("version 2, which is tried with 10 %"), "{:?}", over.notes);
}

#[test]
fn what_was_published_is_not_published_again() {
    assert_eq!(actions(&wanted("d1", None), &there(1, 1, None)), []);
    assert_eq!(actions(&wanted("d2", None), &there(2, 1, None)), [to("2", None)], "a deploy was broken off");
    assert_eq!(actions(&wanted("d2", None), &there(2, 1, Some((2, 10)))), [to("2", None)], "it is promoted");
    assert_eq!(actions(&wanted("d2", Some(20)), &there(2, 1, Some((2, 10)))), [to("1", Some(("2", 20)))]);
    assert_eq!(actions(&wanted("d2", Some(10)), &there(2, 1, Some((2, 10)))), []);
    assert_eq!(actions(&wanted("d1", Some(10)), &there(2, 1, Some((2, 10)))), [to("1", None)]);
    let same = Deployment { delivery: Delivery::There { sha256: "d1".to_owned() }, ..wanted("d1", None) };
    assert_eq!(actions(&same, &there(1, 1, None)), []);
    assert!(plan(&same, &There::default()).unwrap_err().message.contains("is gone"));
}

#[test]
fn each_step_knows_what_takes_it_back() {
    let before = there(1, 1, None);
    let inverse = |action: &Action| action.inverse(&before);
    assert_eq!(inverse(&Action::CreateFunction), Inverse::Action(Action::DeleteFunction));
    assert_eq!(inverse(&Action::CreateVersion), Inverse::Action(Action::DeleteNewVersion));
    assert_eq!(inverse(&to("2", None)), Inverse::Action(to("1", None)));
    assert!(matches!(inverse(&Action::PutPackages), Inverse::Stays(_)));
}

#[test]
fn all_of_a_function_is_removed_at_once() {
    let name = "churn".parse().unwrap();
    let plan = removal(&name, &there(3, 1, None)).unwrap();
    assert_eq!(plan.steps[0].why, "with 3 versions and its log");
    assert_eq!(plan.steps[0].action, Action::DeleteFunction);
    assert_eq!(removal(&name, &There::default()).unwrap_err().code, Some(Code::FunctionNotFound));
}
