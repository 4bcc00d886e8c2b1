//! `modelet explain`: the page of an error code.

use modelet_core::Code;
use serde_json::json;

use crate::cli::{Common, Explain};
use crate::output;
use crate::report::Report;

#[expect(clippy::unnecessary_wraps, reason = "every command can fail; this one happens not to")]
pub fn run(common: &Common, explain: &Explain) -> Result<(), Report> {
    let as_json = |code: Code| json!({"code": code, "status": code.status(), "page": code.page()});
    match (explain.code, common.json) {
        (Some(code), true) => output::json(&as_json(code)),
        (Some(code), false) => output::line(code.page().trim_end()),
        (None, true) => output::json(&Code::ALL.iter().map(|code| as_json(*code)).collect::<Vec<_>>()),
        (None, false) => {
            let first = |code: &Code| code.page().lines().nth(2).unwrap_or_default().to_owned();
            output::table(&["code", "meaning"], Code::ALL.iter().map(|c| vec![c.to_string(), first(c)]));
        }
    }
    Ok(())
}
