//! `modelet secret`: values that functions are given and that nothing else shows.

use std::io::{self, IsTerminal, Read};

use bytes::Bytes;
use http::Request;
use modelet_core::Code;
use modelet_platform::admin::views::{SecretList, SecretView};

use crate::cli::{Common, Secret, SecretAction};
use crate::client::Client;
use crate::output;
use crate::report::Report;

pub async fn run(common: &Common, secret: &Secret) -> Result<(), Report> {
    let client = Client::find(common)?;
    let path = |name: &str| format!("/api/v1/secrets/{name}");
    let (done, view): (_, SecretView) = match &secret.action {
        SecretAction::Ls => return list(common, &client).await,
        SecretAction::Set { name } => ("stored", client.json(Request::put(path(name)), value(name)?).await?),
        SecretAction::Rm { name } => ("removed", client.delete(&path(name)).await?),
    };
    if common.json {
        output::json(&view);
    } else {
        output::line(format!("{done} {}", view.name));
    }
    Ok(())
}

async fn list(common: &Common, client: &Client) -> Result<(), Report> {
    let list: SecretList = client.get("/api/v1/secrets").await?;
    if common.json {
        output::json(&list.secrets);
    } else if list.secrets.is_empty() {
        output::say("no secrets yet: modelet secret set NAME");
    } else {
        output::table(&["name"], list.secrets.into_iter().map(|secret| vec![secret.name]));
    }
    Ok(())
}

/// The value from standard input, without the newline at its end; a person is asked, and does not see what they type.
fn value(name: &str) -> Result<Bytes, Report> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Report::new(Code::BadInput, format!("could not read the value of {name}: {error}"))
    };
    if io::stdin().is_terminal() {
        let typed = dialoguer::Password::new().with_prompt(format!("Value of {name}")).interact();
        return Ok(typed.map_err(|error| unreadable(&error))?.into());
    }
    let mut value = Vec::new();
    io::stdin().read_to_end(&mut value).map_err(|error| unreadable(&error))?;
    if value.ends_with(b"\n") {
        value.truncate(value.len() - 1);
    }
    Ok(value.into())
}
