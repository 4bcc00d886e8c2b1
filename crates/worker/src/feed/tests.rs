//! Instances that end at each moment of a call, as sockets.

use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};

use super::*;
use crate::socket::SocketFolder;

/// An instance's end of a socket, and the way to it.
struct Stage {
    listener: UnixListener,
    feed: Feed,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = SocketFolder::create(&folder.path().join("run")).unwrap().bind("a").unwrap();
        let listener = UnixListener::from(socket.listener);
        Self { listener, feed: Feed::new(socket.address), _folder: folder }
    }

    /// Sends a call with a body of this size; `instance` has its end meanwhile.
    async fn call(self, body_bytes: usize, instance: impl FnOnce(UnixStream) + Send + 'static) -> FeedError {
        let Self { listener, feed, .. } = self;
        let thread = std::thread::spawn(move || instance(listener.accept().unwrap().0));
        let error = feed.send(post(body_bytes)).await.unwrap_err();
        thread.join().unwrap();
        error
    }
}

fn post(body_bytes: usize) -> Request<Full<Bytes>> {
    Request::post("/").body(Full::from(vec![b'x'; body_bytes])).unwrap()
}

/// Waits until something has come.
fn peek(stream: &UnixStream) {
    rustix::net::recv(stream, &mut [0_u8; 1][..], rustix::net::RecvFlags::PEEK).unwrap();
}

#[tokio::test]
async fn a_call_that_nobody_can_have_read_was_not_taken_in() {
    let Stage { listener, feed, _folder } = Stage::new();
    drop(listener);
    assert!(matches!(feed.send(post(10)).await, Err(FeedError::NotTaken(_))), "nobody listens");
    let unread = Stage::new().call(10, |stream| peek(&stream)).await;
    assert!(matches!(unread, FeedError::NotTaken(_)), "{unread}");
    let Stage { listener, feed, _folder } = Stage::new();
    let not_accepted = tokio::spawn(async move { feed.send(post(10)).await });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(listener);
    assert!(matches!(not_accepted.await.unwrap(), Err(FeedError::NotTaken(_))), "it died before it accepted");
}

#[tokio::test]
async fn a_call_of_which_something_may_have_been_read_was() {
    let read = Stage::new().call(10, |mut stream| {
        peek(&stream);
        let mut buffer = [0; 8 << 10];
        assert!(stream.read(&mut buffer).unwrap() > 10);
    });
    assert!(matches!(read.await, FeedError::Broken(_)), "all of it");
    let begun = Stage::new().call(20_000, |mut stream| {
        peek(&stream);
        assert_eq!(stream.read(&mut [0; 8 << 10]).unwrap(), 8 << 10);
    });
    assert!(matches!(begun.await, FeedError::Broken(_)), "its beginning");
    let large = Stage::new().call(20_000, |stream| peek(&stream)).await;
    assert!(matches!(large, FeedError::Broken(_)), "of a large one we cannot tell");
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_not_used() {
    let Stage { listener, feed, _folder } = Stage::new();
    let instance = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            peek(&stream);
            let _ = stream.read(&mut [0; 8 << 10]).unwrap();
            io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    for _ in 0..2 {
        let (response, connection) = feed.send(post(10)).await.unwrap();
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        feed.give_back(connection);
        // Until we know: a call that is sent before is not lost, but told as not taken in.
        while feed.idle.lock().unwrap().iter().any(|idle| !idle.sender.is_closed()) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    instance.join().unwrap();
    assert!(matches!(feed.send(post(10)).await, Err(FeedError::NotTaken(_))), "it has ended");
}
