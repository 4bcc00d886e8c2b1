use modelet_core::entry::Level;
use serde_json::{Value, json};

use super::*;

const CALL: &str = "84317ee6-fab4-4863-8e40-0340eb68175e";

/// A record of the worker's, with what a test says of it.
fn entry(said: Value) -> Entry {
    let mut record =
        json!({ "level": "INFO", "invocation": CALL, "message": "one", "at_ms": 1_795_883_828_604_u64 });
    if let (Value::Object(record), Value::Object(said)) = (&mut record, said) {
        record.extend(said);
    }
    serde_json::from_value(record).unwrap()
}

/// What was logged, what was logged with an error, what nobody caught.
fn samples() -> [Entry; 3] {
    let raised = json!({ "type": "ValueError", "message": "no\nsuch thing", "stack": [
        "  File \"app.py\", line 17, in lambda_handler\n    deep(1)\n", "  File \"app.py\", line 6, in deep\n    raise\n"
    ] });
    let text = "caught\nTraceback (most recent call last):\n  File \"app.py\", line 17, in lambda_handler\n    deep(1)";
    [
        entry(
            json!({ "message": "in-between 5", "logger": "shop", "fields": { "order": 7, "level": "shadowed" } }),
        ),
        entry(json!({ "level": "ERROR", "message": text, "logger": "shop", "said": "caught",
            "location": "app.py:lambda_handler:19", "raised": raised })),
        entry(
            json!({ "level": "ERROR", "message": "ValueError: no\nsuch thing\nTraceback (most recent call last):\n",
            "raised": raised }),
        ),
    ]
}

fn written(form: &Form, entry: &Entry) -> String {
    form.written(entry, None).unwrap().1
}

