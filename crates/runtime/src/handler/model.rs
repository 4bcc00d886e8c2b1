//! The handler of native models: decode, predict, encode.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response};
use modelet_core::instance::HEADER_ERROR;
use modelet_core::{Code, Failure, FunctionError, PlatformError};
use modelet_model::{LoadOptions, Model};
use modelet_protocol::{FunctionContext, Operation, ProtocolName, Route};
use rustix::time::{ClockId, clock_gettime};

use crate::config::Config;
use crate::handler::Handler;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A loaded model and what its protocols need to know of it.
pub struct ModelHandler {
    model: Box<dyn Model>,
    context: FunctionContext,
}

impl ModelHandler {
    /// Loads the model of an artifact with the engine that its card names, and no other.
    pub fn load(config: &Config) -> Result<Self, FunctionError> {
        let card = &config.card;
        let settings = &card.settings;
        let options = LoadOptions {
            threads: settings.engine_threads(),
            onnxruntime_library: config.onnxruntime.clone(),
        };
        let model = modelet_model::engine(card.engine).load(&config.model(), &options)?;
        let context = FunctionContext {
            name: card.name.clone(),
            version: config.version,
            signature: card.signature.clone(),
            non_finite: card.manifest.non_finite,
            body_limit_bytes: settings.body_limit_bytes(),
            response_limit_bytes: settings.response_limit_bytes(),
        };
        Ok(Self { model, context })
    }

    fn predict(
        &mut self,
        route: &Route,
        head: &Parts,
        body: Bytes,
    ) -> Result<Response<Bytes>, FunctionError> {
        let started = Instant::now();
        let decoded = modelet_protocol::decode(route, &head.headers, head.uri.query(), body, &self.context)?;
        let decoded_at = Instant::now();
        let outputs = self.model.predict(decoded.inputs, decoded.outputs.as_deref())?;
        let predicted_at = Instant::now();
        let mut response = modelet_protocol::encode(&decoded.reply, outputs, &self.context)?;
        let phases = [
            ("decode", decoded_at - started),
            ("predict", predicted_at - decoded_at),
            ("encode", predicted_at.elapsed()),
        ];
        response.headers_mut().insert(SERVER_TIMING, server_timing(&phases));
        Ok(response)
    }
}

impl Handler for ModelHandler {
    fn answer(&mut self, head: &Parts, body: Bytes) -> Response<Bytes> {
        let used_before = processor_time();
        let (protocol, result) = match modelet_protocol::route(&head.method, head.uri.path()) {
            Some(Ok(route)) if route.operation == Operation::Predict => {
                let predicted = catch_unwind(AssertUnwindSafe(|| self.predict(&route, head, body)));
                let predicted = predicted.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
                (route.protocol, predicted.map_err(Failure::from))
            }
            Some(Err((protocol, error))) => (protocol, Err(error.into())),
            Some(Ok(_)) | None => {
                let error = PlatformError::new(Code::RouteNotFound, "an instance only answers predictions");
                (ProtocolName::Fn, Err(error.into()))
            }
        };
        let mut response = result.unwrap_or_else(|failure| {
            let mut response = modelet_protocol::error(protocol, &failure, None);
            let code = HeaderValue::from_static(failure.code().as_str());
            response.headers_mut().insert(HeaderName::from_static(HEADER_ERROR), code);
            response
        });
        // Another header of the same name: lists are joined by whoever reads them (RFC 9110, 5.3).
        let used = server_timing(&[("cpu", processor_time().saturating_sub(used_before))]);
        response.headers_mut().append(SERVER_TIMING, used);
        response
    }

    fn body_limit_bytes(&self) -> u64 {
        self.context.body_limit_bytes
    }
}

/// A defect, ours or an engine's, must not take the calls beside it along.
fn panicked(panic: &(dyn Any + Send)) -> FunctionError {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    FunctionError::new(Code::PredictionFailed, format!("a defect was met on this input: {text}"))
}

/// Processor time of this process so far, the engine's threads included; calls are answered one at a time, so that the
/// difference belongs to one call.
fn processor_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    // Never negative.
    Duration::new(used.tv_sec.unsigned_abs(), u32::try_from(used.tv_nsec).unwrap_or(0))
}

fn server_timing(phases: &[(&str, Duration)]) -> HeaderValue {
    let parts: Vec<_> =
        phases.iter().map(|(name, time)| format!("{name};dur={:.3}", time.as_secs_f64() * 1e3)).collect();
    // Names and numbers only: always a valid header.
    HeaderValue::try_from(parts.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}
