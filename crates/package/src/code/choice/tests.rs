use super::*;
use crate::code::facts::{Application, Unreadable};

fn function(name: &str, params: &[&str]) -> Function {
    Function {
        name: name.to_owned(),
        line: 1,
        params: params.iter().map(ToString::to_string).collect(),
        required: params.len(),
        ..Function::default()
    }
}

fn module(functions: Vec<Function>) -> Facts {
    Facts { functions, ..Facts::default() }
}

fn chosen(files: &[(&str, Facts)], manifest: &str) -> Result<Option<Choice>, FunctionError> {
    let files: Vec<(String, Facts)> =
        files.iter().map(|(file, facts)| ((*file).to_owned(), facts.clone())).collect();
    let names: Vec<String> = files.iter().map(|(file, _)| file.clone()).collect();
    let manifest: Manifest = toml::from_str(manifest).unwrap();
    let wanted = manifest.handler.as_deref().map(|handler| named(handler, &names)).transpose()?;
    choose(&files, wanted.as_ref(), &manifest)
}

/// `module.function interface` of the one that is chosen.
fn said(files: &[(&str, Facts)], manifest: &str) -> String {
    match chosen(files, manifest) {
        Ok(Some(choice)) => format!("{}.{} {}", choice.module, choice.function, choice.interface),
        Ok(None) => "nothing".to_owned(),
        Err(error) => format!("{}; {}", error.message, error.hint.unwrap_or_default()),
    }
}

#[test]
fn code_is_called_as_the_cloud_that_it_was_written_for_calls_it() {
    let of = |functions| said(&[("app.py", module(functions))], "");
    assert_eq!(of(vec![function("lambda_handler", &["event", "context"])]), "app.lambda_handler lambda");
    assert_eq!(of(vec![function("go", &["event", "_"])]), "app.go lambda");
    assert_eq!(of(vec![function("init", &[]), function("run", &["raw_data"])]), "app.run score");
    assert_eq!(of(vec![function("predict", &["inputs"])]), "app.predict predict");
    for (decorator, kind) in [
        ("functions_framework.http", SignatureType::Http),
        ("functions_framework.cloud_event", SignatureType::Cloudevent),
    ] {
        let decorated =
            Function { decorators: vec![decorator.to_owned()], ..function("hello", &["request"]) };
        let choice = chosen(&[("main.py", module(vec![decorated]))], "").unwrap().unwrap();
        assert_eq!((choice.interface, choice.signature_type), (Interface::FunctionsFramework, Some(kind)));
    }
    for (made, interface) in [
        ("FastAPI", "asgi"),
        ("Flask", "wsgi"),
        ("get_asgi_application", "asgi"),
        ("mount_gradio_app", "asgi"),
    ] {
        let application = Application { name: "app".into(), made: made.into(), line: 1 };
        let facts = Facts {
            applications: vec![application],
            // One of the application's own routes.
            functions: vec![Function { decorators: vec!["app.post".into()], ..function("predict", &["x"]) }],
            ..Facts::default()
        };
        assert_eq!(said(&[("main.py", facts)], ""), format!("main.app {interface}"));
    }
    assert_eq!(of(vec![function("train", &["rows"]), function("main", &[])]), "nothing");
}

#[test]
fn what_leaves_the_least_doubt_goes_first_and_what_is_left_is_asked_for() {
    let helper = function("predict", &["rows"]);
    let handler = function("lambda_handler", &["event", "context"]);
    assert_eq!(
        said(&[("app.py", module(vec![helper.clone(), handler.clone()]))], ""),
        "app.lambda_handler lambda"
    );
    let two = [("a.py", module(vec![handler.clone()])), ("b.py", module(vec![handler]))];
    assert_eq!(
        said(&two, ""),
        "several functions could answer: a.lambda_handler, b.lambda_handler; say which in modelet.toml: handler = \
         \"a.lambda_handler\""
    );
    assert_eq!(said(&two, "handler = \"b.lambda_handler\""), "b.lambda_handler lambda");
    assert_eq!(said(&two, "handler = \"b:lambda_handler\""), "b.lambda_handler lambda");
    let both = [("app.py", module(vec![helper, function("handler", &["event", "context"])]))];
    assert_eq!(said(&both, "[python]\ninterface = \"predict\""), "app.predict predict");
}

#[test]
fn what_a_manifest_names_has_to_be_there() {
    let files = [("lib/app.py", module(vec![function("go", &["a", "b", "c"]), function("one", &["rows"])]))];
    assert_eq!(said(&files, "handler = \"lib.app.one\""), "lib.app.one predict");
    assert_eq!(said(&files, "handler = \"lib/app.py:one\""), "lib.app.one predict");
    assert!(said(&files, "handler = \"lib.app.two\"").contains("defines no two; its functions are go, one"));
    assert!(
        said(&files, "handler = \"lib.app.go\"").contains("go(a, b, c) is called in no way that is known")
    );
    assert!(said(&files, "handler = \"app.one\"").contains("there is no app.py in the folder"));
    assert!(said(&files, "handler = \"one\"").contains("is not a function of a module"));
    // What nobody sees without running it.
    assert_eq!(
        said(&files, "handler = \"lib.app.made\"\n[python]\ninterface = \"asgi\""),
        "lib.app.made asgi"
    );
}

#[test]
fn a_function_that_asks_for_a_request_gets_one() {
    let event = |keys: &[&str]| {
        let keys = keys.iter().map(ToString::to_string).collect();
        let handler = Function { event_keys: keys, ..function("handler", &["event", "context"]) };
        let choice = chosen(&[("app.py", module(vec![handler]))], "").unwrap().unwrap();
        (choice.event, choice.event_reason)
    };
    assert_eq!(event(&["data"]), (Event::Body, None));
    assert_eq!(event(&["body"]), (Event::HttpV2, Some("it asks its event for \"body\"".to_owned())));
    assert_eq!(event(&["body", "httpMethod"]).0, Event::HttpV1);
    assert_eq!(event(&["rawPath"]).0, Event::HttpV2);
}

#[test]
fn code_that_was_meant_to_answer_is_not_passed_over() {
    let said =
        |facts: Facts, alone| passed_over(&[("app.py".to_owned(), facts)], alone).map(|error| error.message);
    let asynchronous = Function { is_async: true, ..function("lambda_handler", &["event", "context"]) };
    assert!(said(module(vec![asynchronous]), false).unwrap().contains("`async def`, which nobody awaits"));
    let web = Facts {
        imports: vec![Import { name: "fastapi".into(), line: 1 }],
        ..module(vec![function("create_app", &[])])
    };
    assert!(said(web, false).unwrap().contains("imports fastapi"));
    let demo = Facts {
        imports: vec![Import { name: "gradio".into(), line: 2 }],
        ..module(vec![function("greet", &["name"])])
    };
    assert!(
        said(demo, true).unwrap().contains("app.py, line 2: it imports gradio, whose demos serve themselves")
    );
    let training = module(vec![function("train", &["rows"])]);
    assert_eq!(said(training.clone(), false), None);
    assert!(said(training, true).unwrap().contains("it has train, which nobody calls"));
}

#[test]
fn a_file_that_python_cannot_read_is_named() {
    let error = Some(Unreadable { line: Some(3), message: "invalid syntax".to_owned() });
    let broken = Facts { error, ..Facts::default() };
    assert_eq!(said(&[("app.py", broken)], ""), "app.py, line 3: Python cannot read it: invalid syntax; ");
}
