//! The table in the documentation of `sandbox`, held.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use modelet_core::manifest::Rung;
use modelet_worker::{Bind, Launch, Spawner};

use crate::stage::{self, Running, on, outcome, outcome_with, rungs};

/// What the host has that an instance should not get at.
struct Host {
    folder: tempfile::TempDir,
    tcp: TcpListener,
    udp: UdpSocket,
    name: String,
    _abstract: UnixListener,
    _file: UnixListener,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        std::fs::write(folder.path().join("store"), "the store's secret").unwrap();
        let name = format!("modelet-test-{}-{}", std::process::id(), folder.path().display());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket_file = folder.path().join("socket");
        let file = UnixListener::bind(&socket_file).unwrap();
        std::fs::set_permissions(&socket_file, PermissionsExt::from_mode(0o777)).unwrap();
        Self {
            tcp: TcpListener::bind("127.0.0.1:0").unwrap(),
            udp: UdpSocket::bind("127.0.0.1:0").unwrap(),
            _abstract: UnixListener::bind_addr(&address).unwrap(),
            _file: file,
            name,
            folder,
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

/// Rungs on which an attempt is contained whatever the modes of files and whoever runs the platform.
const ALL: &[u8] = &[1, 2, 3, 4];
const BUT_THE_WEAKEST: &[u8] = &[1, 2, 3];

async fn holds_the_table(rung: Rung) {
    let (spawner, host) = (on(rung).await, Host::new());
    // Where there is no private /tmp and no writing at all (rung 3) the other has no file.
    let others_file = format!("/tmp/other-{}-{}", std::process::id(), u8::from(rung));
    let file = if rung == Rung::Landlock { "" } else { &others_file };
    let mut other = Running::start_with(&spawner, &["hold", file], |launch| {
        launch.env = vec![("KEY".into(), "s3cret-of-other".into())]
    })
    .await;
    assert_eq!(other.line().await.as_deref(), Some("ready"));
    let other_process = other.process.id().to_string();
    let table: &[(&[&str], &[u8])] = &[
        (&["read", &host.path("store")], BUT_THE_WEAKEST),
        (&["write", &host.path("new")], BUT_THE_WEAKEST),
        (&["read", &others_file], BUT_THE_WEAKEST),
        (&["environments", "s3cret-of-other"], BUT_THE_WEAKEST),
        (&["read", "/etc/shadow"], ALL),
        (&["write", "/usr/planted"], ALL),
        (&["write", "/planted"], ALL),
        (&["write", "/etc/planted"], ALL),
        (&["tcp", &host.tcp.local_addr().unwrap().to_string()], ALL),
        (&["udp", &host.udp.local_addr().unwrap().to_string()], ALL),
        (&["abstract", &host.name], ALL),
        (&["socket-file", &host.path("socket")], ALL),
        (&["raw-socket"], ALL),
        (&["netlink"], ALL),
        (&["signal", &other_process], ALL),
        (&["signal", &std::process::id().to_string()], ALL),
        (&["signal-all"], ALL),
        (&["demote", &other_process], ALL),
        (&["pin", &other_process], ALL),
        (&["ptrace", &other_process], ALL),
        (&["mount"], ALL),
        (&["unshare"], ALL),
        (&["clone"], ALL),
        (&["bpf"], ALL),
        (&["io-uring"], ALL),
        (&["setuid"], ALL),
        (&["device"], ALL),
        (&["capabilities"], ALL),
    ];
    for (act, contained_on) in table {
        let outcome = outcome(&spawner, act).await;
        let expected = if contained_on.contains(&u8::from(rung)) { "contained" } else { "escaped" };
        assert!(outcome.starts_with(expected), "rung {rung}, {act:?}: {outcome}");
    }
    let _ = std::fs::remove_file(&others_file);
}

#[tokio::test]
async fn every_rung_contains_what_it_says() {
    for rung in rungs().await {
        holds_the_table(rung).await;
    }
}

#[tokio::test]
async fn an_instance_sees_its_own_environment_and_what_it_was_given_to_read() {
    for rung in rungs().await {
        let (spawner, host) = (on(rung).await, Host::new());
        let env = outcome_with(&spawner, &["environment"], |launch| {
            launch.env = vec![("ONLY".into(), "this".into())];
        })
        .await;
        assert_eq!(env, r#"escaped: [("ONLY", "this")]"#, "{rung}");
        let store = host.path("store");
        let give = |launch: &mut Launch| launch.sandbox.binds = vec![Bind::same(&store)];
        assert_eq!(
            outcome_with(&spawner, &["read", &store], give).await,
            "escaped: the store's secret",
            "{rung}"
        );
        if rung <= Rung::Namespaces {
            let written = outcome_with(&spawner, &["write", "/given/store"], |launch| {
                let source = host.folder.path().to_owned();
                launch.sandbox.binds = vec![Bind { source, target: "/given".into() }];
            });
            assert!(written.await.contains("Read-only file system"), "{rung}");
        }
    }
}

async fn listed(spawner: &Spawner, folder: &str) -> String {
    outcome(spawner, &["list", folder]).await
}

#[tokio::test]
async fn in_its_namespaces_an_instance_is_alone() {
    for rung in rungs().await.into_iter().filter(|rung| *rung <= Rung::Namespaces) {
        let spawner = on(rung).await;
        // Only the way to the program, if it lies there.
        let program = stage::program();
        let own = program.strip_prefix("/tmp").ok().and_then(|below| below.iter().next()?.to_str());
        assert_eq!(listed(&spawner, "/tmp").await, format!("escaped: {}", own.unwrap_or("")), "{rung}");
        let processes = listed(&spawner, "/proc").await;
        let numbers =
            processes.split(' ').filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).count();
        assert_eq!(numbers, 1, "{rung}: {processes}");
        assert_eq!(
            listed(&spawner, "/dev").await,
            "escaped: fd full null random shm stderr stdin stdout urandom zero"
        );
        assert_eq!(
            listed(&spawner, "/proc/self/fd").await,
            "escaped: 0 1 2 3 4",
            "the fourth is the listing itself"
        );
        let host = outcome(&spawner, &["read", "/proc/sys/kernel/hostname"]).await;
        assert_eq!(host, "escaped: modelet");
        let users = outcome(&spawner, &["read", "/proc/self/uid_map"]).await;
        assert!(users.contains("1000"), "{users}");
    }
}

#[tokio::test]
async fn with_network_an_instance_reaches_servers_and_no_abstract_socket() {
    for rung in rungs().await {
        let (spawner, host) = (on(rung).await, Host::new());
        let address = host.tcp.local_addr().unwrap().to_string();
        let reached =
            outcome_with(&spawner, &["tcp", &address], |launch| launch.sandbox.network = true).await;
        assert_eq!(reached, format!("escaped: {address}"), "{rung}");
        let raw = outcome_with(&spawner, &["raw-socket"], |launch| launch.sandbox.network = true).await;
        assert!(raw.starts_with("contained"), "{rung}: {raw}");
    }
}
