//! Files for hosts that take a container image: Cloud Run, Knative, and Podman or Docker on a machine of one's own.
//!
//! | file | for |
//! |---|---|
//! | `cloud-run.yaml` | `gcloud run services replace cloud-run.yaml` |
//! | `knative.yaml` | `kubectl apply -f knative.yaml` |
//! | `run.sh` | `podman run`, with `DOCKER=docker` Docker |
//!
//! Source: Knative Serving's API (`serving.knative.dev/v1`), Cloud Run's YAML reference, `podman-run(1)`.

use std::fmt::Write as _;

use modelet_core::{ArtifactCard, Processor, Target};
use serde_json::{Value, json};

/// The port that the image listens on.
const PORT: u16 = 8080;
/// The longest time-out that Knative takes unless its administrator allows more (`max-revision-timeout-seconds`).
const KNATIVE_TIMEOUT_S: u64 = 600;
/// Cloud Run's longest.
const CLOUD_RUN_TIMEOUT_S: u64 = 3_600;
/// Probes while it starts are so many seconds apart.
const PROBE_S: u64 = 1;

/// The files, by name, for an image that is named by its digest and runs on this processor; none for a host that has not that.
pub fn files(card: &ArtifactCard, image: &str, processor: Processor) -> Vec<(&'static str, String)> {
    let has_cloud_run = Target::CloudRun.check_processor(processor).is_ok();
    let cloud_run = has_cloud_run.then(|| ("cloud-run.yaml", yaml(&cloud_run(card, image))));
    let others = [("knative.yaml", yaml(&knative(card, image))), ("run.sh", run(card, image))];
    cloud_run.into_iter().chain(others).collect()
}

fn knative(card: &ArtifactCard, image: &str) -> Value {
    let settings = &card.settings;
    let mut container = container(card, image, "value");
    container["readinessProbe"] = probe();
    container["securityContext"] = json!({
        "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] }, "readOnlyRootFilesystem": true,
        "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" },
    });
    container["volumeMounts"] = json!([{ "name": "tmp", "mountPath": "/tmp" }]);
    let tmp = format!("{}Mi", settings.tmp_mib);
    service(
        card,
        &json!({
            "autoscaling.knative.dev/min-scale": settings.min_instances.to_string(),
            "autoscaling.knative.dev/max-scale": settings.max_instances.to_string(),
        }),
        &json!({
            "containerConcurrency": settings.concurrency,
            "timeoutSeconds": seconds(settings.request_timeout_ms).min(KNATIVE_TIMEOUT_S),
            "containers": [container],
            "volumes": [{ "name": "tmp", "emptyDir": { "medium": "Memory", "sizeLimit": tmp } }],
        }),
    )
}

fn cloud_run(card: &ArtifactCard, image: &str) -> Value {
    let settings = &card.settings;
    let mut container = container(card, image, "latest");
    let tries = seconds(settings.load_timeout_ms).clamp(1, 240);
    container["startupProbe"] = json!({
        "httpGet": { "path": "/", "port": PORT }, "periodSeconds": PROBE_S, "timeoutSeconds": PROBE_S,
        "failureThreshold": tries,
    });
    service(
        card,
        &json!({
            "autoscaling.knative.dev/minScale": settings.min_instances.to_string(),
            "autoscaling.knative.dev/maxScale": settings.max_instances.to_string(),
            "run.googleapis.com/startup-cpu-boost": "true",
        }),
        &json!({
            "containerConcurrency": settings.concurrency,
            "timeoutSeconds": seconds(settings.request_timeout_ms).min(CLOUD_RUN_TIMEOUT_S),
            "containers": [container],
        }),
    )
}

fn service(card: &ArtifactCard, annotations: &Value, spec: &Value) -> Value {
    json!({
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": { "name": card.name, "labels": { "modelet-function": card.name } },
        "spec": { "template": { "metadata": { "annotations": annotations }, "spec": spec } },
    })
}

/// `key`: under which a secret's value lies there.
fn container(card: &ArtifactCard, image: &str, key: &str) -> Value {
    let settings = &card.settings;
    let mut env: Vec<Value> =
        card.manifest.env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    env.extend(card.manifest.secrets.iter().map(|(name, secret)| {
        json!({ "name": name, "valueFrom": { "secretKeyRef": { "name": secret, "key": key } } })
    }));
    let mut container = json!({
        "image": image,
        "ports": [{ "name": "http1", "containerPort": PORT }],
        "resources": { "limits": {
            "cpu": format!("{}m", settings.cpu_share_millis()), "memory": format!("{}Mi", settings.memory_mib),
        } },
    });
    if !env.is_empty() {
        container["env"] = Value::Array(env);
    }
    container
}

