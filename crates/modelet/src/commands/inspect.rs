//! `modelet inspect`: what a Python model file is, without running any of it. It needs no platform.

use modelet_core::Code;
use modelet_package::importer;
use modelet_package::pickle::{self, Framework, Inspection};
use serde_json::json;

use crate::cli::{Common, Inspect};
use crate::output;
use crate::report::Report;

/// Most feature names that are shown.
const MAX_NAMES: usize = 12;

pub fn run(common: &Common, inspect: &Inspect) -> Result<(), Report> {
    let path = inspect.file.display();
    // Theirs may begin as a pickle does.
    let is_frameworks_own = importer::framework_of(&inspect.file).is_some();
    let found = if is_frameworks_own { None } else { pickle::inspect(&inspect.file)? };
    let inspection = found.ok_or_else(|| {
        let message = format!("{path} is not a Python model file");
        Report::new(Code::ModelRefused, message).hint("inspect reads pickle, joblib and skops files")
    })?;
    let unknown = inspection.unknown();
    if common.json {
        let mut value = json!(inspection);
        value["title"] = inspection.title().into();
        value["unknown"] = json!(unknown);
        output::json(&value);
    } else {
        output::line(output::plain(&path.to_string()));
        print(&inspection);
    }
    if !unknown.is_empty() {
        let lines: Vec<_> = unknown.iter().map(|one| format!("\n  {}", output::plain(one))).collect();
        output::say(format!("warning: not known to be harmless:{}", lines.concat()));
    }
    output::say("nothing in the file was executed");
    Ok(())
}

fn print(inspection: &Inspection) {
    output::card_line("is", inspection.title());
    for step in &inspection.steps {
        output::card_line("step", format!("{}  {}.{}", step.name, step.class.module, step.class.name));
    }
    if let Some(features) = inspection.features {
        let names = inspection.feature_names.as_deref().unwrap_or_default();
        let more = if names.len() > MAX_NAMES { ", …" } else { "" };
        let names = names.iter().take(MAX_NAMES).cloned().collect::<Vec<_>>().join(", ");
        output::card_line("features", format!("{features}  {names}{more}").trim_end());
    }
    if let Some(shape) = &inspection.classes_shape {
        output::card_line("classes", format!("array of shape {shape:?}"));
    }
    let needs: Vec<_> = inspection.frameworks.iter().map(framework).collect();
    if !needs.is_empty() {
        output::card_line("needs", needs.join(", "));
    }
    output::line("");
    let word = |yes: bool, word: &str| if yes { word.to_owned() } else { String::new() };
    output::table(
        &["import", "called", ""],
        inspection.imports.iter().map(|import| {
            let name = format!("{}.{}", import.module, import.name);
            vec![name, word(import.called, "called"), word(!import.known, "unknown")]
        }),
    );
}

fn framework(framework: &Framework) -> String {
    let version = framework.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    format!("{}{version}", framework.name)
}