fn object(form: &Form, entry: &Entry) -> Value {
    let text = written(form, entry);
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Samples are of awslambdaric 4.2.2 under AWS' emulator, with Lambda's formats Text and JSON.
#[test]
fn lambdas_text_is_what_awslambdaric_writes() {
    let form = Form::Text(Least::default());
    let [logged, caught, lost] = samples();
    let head = format!("2026-11-28T16:37:08.604Z\t{CALL}");
    assert_eq!(written(&form, &logged), format!("[INFO]\t{head}\tin-between 5\n"));
    assert!(written(&form, &caught).starts_with(&format!("[ERROR]\t{head}\tcaught\nTraceback")));
    assert_eq!(
        written(&form, &lost),
        "[ERROR] ValueError: no\nsuch thing\rTraceback (most recent call last):\r\
         \u{a0}\u{a0}File \"app.py\", line 17, in lambda_handler\r\u{a0}\u{a0}\u{a0}\u{a0}deep(1)\r\
         \u{a0}\u{a0}File \"app.py\", line 6, in deep\r\u{a0}\u{a0}\u{a0}\u{a0}raise\n"
    );
}

#[test]
fn lambdas_json_is_what_awslambdaric_writes() {
    let form = Form::Lambda(Least::default());
    let [logged, caught, lost] = samples();
    let at = "2026-11-28T16:37:08.604Z";
    assert_eq!(
        object(&form, &logged),
        json!({ "timestamp": at, "level": "INFO", "message": "in-between 5", "logger": "shop", "requestId": CALL, "order": 7 })
    );
    let stack = json!(caught.raised.as_ref().unwrap().stack);
    assert_eq!(
        object(&form, &caught),
        json!({ "timestamp": at, "level": "ERROR", "message": "caught", "logger": "shop", "stackTrace": stack,
            "errorType": "ValueError", "errorMessage": "no\nsuch thing", "requestId": CALL,
            "location": "app.py:lambda_handler:19" })
    );
    assert_eq!(
        object(&form, &lost),
        json!({ "timestamp": at, "level": "ERROR", "errorMessage": "no\nsuch thing", "errorType": "ValueError",
            "requestId": CALL, "stackTrace": stack })
    );
    let thing = entry(json!({ "message": "{'an': 'object'}", "said": { "an": "object" }, "logger": "shop" }));
    assert_eq!(object(&form, &thing)["message"], json!({ "an": "object" }));
    let level = entry(json!({ "level": "Level 25", "counts_as": "INFO", "logger": "shop" }));
    assert_eq!(object(&form, &level)["level"], "INFO");
}

#[test]
fn what_is_printed_stays_as_it_is_or_becomes_a_message() {
    let printed = entry(json!({ "message": "two\nlines" }));
    let to_stderr = entry(json!({ "message": "oh", "level": "WARNING", "to": "stderr" }));
    let (text, lambda) = (Form::Text(Least::default()), Form::Lambda(Least::default()));
    for form in [&text, &lambda] {
        assert_eq!(form.written(&printed, None), Some((Stream::Stdout, "two\nlines\n".to_owned())));
        assert_eq!(form.written(&to_stderr, None), Some((Stream::Stderr, "oh\n".to_owned())));
    }
    assert_eq!(object(&Form::Json, &printed)["message"], "two\nlines");
    let google = Form::Google(Service::default());
    assert_eq!(object(&google, &to_stderr)["severity"], "WARNING");
    // What other libraries write for the same readers: CloudWatch's metrics, Cloud Logging's entries.
    let own = entry(json!({ "message": "{\"severity\":\n \"NOTICE\"}" }));
    for form in [&Form::Json, &google] {
        assert_eq!(object(form, &own), json!({ "severity": "NOTICE" }));
    }
    assert_eq!(object(&google, &entry(json!({ "message": "{not JSON" })))["message"], "{not JSON");
}

#[test]
fn google_finds_severity_trace_call_and_error() {
    let form = Form::Google(Service::of(|name| (name == "K_SERVICE").then(|| "shop".to_owned())));
    let [logged, caught, lost] = samples();
    let trace = |project: Option<&str>| Trace {
        project: project.map(str::to_owned),
        id: "0af7".into(),
        span: "b7ad".into(),
        is_sampled: true,
    };
    let read = |entry: &Entry, trace: &Trace| -> Value {
        serde_json::from_str(&form.written(entry, Some(trace)).unwrap().1).unwrap()
    };
    assert_eq!(
        read(&logged, &trace(Some("p"))),
        json!({ "time": "2026-11-28T16:37:08.604Z", "severity": "INFO", "message": "in-between 5", "logger": "shop",
            "logging.googleapis.com/trace": "projects/p/traces/0af7", "logging.googleapis.com/spanId": "b7ad",
            "logging.googleapis.com/trace_sampled": true, "logging.googleapis.com/labels": { "invocation": CALL },
            "order": 7, "level": "shadowed" })
    );
    assert_eq!(
        read(&logged, &trace(None))["logging.googleapis.com/labels"],
        json!({ "invocation": CALL, "trace": "0af7" })
    );
    for (entry, message) in [(&caught, "caught"), (&lost, "ValueError: no\nsuch thing")] {
        let said = object(&form, entry);
        assert_eq!((said["message"].as_str(), &said["@type"]), (Some(message), &Value::Null));
        let stack = said["stack_trace"].as_str().unwrap();
        assert!(stack.starts_with("Traceback (most recent call last):\n  File"), "{stack}");
        assert!(stack.ends_with("    raise\nValueError: no\nsuch thing"), "{stack}");
    }
    let refused =
        object(&form, &entry(json!({ "raised": { "type": "Runtime.ExitError", "message": "gone" } })));
    assert!(refused["@type"].as_str().unwrap().ends_with(".ReportedErrorEvent"));
    assert_eq!(refused["serviceContext"]["service"], "shop");
    for (level, nearest, severity) in [
        ("NOTICE", "INFO", "NOTICE"),
        ("Level 25", "INFO", "INFO"),
        ("WARN", "WARNING", "WARNING"),
        ("NOTSET", "NOTSET", "DEFAULT"),
    ] {
        let said = object(&form, &entry(json!({ "level": level, "counts_as": nearest, "logger": "shop" })));
        assert_eq!(said["severity"], severity, "{level}");
    }
}

#[test]
fn what_we_say_ourselves_is_a_line_for_people_and_a_record_for_machines() {
    let own = Entry::own(Level::Warning, "hot", 0);
    let text = |level: &str| Form::Text(Least::named(level)).written(&own, None);
    assert_eq!(text(""), Some((Stream::Stderr, "hot\n".to_owned())));
    assert_eq!((text("WARN").is_some(), text("error")), (true, None));
    let said = object(&Form::Lambda(Least::default()), &own);
    assert_eq!(
        (&said["level"], &said["logger"], &said["requestId"]),
        (&json!("WARNING"), &json!("modelet"), &json!(""))
    );
    let error = object(&Form::Google(Service::default()), &Entry::own(Level::Error, "could not load", 0));
    assert!(error["@type"].is_string());
}

#[test]
fn the_host_says_which_form_it_is() {
    let form = |environment: &[(&str, &str)], arguments: &[&str]| {
        let var = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into());
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Form::of(&Contract::of(var, &arguments).unwrap(), var)
    };
    let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1");
    let (port, text) = (("PORT", "80"), Form::Text(Least(0)));
    let google = Form::Google(Service::of(|name| (name == "K_SERVICE").then(|| "shop".to_owned())));
    for (environment, wanted) in [
        (&[lambda][..], Some(text.clone())),
        (&[lambda, (ENV_LAMBDA_FORMAT, "JSON"), (ENV_LAMBDA_LEVEL, "WARN")], Some(Form::Lambda(Least(2)))),
        (&[lambda, (ENV_FORMAT, "json")], Some(text.clone())),
        (&[port], Some(text.clone())),
        (&[port, (ENV_FORMAT, "json")], Some(Form::Json)),
        (&[port, ("K_SERVICE", "shop")], Some(google)),
        (&[port, ("K_SERVICE", "shop"), (ENV_FORMAT, "text")], Some(text.clone())),
        (
            &[("AIP_HTTP_PORT", "1"), ("AIP_HEALTH_ROUTE", "/h"), ("AIP_PREDICT_ROUTE", "/p")],
            Some(Form::Google(Service::default())),
        ),
        (&[("LISTEN_FDS", "1")], None),
    ] {
        assert_eq!(form(environment, &[]), Ok(wanted), "{environment:?}");
    }
    assert_eq!(form(&[], &["serve"]), Ok(Some(text)));
    assert_eq!(
        form(&[port, (ENV_FORMAT, "xml")], &[]).unwrap_err(),
        "MODELET_LOG_FORMAT is \"xml\", neither text nor json"
    );
}