fn probe() -> Value {
    json!({ "httpGet": { "path": "/" }, "periodSeconds": PROBE_S, "timeoutSeconds": PROBE_S })
}

const fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1_000)
}

fn run(card: &ArtifactCard, image: &str) -> String {
    let settings = &card.settings;
    let mut text = String::from(
        "#!/bin/sh\n# Runs the function at http://127.0.0.1:8080, as nobody, on a read-only disk. Another port: PORT=9000 ./run.sh\nset -eu\n",
    );
    for (name, secret) in &card.manifest.secrets {
        let _ = writeln!(text, ": \"${{{name}:?is the secret {secret}, and has to be set}}\"");
    }
    text.push_str("exec \"${DOCKER:-podman}\" run --rm --read-only --cap-drop=all --security-opt=no-new-privileges \\\n");
    let _ =
        writeln!(text, "  --tmpfs /tmp:rw,size={}m --memory {}m \\", settings.tmp_mib, settings.memory_mib);
    let _ = writeln!(text, "  --publish \"127.0.0.1:${{PORT:-{PORT}}}:{PORT}\" \\");
    for name in card.manifest.secrets.keys() {
        let _ = writeln!(text, "  --env {name} \\");
    }
    let _ = writeln!(text, "  {image}");
    text
}

/// As YAML. Every text is written as in JSON, which is YAML too: nothing is mistaken for a number or a word of YAML's.
fn yaml(value: &Value) -> String {
    let mut text = String::new();
    write_yaml(&mut text, value, 0);
    text
}

fn write_yaml(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) => {
            for (at, (key, value)) in map.iter().enumerate() {
                if at > 0 || !text.ends_with("- ") {
                    text.push_str(&"  ".repeat(depth));
                }
                text.push_str(key);
                text.push(':');
                under(text, value, depth + 1);
            }
        }
        Value::Array(items) => {
            for item in items {
                text.push_str(&"  ".repeat(depth));
                text.push_str("- ");
                if is_empty(item) {
                    let _ = writeln!(text, "{item}");
                } else {
                    write_yaml(text, item, depth + 1);
                }
            }
        }
        scalar => {
            let _ = writeln!(text, "{scalar}");
        }
    }
}

/// What stands after a key.
fn under(text: &mut String, value: &Value, depth: usize) {
    if is_empty(value) {
        let _ = writeln!(text, " {value}");
    } else {
        text.push('\n');
        write_yaml(text, value, depth);
    }
}

/// True for what has nothing below it.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use modelet_core::handler::ProgramCard;
    use modelet_core::{Handler, Settings};

    use super::*;

    fn card() -> ArtifactCard {
        let program: ProgramCard =
            serde_json::from_value(json!({ "command": ["./bootstrap"], "speaks": "runtime_api" })).unwrap();
        serde_json::from_value(json!({
            "format_version": ArtifactCard::FORMAT_VERSION, "name": "churn", "source_sha256": "00",
            "manifest": { "env": { "MODE": "yes" }, "secrets": { "KEY": "partner-key" } },
            "settings": Settings { request_timeout_ms: 900_000, memory_mib: 512, ..Settings::default() },
            "handler": Handler::Program(program), "files": [],
        }))
        .unwrap()
    }

    #[test]
    fn yaml_is_what_its_readers_take_it_for() {
        let value = json!({ "a": { "b": [{ "c": "no", "d": [1, "2"] }, {}], "e": {} }, "f": "x: #y" });
        let expected = "a:\n  b:\n    - c: \"no\"\n      d:\n        - 1\n        - \"2\"\n    - {}\n  e: {}\nf: \"x: #y\"\n";
        assert_eq!(yaml(&value), expected);
    }

    #[test]
    fn each_host_gets_what_it_can_hold_and_secrets_by_name_alone() {
        let files = files(&card(), "r.example/churn@sha256:00", Processor::X86_64);
        let text = |name: &str| &files.iter().find(|(own, _)| *own == name).unwrap().1;
        assert!(text("knative.yaml").contains("timeoutSeconds: 600"), "{}", text("knative.yaml"));
        assert!(text("cloud-run.yaml").contains("timeoutSeconds: 900"));
        for name in ["knative.yaml", "cloud-run.yaml"] {
            assert!(text(name).contains("value: \"yes\""), "{}", text(name));
            assert!(text(name).contains("name: \"partner-key\"") && text(name).contains("memory: \"512Mi\""));
        }
        let of_arm64 = super::files(&card(), "r.example/churn@sha256:00", Processor::Arm64);
        assert_eq!(of_arm64.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["knative.yaml", "run.sh"]);
        assert!(text("run.sh").contains("--memory 512m") && text("run.sh").contains("--env KEY \\\n"));
    }
}
