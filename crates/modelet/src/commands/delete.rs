//! `modelet delete`: a function with all its versions and logs. Asks first.

use std::io::{self, IsTerminal};

use modelet_core::Code;
use modelet_platform::admin::views::{Deleted, FunctionView};

use crate::cli::{Common, Delete};
use crate::client::Client;
use crate::output;
use crate::report::Report;

pub async fn run(common: &Common, delete: &Delete) -> Result<(), Report> {
    if delete.elsewhere.to.is_some() {
        return super::target::delete(common, delete).await;
    }
    let client = Client::find(common)?;
    let path = format!("/api/v1/functions/{}", delete.name);
    if !delete.yes {
        let view: FunctionView = client.get(&path).await?;
        confirm(&format!("Delete {} with {} and its logs?", delete.name, versions(view.versions.len())))?;
    }
    let deleted: Deleted = client.delete(&path).await?;
    if common.json {
        output::json(&deleted);
    } else {
        output::line(format!("deleted {} with {}", deleted.name, versions(deleted.versions)));
    }
    Ok(())
}

fn versions(n: usize) -> String {
    if n == 1 { "1 version".to_owned() } else { format!("{n} versions") }
}

/// Asks; somebody who is not there says no.
pub fn confirm(question: &str) -> Result<(), Report> {
    if !io::stdin().is_terminal() {
        return Err(
            Report::new(Code::BadInput, format!("{question} There is nobody to ask")).hint("say --yes")
        );
    }
    let answer = dialoguer::Confirm::new().with_prompt(question).default(false).interact();
    match answer {
        Ok(true) => Ok(()),
        _ => Err(Report::new(Code::BadInput, "nothing was done")),
    }
}
