use http::header::CONTENT_TYPE;

use super::*;
use crate::store::schema;
use crate::store::writer::{self, Durability};

/// The store in a folder, with the function `iris`; what an earlier one has left there is kept.
fn open(folder: &Path) -> Accepted {
    let path = folder.join("state.db");
    let mut connection = writer::open(&path, Durability::Full).unwrap();
    schema::migrate(&mut connection, schema::STATE).unwrap();
    connection
        .execute("INSERT OR IGNORE INTO functions (name, live, created_at_ms) VALUES ('iris', 1, 0)", [])
        .unwrap();
    let writer = Writer::start("test", connection, std::time::Duration::ZERO).unwrap();
    Accepted::open(writer, &path).unwrap()
}

fn asked(id: &str) -> Asked {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; header=absent"));
    headers.append("x-note", HeaderValue::from_bytes(b"caf\xe9: 1").unwrap());
    headers.append("x-note", HeaderValue::from_static(""));
    Asked {
        id: InvocationId(id.to_owned()),
        function: iris(),
        method: Method::POST,
        uri: "/fn/iris?output=label".parse().unwrap(),
        headers,
        body: Bytes::from_static(b"1,2\n\0"),
    }
}

fn iris() -> FunctionName {
    "iris".parse().unwrap()
}

fn ended(seq: i64, expires_at_ms: i64) -> Ended {
    let mut answer = Response::new(Bytes::from_static(b"[1]"));
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer.headers_mut().insert("x-modelet-error", HeaderValue::from_static("instance-died"));
    Ended { seq, attempts: 3, answer, expires_at_ms }
}

async fn find(store: &Accepted, id: &str, now_ms: i64) -> Option<Found> {
    store.find(&iris(), &InvocationId(id.to_owned()), now_ms).await.unwrap()
}

#[tokio::test]
async fn what_was_accepted_comes_back_whole_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    let seq = first.insert(asked("01A"), 5).await.unwrap();
    let kept_bytes = first.kept_bytes();
    drop(first);

    let store = open(folder.path());
    assert_eq!((store.kept_bytes(), kept_bytes > 220), (kept_bytes, true));
    let waiting = Waiting { seq, function: iris(), accepted_at_ms: 5, attempts: 0, due_at_ms: 5 };
    assert_eq!(store.waiting().unwrap(), [waiting]);
    let (again, first) = (store.asked(seq).await.unwrap().unwrap(), asked("01A"));
    assert_eq!((again.id, again.method, again.uri), (first.id, first.method, first.uri));
    assert_eq!((again.headers, again.body), (first.headers, first.body));
}

#[tokio::test]
async fn an_end_gives_the_answer_and_frees_what_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let seq = store.insert(asked("01A"), 5).await.unwrap();
    store.again(seq, 1, 900).await.unwrap();
    let Some(Found::Waiting(waiting)) = find(&store, "01A", 6).await else { panic!("it has not ended") };
    assert_eq!((waiting.attempts, waiting.due_at_ms), (1, 900));

    store.end(ended(seq, 1_000)).await.unwrap();
    let Some(Found::Ended(answer)) = find(&store, "01A", 6).await else { panic!("it has ended") };
    assert_eq!((answer.status().as_u16(), &answer.body()[..]), (502, &b"[1]"[..]));
    assert_eq!(answer.headers()["x-modelet-error"], "instance-died");
    assert!(store.waiting().unwrap().is_empty() && store.asked(seq).await.unwrap().is_none());
    assert_eq!(store.kept_bytes() as usize, 200 + "x-modelet-error: instance-died\n".len() + 3);

    assert!(find(&store, "01A", 1_000).await.is_none(), "also before it is removed");
    store.sweep(999).await.unwrap();
    assert!(find(&store, "01A", 6).await.is_some());
    store.sweep(1_000).await.unwrap();
    assert_eq!(store.kept_bytes(), 0);
}

#[tokio::test]
async fn invocations_are_their_functions_own_and_go_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let seq = store.insert(asked("01A"), 5).await.unwrap();
    let other = Asked { function: "other".parse().unwrap(), ..asked("01B") };
    assert!(store.insert(other, 5).await.unwrap_err().message.contains("FOREIGN KEY"));
    let (other, id) = ("other".parse().unwrap(), InvocationId("01A".to_owned()));
    assert!(store.find(&other, &id, 6).await.unwrap().is_none());

    store.change("delete", |c| c.execute("DELETE FROM functions", [])).await.unwrap();
    assert!(store.asked(seq).await.unwrap().is_none());
    // An attempt may end after the delete.
    store.end(ended(seq, 9)).await.unwrap();
    assert!(find(&store, "01A", 6).await.is_none());
    store.recount().await.unwrap();
    assert_eq!(store.kept_bytes(), 0);
}

#[tokio::test]
async fn when_room_is_short_the_answers_that_expire_first_go_and_nothing_that_waits() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for (id, expires_at_ms) in [("01A", 3_000), ("01B", 2_000)] {
        let seq = store.insert(asked(id), 5).await.unwrap();
        store.end(ended(seq, expires_at_ms)).await.unwrap();
    }
    store.insert(asked("01C"), 5).await.unwrap();
    store.trim(u64::MAX).await.unwrap();
    assert!(find(&store, "01B", 6).await.is_some());
    store.trim(1).await.unwrap();
    assert!(find(&store, "01A", 6).await.is_none() && find(&store, "01B", 6).await.is_none());
    assert!(matches!(find(&store, "01C", 6).await, Some(Found::Waiting(_))));
}
