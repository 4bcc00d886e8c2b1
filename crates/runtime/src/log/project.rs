//! The project on Google's cloud that traces are named by: the environment says it, or the metadata server, which is asked beside
//! the start. Where neither does, as on a Knative elsewhere, traces go without.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

/// Environment variables with the id of a project, as Google's own libraries look for it.
const ENV_PROJECTS: [&str; 3] = ["GOOGLE_CLOUD_PROJECT", "GCP_PROJECT", "GCLOUD_PROJECT"];
/// Environment variable: another host and port of the metadata server, as those libraries have it.
const ENV_SERVER: &str = "GCE_METADATA_HOST";
const SERVER: &str = "metadata.google.internal";
/// It is on the same machine: who has not answered in this time is not it.
const SERVER_LIMIT: Duration = Duration::from_secs(1);
/// Longest answer that is read.
const ANSWER_LIMIT_BYTES: u64 = 4 << 10;

static PROJECT: OnceLock<String> = OnceLock::new();

/// The project, if it is known by now.
pub(super) fn known() -> Option<String> {
    PROJECT.get().cloned()
}

/// Finds it out, beside what else is done.
pub(super) fn find(var: impl Fn(&str) -> Option<OsString>) {
    let text = |name: &str| var(name)?.into_string().ok().filter(|text| !text.is_empty());
    if let Some(project) = ENV_PROJECTS.iter().find_map(|name| text(name)) {
        let _ = PROJECT.set(project);
        return;
    }
    let server = text(ENV_SERVER).unwrap_or_else(|| SERVER.to_owned());
    // Where there is no thread, no trace has a project.
    let _ = thread::Builder::new().name("project".to_owned()).spawn(move || {
        if let Ok(project) = ask(&server) {
            let _ = PROJECT.set(project);
        }
    });
}

/// Asks the metadata server (docs of Compute Engine, "View and query VM metadata").
fn ask(server: &str) -> io::Result<String> {
    let address = if server.contains(':') { server.to_owned() } else { format!("{server}:80") };
    let address = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, SERVER_LIMIT)?;
    stream.set_read_timeout(Some(SERVER_LIMIT))?;
    stream.write_all(
        format!(
            "GET /computeMetadata/v1/project/project-id HTTP/1.0\r\nHost: {server}\r\nMetadata-Flavor: Google\r\n\r\n"
        )
        .as_bytes(),
    )?;
    let mut answer = String::new();
    stream.take(ANSWER_LIMIT_BYTES).read_to_string(&mut answer)?;
    project_of(&answer).ok_or_else(|| io::Error::other("it is not the metadata server"))
}

/// The project in an answer: Google's own server marks it, and the id is short and plain.
fn project_of(answer: &str) -> Option<String> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    let is_google = head.lines().any(|line| line.replace(' ', "") == "metadata-flavor:google");
    let is_fine = head.lines().next().is_some_and(|status| status.contains(" 200"));
    let project = body.trim();
    let is_id = (1..=63).contains(&project.len())
        && project.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte));
    (is_google && is_fine && is_id).then(|| project.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_googles_server_says_is_a_project() {
        let google = "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\n\r\nmy-project-7";
        assert_eq!(project_of(google).as_deref(), Some("my-project-7"));
        for other in [
            "HTTP/1.1 200 OK\r\n\r\nmy-project-7",
            "HTTP/1.1 404 Not Found\r\nMetadata-Flavor: Google\r\n\r\nnothing",
            "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\n\r\n<html>",
            "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\n\r\n",
            "",
        ] {
            assert_eq!(project_of(other), None, "{other}");
        }
    }
}
