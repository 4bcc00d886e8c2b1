//! The body of an answer: there, or still being made.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Frame, SizeHint};
use modelet_core::{Code, FunctionError};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Pieces of a body, as they are made. An error says why no more come.
pub type Pieces = Pin<Box<dyn Body<Data = Bytes, Error = Error>>>;

/// The body of an answer.
pub enum AnswerBody {
    /// It is there.
    Whole(Full<Bytes>),
    /// It is sent while it is made: nobody knows its length, and no limit but time holds for it.
    Pieces(Pieces),
}

impl AnswerBody {
    /// Of what comes in pieces.
    pub fn pieces(body: impl Body<Data = Bytes, Error: Into<Error>> + 'static) -> Self {
        Self::Pieces(Box::pin(body.map_err(Into::into)))
    }
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

impl fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::Pieces(_) => "Pieces",
        })
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut *self {
            Self::Whole(body) => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                Poll::Ready(frame.map(|frame| frame.map_err(|never| match never {})))
            }
            Self::Pieces(pieces) => pieces.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Pieces(pieces) => pieces.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Pieces(pieces) => pieces.size_hint(),
        }
    }
}

/// An answer with all of its body, for those who cannot pass on pieces; of these `limit_bytes` at most.
pub async fn whole(answer: Response<AnswerBody>, limit_bytes: u64) -> Result<Response<Bytes>, FunctionError> {
    let (head, body) = answer.into_parts();
    // What is there was measured when it came.
    let limit_bytes = if matches!(body, AnswerBody::Whole(_)) { u64::MAX } else { limit_bytes };
    let limited = Limited::new(body, usize::try_from(limit_bytes).unwrap_or(usize::MAX));
    let body = limited.collect().await.map_err(|error| broken(error.as_ref(), limit_bytes))?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

/// Why a body did not come whole.
fn broken(error: &(dyn std::error::Error + Send + Sync + 'static), limit_bytes: u64) -> FunctionError {
    if error.is::<LengthLimitError>() {
        let message = format!("the answer is larger than the limit of {limit_bytes} bytes");
        FunctionError::new(Code::ResponseTooLarge, message).hint("raise it: --set response_limit_mib=512")
    } else {
        FunctionError::new(Code::HandlerFailed, format!("the answer ended before it was whole: {error}"))
    }
}
